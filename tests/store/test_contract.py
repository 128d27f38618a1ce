"""The engines keep the promises of `tests.store.contract`."""

import os

from ocsgw.store.engine import Engine
from ocsgw.store.postgresql.engine import PostgreSQLEngine
from ocsgw.store.sqlite.engine import SQLiteEngine
from tests.store import contract
from tests.support.postgresql import PgBouncer, shared_postgresql
from tests.support.postgresql_store import PostgreSQLSettings, new_database
from tests.support.reports import unreported


class SQLiteTests(contract.EngineContract):
    """The embedded store."""

    def make_engine(self) -> Engine:
        """Return an engine on a file of its own."""
        return SQLiteEngine(os.path.join(self.mktemp(), "store.sqlite"), unreported)


class PostgreSQLTests(contract.EngineContract):
    """A database of its own on a real server."""

    def make_engine(self) -> Engine:
        """Return an engine on a database with nothing in it."""
        return PostgreSQLEngine(PostgreSQLSettings(new_database(self)), unreported)


class PgBouncerTests(contract.EngineContract):
    """The same by way of a pooler that gives each transaction another session."""

    def make_engine(self) -> Engine:
        """Return an engine on a database with nothing in it."""
        server = shared_postgresql()
        name = new_database(self).rpartition("/")[2]
        pooler = PgBouncer(server)
        self.addCleanup(pooler.remove)
        pooler.start()
        return PostgreSQLEngine(PostgreSQLSettings(server.url(name, pooler.port)), unreported)
