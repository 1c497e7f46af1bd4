"""Who will buy, leave, spend: candidate models, an honest choice among them, scores with reasons, all of it tables."""
