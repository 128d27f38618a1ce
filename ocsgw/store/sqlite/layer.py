"""The layer between SQLite and the file system that writes the log of a transaction in one piece.

Without compiled parts, or where SQLite cannot be reached, SQLite's own is used: the files are the same.
"""

import _sqlite3
import contextlib
import os
import sqlite3
from functools import cache
from urllib.parse import quote

from ocsgw import speedups


def address(file: str) -> str:
    """Return the URI by which a file is opened, with the layer where there is one."""
    path = f"file://{quote(os.fsencode(os.path.abspath(file)))}"
    return f"{path}?vfs=ocsgw" if is_there() else path


@cache
def is_there() -> bool:
    """Whether connections of this process can have the layer."""
    if not speedups.is_used():
        return False
    from ocsgw.speedups.wal import register  # noqa: PLC0415 - as `speedups` says

    # The driver knows its SQLite, which need not be the only one in the process; some have it in the program itself.
    library = getattr(_sqlite3, "__file__", None)
    if not register(os.fsencode(library) if library is not None else None):
        return False
    with contextlib.suppress(sqlite3.Error):
        sqlite3.connect("file:?mode=memory&vfs=ocsgw", uri=True).close()
        return True
    return False
