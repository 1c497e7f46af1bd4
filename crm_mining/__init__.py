"""A dbt and Python warehouse for customer data: the typed library behind its Python models, and its tools."""

__all__: list[str] = []
