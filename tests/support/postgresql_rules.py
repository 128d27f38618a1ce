"""Rules on tables of other programs in a real PostgreSQL database, for tests that were written for a file."""

import atexit
import functools
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg

from ocsgw.contact.batch import Outcome, may_share
from ocsgw.contact.directory import Directory
from ocsgw.contact.opening import prepare
from ocsgw.contact.transaction import NotAloneError, Transaction
from ocsgw.contact.unit_of_work import PendingRequest, Unfinished, UnitOfWork
from ocsgw.store.errors import ConflictError
from ocsgw.store.lease import PairMember
from ocsgw.store.postgresql.engine import PostgreSQLEngine
from tests.support.postgresql import PASSWORD, shared_postgresql
from tests.support.postgresql_store import PostgreSQLSettings, new_database
from tests.support.reports import unreported
from tests.support.rules import RuleStore, RuleTestCase, make_directory

T = TypeVar("T")

# Statements of tests name tables without quotes, which PostgreSQL would read in lower case.
_NAMES = re.compile(r'(?<!["\w])(CL_\w+)(?!["\w])')


@functools.cache
def _template() -> str:
    """Return the name of a database with our own tables and nothing else: to copy it is cheaper than to make them."""
    server, name = shared_postgresql(), f"rules{os.getpid()}"
    url = server.make_database(name)
    atexit.register(server.drop_database, name)
    engine = PostgreSQLEngine(PostgreSQLSettings(url), unreported)
    engine.open(make_directory(calling_lists=(), campaigns=(), groups=()))
    engine.close()
    server.query("DROP TABLE gsw_donotcall_list", name)
    return name


class PostgreSQLRuleStore(RuleStore):
    """A store in a database of its own, whose address is `file`."""

    def _open(self) -> None:
        settings = PostgreSQLSettings(self.file, create=self._options.get("create", True))
        self.store = self._new_engine(settings)  # type: ignore[assignment]  # of a file tests ask more
        self.store.open(self.directory)
        self.freed = self.chore(prepare)

    def _new_engine(self, settings: PostgreSQLSettings) -> PostgreSQLEngine:
        return PostgreSQLEngine(settings, self.reports)

    def chore(self, function: Callable[[UnitOfWork], T | Unfinished[T]]) -> T:
        """Do it, again where the database asks for that."""
        try:
            return super().chore(function)
        except ConflictError:
            return self.chore(function)

    def execute(self, requests: Sequence[PendingRequest]) -> list[Outcome]:
        """Carry out a batch, again where the database asks for that."""
        try:
            return super().execute(requests)
        except ConflictError:
            return self.execute(requests)

    def sql(self, text: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement as another program would, on a connection of its own."""
        statement = _NAMES.sub(r'"\1"', text).replace("%", "%%").replace("?", "%s").encode()
        with psycopg.connect(self.file, password=PASSWORD, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description is not None else []

    def rows(self, table: str, order: str = "record_id") -> list[dict[str, Any]]:
        """Return the rows of a table as another program sees them."""
        if table == "gsw_donotcall_list":
            order = "ocsgw_number"
        with psycopg.connect(self.file, password=PASSWORD) as connection:
            cursor = connection.execute(
                f'SELECT * FROM "{table}" ORDER BY {order.replace("rowid", "record_id")} NULLS FIRST'.encode()
            )
            names = [each.name for each in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]


class SharedRuleStore(PostgreSQLRuleStore):
    """Such a store as one of several servers uses it: beside others where that may be, which is counted."""

    def _new_engine(self, settings: PostgreSQLSettings) -> PostgreSQLEngine:
        self.shared = 0
        self._alone = False
        return PostgreSQLEngine(settings, self.reports, member=PairMember("one", 60.0, 1.0, all_serve=True))

    @contextmanager
    def _transaction(self, requests: Sequence[PendingRequest]) -> Iterator[Transaction]:
        alone = self._alone or not may_share(requests)
        with self.store.transaction(1.0, alone=alone) as tx:
            yield tx
        self.shared += not alone

    def execute(self, requests: Sequence[PendingRequest]) -> list[Outcome]:
        """Carry out a batch, alone where it cannot be decided beside others."""
        try:
            return super().execute(requests)
        except NotAloneError:
            self._alone = True
            try:
                return super().execute(requests)
            finally:
                self._alone = False


class OnPostgreSQL(RuleTestCase):
    """Carries out the tests of a class on PostgreSQL; stands before that class."""

    store_type: type[PostgreSQLRuleStore] = PostgreSQLRuleStore

    def use_directory(self, directory: Directory, *, tables: Sequence[str] | None = None, **options: bool) -> None:
        """Begin anew with another directory; `tables` make what is there before. Nothing is made before it is used."""
        self._made: PostgreSQLRuleStore | None = None
        self._make = lambda: self._new_store(directory, tables or (), options)

    @property
    def store(self) -> PostgreSQLRuleStore:  # type: ignore[override]  # of the base class it is an attribute
        """The store in use."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def _new_store(
        self, directory: Directory, tables: Sequence[str], options: Mapping[str, bool]
    ) -> PostgreSQLRuleStore:
        url = new_database(self, template=_template())
        with psycopg.connect(url, password=PASSWORD, autocommit=True) as connection:
            for statement in tables:
                connection.execute(_NAMES.sub(r'"\1"', statement).encode())
        store = self.store_type(directory, url, **options)
        self.addCleanup(store.close)
        self.addCleanup(self._assert_no_defects, store)
        return store


class BesideOthers(OnPostgreSQL):
    """Carries out the tests of a class as one of several servers does; stands before that class."""

    store_type = SharedRuleStore
