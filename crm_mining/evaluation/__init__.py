"""How good a model is: measures, thresholds, the truth where there is one. A library for the concepts."""
