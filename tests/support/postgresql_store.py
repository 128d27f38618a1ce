"""Stores on the PostgreSQL server of the tests."""

import itertools
import os
from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.config.part import Secret
from tests.support.postgresql import PASSWORD, shared_postgresql

_numbers = itertools.count(1)
_PASSWORD = Secret(PASSWORD)


@dataclass(frozen=True)
class PostgreSQLSettings:
    """Section `[store]` for a database."""

    url: str
    password_file: Secret | None = _PASSWORD
    create: bool = True
    create_indexes: bool = True
    connect_timeout: float = 10.0
    prepared_statements: bool = False
    writers: int = 0
    kind: str = "postgresql"
    file: str | None = None


def new_database(test: SynchronousTestCase, options: str = "", template: str = "template0") -> str:
    """Make a database for a test, as a copy of another one, and return its address; it is removed afterwards."""
    server = shared_postgresql()
    name = f"t{os.getpid()}_{next(_numbers)}"
    server.query(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {options}')
    test.addCleanup(server.drop_database, name)
    return server.url(name)
