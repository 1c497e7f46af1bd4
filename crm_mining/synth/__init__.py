"""A synthetic company whose every secret is known: people, purchases, campaigns, service, and the faults put into them.

``crm synth`` writes the raw tables of the contract (the sources of models/staging) together with the truth behind them,
so that cleaning, identity resolution and mining can be measured instead of believed.
"""

from crm_mining.synth.world import Parameters, generate

__all__ = ["Parameters", "generate"]
