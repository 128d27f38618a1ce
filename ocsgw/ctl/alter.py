"""Columns that the table of a calling list lacks: `list alter`."""

import argparse
import sqlite3
import sys

from ocsgw.catalog import directory_of
from ocsgw.contact.directory import CallingList
from ocsgw.control.errors import UnreachableError
from ocsgw.ctl.errors import EXIT_FAILURE, EXIT_UNAVAILABLE, CommandError
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.output import print_json
from ocsgw.ctl.store_at_rest import check_revision, opened, store_file
from ocsgw.operations.errors import OperationError, list_named


def alter_list(installation: Installation, arguments: argparse.Namespace) -> int:
    """Print the SQL that adds missing columns, ask, and carry it out."""
    calling_list, file = _list_of(installation, arguments.list)
    statements = _statements(file, calling_list)
    if arguments.json:
        if statements and arguments.yes and not arguments.dry_run:
            _carry_out(file, statements)
        print_json({"statements": statements, "done": bool(statements) and arguments.yes and not arguments.dry_run})
        return 0
    if not statements:
        print(f"the table {calling_list.table} has every column that the calling list {calling_list.name} needs")
        return 0
    for each in statements:
        print(f"{each};")
    if arguments.dry_run:
        return 0
    if not arguments.yes and not _agreed():
        sys.stderr.write("nothing was changed; --yes carries it out\n")
        return EXIT_FAILURE
    _carry_out(file, statements)
    print(f"{len(statements)} columns added" if len(statements) > 1 else "1 column added")
    if _is_served(installation):
        print("ocsctl reload lets the server open the list")
    return 0


def statements_for(installation: Installation, name: str) -> list[str]:
    """Return the SQL that adds the columns which the table of a calling list lacks. Raises `CommandError`."""
    calling_list, file = _list_of(installation, name)
    return _statements(file, calling_list)


def _list_of(installation: Installation, name: str) -> tuple[CallingList, str]:
    config = installation.config
    try:
        calling_list = list_named(directory_of(config, config.application.dbid), name)
    except OperationError as error:
        raise CommandError(str(error)) from None
    file = store_file(installation)
    check_revision(file)
    return calling_list, file


def _statements(file: str, calling_list: CallingList) -> list[str]:
    """Return what adds the missing columns. Raises `CommandError` for a table that cannot be mended so."""
    from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - SQLAlchemy is slow to import

    from ocsgw.store.schema import add_column_statements  # noqa: PLC0415 - SQLAlchemy is slow to import

    schema, _, name = calling_list.table.rpartition(".")
    try:
        with opened(file) as connection:
            there = {
                str(row[0]).lower()
                for row in connection.execute("SELECT name FROM pragma_table_info(?, ?)", (name, schema or "main"))
            }
            kind = connection.execute(
                "SELECT type FROM sqlite_master WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')", (name,)
            ).fetchone()
    except sqlite3.Error as error:
        raise CommandError(f"the store {file} cannot be read: {error}", EXIT_UNAVAILABLE) from None
    if not there:
        raise CommandError(f"there is no table {calling_list.table}; with [store] create = true the server makes it")
    if kind is not None and kind[0] == "view":
        raise CommandError(f"{calling_list.table} is a view; add the columns to its definition")
    for required in ("record_id", "chain_id", "chain_n"):
        if required not in there:
            raise CommandError(
                f"the table {calling_list.table} has no column {required}, which cannot be added to rows that are "
                "there; export what you need of it and import that into a new list"
            )
    return add_column_statements(calling_list, there, sqlite.dialect())


def _agreed() -> bool:
    """Ask on the terminal; without one the answer is no."""
    if not sys.stdin or not sys.stdin.isatty():
        return False
    sys.stderr.write("carry this out? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _carry_out(file: str, statements: list[str]) -> None:
    try:
        with opened(file) as connection:
            connection.execute("BEGIN IMMEDIATE")
            for each in statements:
                connection.execute(each)
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise CommandError(f"nothing was changed: {error}", EXIT_UNAVAILABLE) from None


def _is_served(installation: Installation) -> bool:
    try:
        with installation.connect():
            return True
    except UnreachableError:
        return False
