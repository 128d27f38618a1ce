"""The names of the counters of a list in `ocsgw_counter`: they begin with its table, so that they lie together."""


def record_counter(table: str) -> str:
    """Return the name of the counter of record ids."""
    return f"{table} record"


def chain_counter(table: str) -> str:
    """Return the name of the counter of chain ids."""
    return f"{table} chain"
