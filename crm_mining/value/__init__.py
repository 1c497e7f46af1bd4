"""What a customer will buy and is worth: how often by BG/NBD or MBG/NBD, for how much by Gamma-Gamma.

``purchases`` (how often), ``spend`` (for how much), ``intervals`` (predictive intervals of both), ``alive`` (the
recalibration of p_alive), ``tables`` (what the dbt models call), ``evaluation`` (how good it was).
"""
