"""The warehouse file and all that leaves it: connection, lock, keys, masking, publishing, backup, erasure, export."""
