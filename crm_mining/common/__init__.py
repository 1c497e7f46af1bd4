"""What every other package may use: array types, progress, threads, refits. Imports nothing of this project."""
