"""A store that a copy is filling: until it is whole, it says so itself, and nobody serves it.

It has this word in place of the revision of its tables, which stands behind all revisions: versions of ocsgw that know
nothing of copies refuse it as well.
"""

import shlex
from collections.abc import Callable, Sequence
from typing import Any

UNFINISHED = "unfinished copy"
# The one row of this table has how far the copy has come.
COPY_TABLE = "ocsgw_copy"
MAKE_COPY_TABLE = (
    f"CREATE TABLE {COPY_TABLE} (id INTEGER NOT NULL PRIMARY KEY, owner TEXT NOT NULL, source TEXT NOT NULL,"
    " target TEXT NOT NULL, progress TEXT NOT NULL)"
)


def refusal(where: str, rows: Callable[[str], Sequence[Sequence[Any]]]) -> str:
    """Return why a store that is an unfinished copy cannot be used, and what to do; `rows` asks the store."""
    ((source, target),) = rows(f"SELECT source, target FROM {COPY_TABLE}")
    return (
        f"the store {where} is an unfinished copy of {source}, and only a whole one can be used; finish it with:"
        f" ocsctl -c FILE store copy {shlex.quote(source)} {shlex.quote(target)}"
    )
