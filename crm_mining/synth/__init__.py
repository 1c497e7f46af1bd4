"""A synthetic company whose every secret is known: people, purchases, campaigns, service, and the faults put into them.

`python -m crm_mining.synth --help` writes the raw tables of the contract (models/staging/_sources.yml) together with
the truth
behind them, so that cleaning, identity resolution and mining can be measured instead of believed.
"""

from crm_mining.synth.world import Parameters, generate

__all__ = ["Parameters", "generate"]
