"""Rows that a table refuses at the commit: a constraint or trigger of the site that is deferred until then."""

from collections.abc import Iterable

from ocsgw.contact.directory import CallingList
from ocsgw.contact.transaction import RefusedByTableError, UnstorableTextError
from ocsgw.store.engine import Report
from ocsgw.store.errors import UndoneTransactionError
from ocsgw.store.open_tables import OpenTables


class RefusedCommits:
    """The part of a transaction that says whose rows were refused."""

    _tables: OpenTables
    _report: Report
    # The lists of which rows were changed, in their order.
    _changed: dict[CallingList, None]

    def refuse_at_once(self) -> None:
        """Have what a table would refuse at the commit refused by the statement, as far as the store can."""

    def spare_savepoints(self) -> None:
        """Let `savepoint` cost nothing where what fails inside may undo the whole transaction; here nothing is spared.

        Then `RunFailedError` is raised, and the transaction has to be left.
        """

    def refused_at_commit(self, error: RefusedByTableError, table: str = "") -> UndoneTransactionError:
        """Return the error for a transaction that is undone because of its rows; the database may name the `table`.

        Where it names none, as for what a trigger raises, the list that was changed first is taken: a request that is
        carried out again on its own changes one as a rule.
        """
        if isinstance(error, UnstorableTextError):
            return UndoneTransactionError(error)
        calling_list = self._list_refusing(table)
        if calling_list is None:
            return UndoneTransactionError(RefusedByTableError(error.reason))
        return UndoneTransactionError(self._refused(calling_list, error.reason))

    def _list_refusing(self, table: str) -> CallingList | None:
        """Return the list that has refused a row, None for the do-not-call table."""
        named = _of_table(self._changed, table)
        if named is not None:
            return named
        entries = self._tables.do_not_call
        is_of_entries = bool(table) and entries is not None and _last_of(entries.table) == table
        return None if is_of_entries else next(iter(self._changed), None)

    def _refused(self, calling_list: CallingList, reason: str) -> RefusedByTableError:
        """Return the error for a row that a list refuses; a reason is reported once."""
        if self._tables.is_new_refusal(calling_list, reason):
            self._report(93131, table=calling_list.table, reason=reason)
        return RefusedByTableError(reason, calling_list.name)


def _of_table(lists: Iterable[CallingList], table: str) -> CallingList | None:
    return next((each for each in lists if table and _last_of(each.table) == table), None)


def _last_of(name: str) -> str:
    """Return the name of a table without its schema."""
    return name.rpartition(".")[2].strip('"')


def is_ours(table: str) -> bool:
    """Whether a table is one of ours, which refuse nothing because of a request."""
    return table.startswith("ocsgw_")
