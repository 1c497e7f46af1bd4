"""Segments that keep their key and name from one as-of date to the next."""
