"""Who carries out work on lists: the running server, or `ocsctl` itself on a store that no server uses."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Protocol, TypeVar

from ocsgw.audit.file import AuditError, AuditFile
from ocsgw.audit.recorder import Auditor, not_audited
from ocsgw.catalog import directory_of
from ocsgw.contact.directory import Directory
from ocsgw.contact.transaction import StoreFailureError
from ocsgw.contact.unit_of_work import Unfinished, UnitOfWork
from ocsgw.control.client import ControlClient
from ocsgw.control.errors import UnreachableError
from ocsgw.ctl.errors import EXIT_UNAVAILABLE, CommandError
from ocsgw.ctl.installation import Installation
from ocsgw.ctl.store_at_rest import store_at_rest
from ocsgw.execution.guids import random_guid
from ocsgw.logs import MESSAGES
from ocsgw.operations.steps import OperationError, carry_out
from ocsgw.store.engine import Engine
from ocsgw.store.errors import CommitUnknownError, StoreError
from ocsgw.store.opening import open_store

# Another program may hold the store for so long (seconds).
_WAIT = 5.0
_DOING = {"work": "working on", "read": "reading"}

T = TypeVar("T")


class Operator(Protocol):
    """Carries out operations of `contact.operations`. Every method raises `CommandError`."""

    def send(self, name: str, **arguments: object) -> None:
        """Begin an operation; one is carried out after the other."""

    def receive(self) -> Any:
        """Return the result of the first operation whose result was not received yet."""

    def call(self, name: str, **arguments: object) -> Any:
        """Carry out an operation and return its result."""


class _Server:
    """The running server."""

    def __init__(self, client: ControlClient) -> None:
        self._client = client

    def send(self, name: str, **arguments: object) -> None:
        self._client.send("operation", name=name, arguments=arguments)

    def receive(self) -> Any:
        return self._client.receive()

    def call(self, name: str, **arguments: object) -> Any:
        self.send(name, **arguments)
        return self.receive()


class _Store:
    """A store that no server uses: nobody waits."""

    def __init__(self, store: Engine, directory: Directory, auditor: Auditor | None) -> None:
        self._store = store
        self._audited = auditor.batch if auditor is not None else not_audited
        self._directory = directory
        self._results: deque[Any] = deque()

    def send(self, name: str, **arguments: object) -> None:
        self._results.append(self.call(name, **arguments))

    def receive(self) -> Any:
        return self._results.popleft()

    def call(self, name: str, **arguments: object) -> Any:
        result = self._in_transaction(lambda unit: carry_out(unit, name, arguments))
        while isinstance(result, Unfinished):
            result = self._in_transaction(result.function)
        return result

    def _in_transaction(self, function: Callable[[UnitOfWork], T]) -> T:
        try:
            with self._audited() as record, self._store.transaction(_WAIT) as tx:
                unit = UnitOfWork(tx, int(time.time()), self._directory, random_guid)
                result = function(unit)
                unit.store_outbox()
                record(unit, (), ())
            return result
        except OperationError as error:
            raise CommandError(str(error)) from None
        except (StoreFailureError, CommitUnknownError) as error:
            raise CommandError(f"the store fails: {error}; try again", EXIT_UNAVAILABLE) from error


@contextmanager
def open_operator(installation: Installation, access: Literal["work", "read"] = "work") -> Iterator[Operator]:
    """Give the running server, or without one the store itself, and let the user know. Raises `CommandError`.

    With the access `read` nothing in the store and the audit log is touched.
    """
    try:
        client = installation.connect()
    except UnreachableError as error:
        reason = str(error)
    else:
        with client:
            yield _Server(client)
        return
    with _open_store(installation, reason, access) as operator:
        yield operator


def _report(number: int, /, **fields: object) -> None:
    sys.stderr.write(f"ocsctl: {MESSAGES[number][1].format(**fields)}\n")


@contextmanager
def _open_store(installation: Installation, unreachable: str, access: Literal["work", "read"]) -> Iterator[Operator]:
    config = installation.config
    try:
        file = store_at_rest(installation)
    except CommandError as error:
        raise CommandError(f"{unreachable}; and {error}", error.status) from None
    store = open_store(config.store, _report, access)
    directory = directory_of(config, config.application.dbid)
    auditor = None
    if config.audit.enabled and access == "work":
        auditor = Auditor(AuditFile(config.audit.file), time.time, clear=config.log.contacts == "clear")
    try:
        if auditor is not None:
            auditor.open()
        store.open(directory)
    except (AuditError, StoreError) as error:
        raise CommandError(f"{unreachable}; and {error}", EXIT_UNAVAILABLE) from error
    try:
        sys.stderr.write(f"ocsctl: no server runs; {_DOING[access]} the store {file} itself\n")
        yield _Store(store, directory, auditor)
    finally:
        store.close()
        if auditor is not None:
            auditor.close()
