"""Batches of added records whose statements need no answer: all of them, the commit included, are sent in one message.

Ids come from numbers that were reserved before. What has to be so is checked by the statements themselves: that nobody
else has used these ids, that keys are new, that nothing of the do-not-call table concerns the contacts, that every row
was inserted, and in a pair that the lease is ours. Otherwise one of them divides by zero and nothing is
changed; the batch is then carried out in the usual way, which asks. Nobody has to wait for the answers in a thread, so
several connections may be at work at a time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import msgspec

from ocsgw.contact.answer_statements import StoredAnswer
from ocsgw.contact.directory import CallingList
from ocsgw.contact.outbox import OutboxEntry
from ocsgw.contact.transaction import Admission, DncLookup, StoreFailureError
from ocsgw.store.dialect import Parameters, as_json
from ocsgw.store.engine import Report
from ocsgw.store.errors import NotPipelinedError
from ocsgw.store.open_tables import OpenTables
from ocsgw.store.outbox import OUTBOX_COLUMNS, OUTBOX_KINDS
from ocsgw.store.postgresql.exchange import Statement
from ocsgw.store.postgresql.numbers import AHEAD, Numbers
from ocsgw.store.postgresql.statements import used
from ocsgw.store.postgresql.transaction import COLUMN_TYPES, PostgreSQLDialect, PostgreSQLTransaction
from ocsgw.store.texts import DncStatements, ListStatements
from ocsgw.store.transaction import names_of_numbers, scope_of

_RAISE = (
    f"WITH raised AS (UPDATE ocsgw_counter AS c SET value = c.value + {AHEAD}"
    " FROM (SELECT value->>0 AS name, (value->>1)::bigint AS before FROM jsonb_array_elements(:ends::jsonb)) AS e"
    " WHERE c.name = e.name AND c.value = e.before RETURNING 1) SELECT 1 / (count(*) = :count)::int FROM raised"
)


# Whether keys are being used for the first time.
_NEW_KEYS = (
    f"SELECT 1 / (NOT EXISTS (SELECT 1 FROM ({PostgreSQLDialect().table(':keys', 'tt')}) AS k"
    " JOIN ocsgw_idempotency AS s ON s.principal = k.c0 AND s.key = k.c1 WHERE s.expires_at > :now))::int"
)


# One entry of the outbox, as usual batches have. Its counter was made in advance.
_VALUES = [
    f":{name}::{COLUMN_TYPES[kind]}" for name, kind in zip(OUTBOX_COLUMNS.split(", "), OUTBOX_KINDS, strict=True)
]
_APPEND_ENTRY = (
    "WITH outbox AS (UPDATE ocsgw_counter SET value = value + 1 WHERE name = 'outbox' RETURNING value),"
    f" added AS (INSERT INTO ocsgw_outbox (number, {OUTBOX_COLUMNS}) SELECT value, {', '.join(_VALUES)} FROM outbox"
    " RETURNING 1) SELECT 1 / count(*) FROM added"
)


@lru_cache(maxsize=1024)
def _check_text(text: ListStatements, do_not_call: DncStatements, *, with_probes: bool) -> str:
    """Return the statement that fails unless records may be added with their numbers, as they are.

    Without probes for the do-not-call table any entry in it is too much.
    """
    numbers = (
        used(text.table, "record_id", "record"),
        used(text.table, "chain_id", "chain"),
        used(text.table, "record_id", "chain", "chain_id IS NULL AND "),
    )
    blocked = f"EXISTS (SELECT 1 FROM {do_not_call.table})"
    if with_probes:
        blocked += f" AND ({do_not_call.any_beyond_ascii} OR EXISTS ({do_not_call.blocked}))"
    return f"SELECT 1 / (coalesce({', '.join(numbers)}) IS NULL AND NOT ({blocked}))::int"


@lru_cache(maxsize=1024)
def _insert_text(text: ListStatements) -> str:
    """Return the statement that inserts rows, and fails unless it has inserted all."""
    insert = text.insert.removesuffix("(?::jsonb)")
    return f"WITH added AS ({insert}(:rows::jsonb) RETURNING 1) SELECT 1 / (count(*) = :count)::int FROM added"


class _Statements:
    """In place of a connection: what needs no answer is kept, to be sent; what needs one cannot be carried out."""

    def __init__(self) -> None:
        self.kept: list[Statement] = []
        # Whether nobody asks how many rows a statement has changed.
        self.takes_changes = False

    def later(self, text: str, parameters: Parameters = ()) -> None:
        """Keep a statement."""
        self.kept.append((text, parameters))

    def rows(self, text: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Raise `NotPipelinedError`."""
        raise NotPipelinedError

    def row(self, text: str, parameters: Parameters = ()) -> tuple[Any, ...] | None:
        """Raise `NotPipelinedError`."""
        raise NotPipelinedError

    def change(self, text: str, parameters: Parameters = ()) -> int:
        """Keep a statement of which nobody asks how many rows it changes. Raises `NotPipelinedError`."""
        if not self.takes_changes:
            raise NotPipelinedError
        self.kept.append((text, parameters))
        return 0


class PipelinedTransaction(PostgreSQLTransaction):
    """One such transaction. Raises `NotPipelinedError` for everything but adding records; nothing was sent then.

    `wanted` gets the lists of which too few numbers are reserved.
    """

    def __init__(self, tables: OpenTables, report: Report, numbers: Numbers, wanted: list[CallingList]) -> None:
        self._kept = _Statements()
        super().__init__(self._kept, tables, report, "")  # type: ignore[arg-type]  # what is a connection here
        self._numbers = numbers
        self._raises: dict[str, int] = {}
        self._wanted = wanted

    @property
    def statements(self) -> Sequence[Statement]:
        """What is to be sent once the transaction is complete."""
        return self._kept.kept

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Whatever fails is carried out in the usual way."""
        try:
            yield
        except StoreFailureError:
            raise
        except Exception as error:
            raise NotPipelinedError from error

    def stored_answers(self, keys: Sequence[tuple[str, str]], now: int) -> dict[tuple[str, str], StoredAnswer]:
        """Return nothing: that there are no answers is checked by a statement."""
        self._kept.later(_NEW_KEYS, {"keys": as_json(keys), "now": now})
        return {}

    def store_answers(self, answers: Mapping[tuple[str, str], StoredAnswer]) -> None:
        """Store answers."""
        self._kept.takes_changes = True
        super().store_answers(answers)
        self._kept.takes_changes = False

    def before_adding(
        self, calling_list: CallingList, count: int, lookups: Callable[[], Sequence[DncLookup]], now: int
    ) -> Admission:
        """Return reserved numbers; that nothing is blocked is checked by a statement."""
        text = self._text_of(calling_list)
        names = tuple(names_of_numbers(calling_list).values())
        taken = self._numbers.take(names, count)
        if taken is None:
            if calling_list not in self._wanted:
                self._wanted.append(calling_list)
            raise NotPipelinedError
        record_id, chain_id = taken
        parameters: dict[str, object] = {"record": record_id, "chain": chain_id, "count": count}
        with_probes = self._tables.has_entries is not False
        if with_probes:
            parameters.update(scope_of(calling_list, now), probes=as_json(lookups()))
        self._kept.later(_check_text(text, self._do_not_call_text(), with_probes=with_probes), parameters)
        low = self._numbers.low(names)
        if low:
            self._numbers.raising(low)
            self._raises.update(low)
            self._kept.later(_RAISE, {"ends": as_json(list(low.items())), "count": len(low)})
        return Admission(record_id, chain_id, set())

    def _insert(self, calling_list: CallingList, text: ListStatements, rows: Sequence[Sequence[object]]) -> int:
        self._kept.later(_insert_text(text), {"rows": as_json(rows), "count": len(rows)})
        return len(rows)

    def append_outbox(self, entries: Sequence[OutboxEntry]) -> None:
        """Store entries behind all others, in their order."""
        if len(entries) == 1:
            values = msgspec.structs.asdict(entries[0])
            self._kept.later(_APPEND_ENTRY, {name: values[name] for name in OUTBOX_COLUMNS.split(", ")})
        else:
            super().append_outbox(entries)

    def _note_numbers(self, table: str, record_id: int, chain_id: int) -> None:
        """What was inserted has reserved numbers, which the counters know."""

    def settled_numbers(self, *, committed: bool) -> None:
        """The transaction has been committed, or will never be."""
        self._numbers.raised(self._raises, committed=committed)
