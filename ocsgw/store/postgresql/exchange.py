"""Statements on their way to PostgreSQL: as many as there are in one message, and one wait for all their answers.

The driver's own cursors send and wait for each statement of a pipeline by itself, which costs a batch more than the
statements do; so libpq is used as it is, by the driver's module for that.
"""

import re
import select
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult

from ocsgw.store.dialect import Parameters

_PARAMETER = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|::|:([a-z_]+)|\?""")
# So often a statement is carried out before it is prepared; so many are kept, and so many counted.
_PREPARED_AFTER = 5
_MOST_PREPARED = 200
_MOST_COUNTED = 2000
_FAILED = frozenset({ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE})
# What is not a statement of the caller's.
_OURS = -1

Statement = tuple[str, Parameters]


class Adapted(NamedTuple):
    """A statement as it is sent; `values` is None without parameters."""

    text: bytes
    values: Sequence[Buffer | None] | None = None
    types: Sequence[int] = ()
    formats: Sequence[int] = ()


@lru_cache(maxsize=8192)
def numbered(text: str) -> tuple[bytes, tuple[str, ...]]:
    """Return a statement with its parameters written as the database wants them, and their names in that order.

    Those that are written `?` have none.
    """
    names: dict[str, int] = {}
    places = 0

    def one(match: re.Match[str]) -> str:
        nonlocal places
        if match[1] is not None:
            return f"${names.setdefault(match[1], len(names) + 1)}"
        if match[0] == "?":
            places += 1
            return f"${places}"
        return match[0]

    return _PARAMETER.sub(one, text).encode(), tuple(names)


class Exchange:
    """Carries statements out on a connection of the driver; it keeps them prepared if it `prepares`.

    `failed_at` is the place of the statement that failed in the last exchange, None where the connection or the session
    did, of which nobody knows how far it came; `is_sending` is whether something waits for room to be sent.
    """

    def __init__(self, raw: "psycopg.Connection[Any]", *, prepares: bool) -> None:
        self._raw = raw
        self._libpq = raw.pgconn
        self._adapter = Transformer.from_context(raw)
        self._prepares = prepares
        self._uses: dict[tuple[bytes, Sequence[int]], int] = {}
        self._prepared: dict[tuple[bytes, Sequence[int]], bytes] = {}
        self._number = 0
        self._readable = select.poll()
        self._readable.register(self._libpq.socket, select.POLLIN)
        self._ready = select.poll()
        self._ready.register(self._libpq.socket, select.POLLIN | select.POLLOUT)
        self.failed_at: int | None = None
        # Of the exchange under way: what was prepared before it, the places of its statements, and their answers.
        self._known = self._prepared
        self._places: list[int] = []
        self._answers: list[PGresult] = []
        self.is_sending = False

    def is_stale(self) -> bool:
        """Whether the other end has closed the connection while nobody used it."""
        try:
            while self._readable.poll(0):
                self._libpq.consume_input()
        except psycopg.Error:
            return True
        return self._libpq.status != ConnStatus.OK

    def adapted(self, statements: Sequence[Statement]) -> list[Adapted]:
        """Return statements as they are sent. Raises `psycopg.DataError` or `UnicodeEncodeError` for odd texts."""
        return [self._adapted(text, parameters) for text, parameters in statements]

    def carry_out(self, statements: Sequence[Adapted]) -> PGresult:
        """Carry statements out and return the result of the last one; what stands behind one that fails is not.

        One alone that has no parameters may be several in one text. Raises `psycopg.Error`.
        """
        self.failed_at = None
        if len(statements) == 1 and statements[0].values is None:
            self._libpq.send_query(statements[0].text)
            return self._answered()
        self.begin(statements)
        is_done = False
        while not is_done:
            (self._ready if self.is_sending else self._readable).poll()
            is_done = self.proceed()
        return self.result()

    # The same in steps, for those who wait for more than one connection.

    def begin(self, statements: Sequence[Adapted]) -> None:
        """Send statements as far as that goes at once; `proceed` does the rest. Raises `psycopg.Error`."""
        self.failed_at = None
        self._known = dict(self._prepared)
        self._answers, self._places = [], []
        try:
            self._libpq.enter_pipeline_mode()
            for at, (text, values, types, formats) in enumerate(statements):
                name = self._name_of(text, types, self._places) if values is not None and self._prepares else None
                if name is not None:
                    self._libpq.send_query_prepared(name, values, formats)
                else:
                    self._libpq.send_query_params(text, values, types, formats)
                self._places.append(at)
            self._libpq.pipeline_sync()
            self.is_sending = bool(self._libpq.flush())
        except psycopg.Error:
            self._failed()
            raise

    def proceed(self) -> bool:
        """Send and read what there is, without waiting; return whether all answers are there.

        Raises `psycopg.Error` where the connection is lost.
        """
        libpq = self._libpq
        try:
            libpq.consume_input()
            if self.is_sending:
                self.is_sending = bool(libpq.flush())
            while not libpq.is_busy():
                answer = libpq.get_result()
                if answer is None:
                    if libpq.status != ConnStatus.OK:
                        raise psycopg.OperationalError(libpq.get_error_message())
                elif answer.status == ExecStatus.PIPELINE_SYNC:
                    return True
                else:
                    self._answers.append(answer)
        except psycopg.Error:
            self._failed()
            raise
        except BaseException:
            # In the middle of an answer nothing else can be asked.
            self._raw.close()
            raise
        return False

    def result(self) -> PGresult:
        """Return the result of the last statement once all answers are there. Raises `psycopg.Error`."""
        try:
            for at, answer in enumerate(self._answers):
                if answer.status in _FAILED:
                    # A session that is cancelled when all has been carried out answers once more.
                    self.failed_at = self._places[at] if at < len(self._places) else None
                    raise error_from_result(answer, self._raw.info.encoding)
            self._libpq.exit_pipeline_mode()
        except psycopg.Error:
            self._failed()
            raise
        return self._answers[-1]

    def _failed(self) -> None:
        # Nobody knows which of the new ones are there: they get other names.
        self._prepared = self._known
        if self._libpq.status == ConnStatus.OK:
            self._libpq.exit_pipeline_mode()

    def _adapted(self, text: str, parameters: Parameters) -> Adapted:
        body, names = numbered(text)
        if not parameters:
            return Adapted(body)
        values = [parameters[name] for name in names] if isinstance(parameters, Mapping) else parameters
        adapter = self._adapter
        dumped = adapter.dump_sequence(values, [PyFormat.AUTO] * len(values))
        return Adapted(body, dumped, adapter.types or (), adapter.formats or ())

    def _name_of(self, text: bytes, types: Sequence[int], places: list[int]) -> bytes | None:
        """Return the name of a prepared statement, with what has to be sent before it; None for one that is rare."""
        key = (text, types)
        name = self._prepared.pop(key, None)
        if name is None:
            if len(self._uses) >= _MOST_COUNTED:
                self._uses.clear()
            uses = self._uses[key] = self._uses.get(key, 0) + 1
            if uses <= _PREPARED_AFTER:
                return None
            self._number += 1
            name = f"ocsgw_{self._number}".encode()
            self._libpq.send_prepare(name, text, types)
            places.append(_OURS)
            if len(self._prepared) >= _MOST_PREPARED:
                oldest = self._prepared.pop(next(iter(self._prepared)))
                self._libpq.send_query_params(b"DEALLOCATE " + oldest, None)
                places.append(_OURS)
        # The one that was used last is the last to be forgotten.
        self._prepared[key] = name
        return name

    def _answered(self) -> PGresult:
        """Wait for all answers to one text of statements without parameters; return the last one."""
        libpq = self._libpq
        try:
            while libpq.flush():
                self._ready.poll()
                libpq.consume_input()
            answers: list[PGresult] = []
            while (answer := self._next()) is not None:
                answers.append(answer)
        except psycopg.Error:
            # The connection is lost.
            raise
        except BaseException:
            # In the middle of an answer nothing else can be asked.
            self._raw.close()
            raise
        # The first one that failed is the last one.
        if answers[-1].status in _FAILED:
            self.failed_at = 0
            raise error_from_result(answers[-1], self._raw.info.encoding)
        return answers[-1]

    def _next(self) -> PGresult | None:
        libpq = self._libpq
        while libpq.is_busy():
            self._readable.poll()
            libpq.consume_input()
        return libpq.get_result()
