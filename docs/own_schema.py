"""Writes the tables of our own that a new SQLite file gets, from the migrations: `make schema`."""

import contextlib
import pathlib
import sqlite3
import tempfile

from ocsgw.store.migrations.__main__ import upgrade

MODULE = pathlib.Path(__file__).parents[1] / "ocsgw" / "store" / "sqlite" / "own_schema.py"
_HEAD = '''"""The tables of our own that a new file gets. Generated from the migrations by `make schema`."""

SCRIPT = """\\
'''


def made_module() -> str:
    """Return the text of the module with the migrations of today."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(pathlib.Path(folder) / "store")
        upgrade(file)
        with contextlib.closing(sqlite3.connect(file)) as connection:
            statements = [line.replace(", \n", ",\n") for line in connection.iterdump()]
    # The transaction is that of whoever makes the tables; there are no numbers in use yet.
    kept = [each for each in statements if each.startswith(("CREATE", "INSERT")) and "sqlite_sequence" not in each]
    return _HEAD + "\n".join(kept) + '\n"""\n'


if __name__ == "__main__":
    MODULE.write_text(made_module(), encoding="utf-8")
