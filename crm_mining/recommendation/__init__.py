"""What to offer to whom: the ranker and how good its lists are."""
