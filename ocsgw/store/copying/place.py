"""One end of a copy: what it needs of a store, for every engine."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from ocsgw.contact.directory import CallingList, Directory
from ocsgw.store.copying.forms import Form
from ocsgw.store.tables import Declared

# The number of a do-not-call entry, which imports are undone by: a column on PostgreSQL, the row id on SQLite.
ENTRY_NUMBER = "ocsgw_number"
# Tables of our own that are copied, with the columns that name a row. Leases and what PostgreSQL notes of its commits
# are of one store alone.
OWN_KEYS = {
    "ocsgw_audit": ("id",),
    "ocsgw_contact_form": ("rules", "country", "contact"),
    "ocsgw_counter": ("name",),
    "ocsgw_delivery": ("number",),
    "ocsgw_group": ("dbid",),
    "ocsgw_handle": ("handle",),
    "ocsgw_handout": ("handout_id",),
    "ocsgw_idempotency": ("principal", "key"),
    "ocsgw_import": ("target", "fingerprint"),
    "ocsgw_import_rows": ("number", "first_row"),
    "ocsgw_outbox": ("number",),
    "ocsgw_spent_handle": ("handle",),
}
NOT_COPIED = frozenset({"ocsgw_batch", "ocsgw_lease", "ocsgw_news", "ocsgw_standby", "ocsgw_turn"})
# With a row in one of these a store is in use. The others get their first rows when a server starts.
IN_USE = frozenset(
    {
        "ocsgw_delivery",
        "ocsgw_handle",
        "ocsgw_handout",
        "ocsgw_idempotency",
        "ocsgw_import",
        "ocsgw_import_rows",
        "ocsgw_spent_handle",
    }
)


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """A table that is copied: of calling lists, of the do-not-call entries, or of our own (`key` names a row)."""

    name: str
    lists: tuple[CallingList, ...] = ()
    key: tuple[str, ...] = ()
    # Which rows of it are copied, as a condition; all without one.
    condition: str = ""

    @property
    def is_own(self) -> bool:
        """Whether it is one of our own."""
        return bool(self.key) and not self.lists and self.name in OWN_KEYS

    @property
    def has_entries(self) -> bool:
        """Whether it is the do-not-call table."""
        return not self.lists and not self.is_own


@dataclass(slots=True)
class Progress:
    """How far a copy has come: by table, how many rows are stored and their checksum. `owner` is who works at it."""

    source: str
    target: str
    owner: str
    tables: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def as_text(self) -> str:
        """The tables as text."""
        return json.dumps(self.tables)

    @classmethod
    def of(cls, owner: str, source: str, target: str, text: str) -> "Progress":
        """Return what was stored."""
        return cls(source, target, owner, {name: (rows, mark) for name, (rows, mark) in json.loads(text).items()})


class Place(Protocol):
    """A store that is open for a copy. Everything raises `StoreError` and `StoreFailureError`.

    `engine` is `sqlite` or `postgresql`, `shown` its name for people, `url` its address.
    """

    engine: str
    shown: str
    url: str

    def kind(self, table: str) -> str:
        """Return what stands behind the name of a table: "table", or what else it is."""

    def columns(self, table: CopiedTable) -> Mapping[str, Declared]:
        """Return the columns of a table that can be written, by their names in lower case; none without the table."""

    def form(self, kind: str) -> Form:
        """Return what a column of this type takes."""

    def type_for(self, kind: str, engine: str) -> str:
        """Return the type of a new column for values of one of this type in another engine."""

    def other_tables(self, tables: Sequence[CopiedTable]) -> list[str]:
        """Return the first names of tables of other programs beside these, in order."""

    def count(self, table: CopiedTable) -> int:
        """Return how many rows a table has."""

    def read(self, table: CopiedTable, columns: Sequence[Declared]) -> Iterator[list[tuple[object, ...]]]:
        """Yield all rows of a table, always in the same order."""

    def transaction(self, *, undo: bool = False) -> AbstractContextManager[None]:
        """Carry out what follows as a whole, or with `undo` only try it."""

    def make(self, table: CopiedTable, further: Mapping[str, str]) -> None:
        """Make the table of a list or of do-not-call entries, with further columns and their types."""

    def write(self, table: CopiedTable, columns: Sequence[Declared], rows: Sequence[tuple[object, ...]]) -> None:
        """Add rows. Raises `RefusedRowError`."""

    def empty(self, table: CopiedTable) -> None:
        """Delete all rows of a table."""

    def progress(self) -> Progress | None:
        """Return how far the copy into this store has come, None if there is no unfinished one."""

    def begin(self, progress: Progress) -> None:
        """Mark this store as an unfinished copy."""

    def save_progress(self, progress: Progress, *, before: str | None = None) -> None:
        """Store how far the copy has come. Raises `CopyError` if another process, not `before`, works at it."""

    def finish(self) -> None:
        """Mark this store as whole."""

    def numbers(self) -> dict[str, int]:
        """Return, by table, the highest number of rows that the engine has given out itself."""

    def set_numbers(self, numbers: Mapping[str, int]) -> None:
        """Let numbers go on behind these."""

    def open_tables(self, directory: Directory) -> dict[str, str]:
        """Open all tables as a server does, which makes their indexes; return why lists cannot be opened."""

    def close(self) -> None:
        """Close it."""


class RefusedRowError(Exception):
    """A table does not take a row, by its place among those that were given."""

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(reason)
        self.place = place
        self.reason = reason
