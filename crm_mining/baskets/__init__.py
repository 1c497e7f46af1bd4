"""What is bought together and what follows: itemsets, association rules, paths."""
