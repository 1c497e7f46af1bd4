"""States of a customer's life: a hidden Markov model of monthly activity."""
