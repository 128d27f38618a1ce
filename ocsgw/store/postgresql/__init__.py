"""PostgreSQL, 14 or later, as the store."""
