"""Rows of a slice of an import on their way from texts to records."""

from dataclasses import dataclass, field

from ocsgw.contact.directory import CallingList
from ocsgw.contact.fields import FieldValue
from ocsgw.contact.transaction import Admission, NewRecord
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.operations.cells import LocalTime
from ocsgw.operations.header import CLASSIC_COLUMNS
from ocsgw.operations.verdicts import RowVerdict

# The values of a row: the classic columns, then the custom ones, then what is read but not kept.
Values = list[FieldValue | LocalTime | None]

CONTACT, TYPE, DUE, LAST_CALL, ZONE, CHAIN = (
    CLASSIC_COLUMNS.index(name)
    for name in ("contact_info", "record_type", "dial_sched_time", "call_time", "tz_dbid", "chain_id")
)
# Record types that need a time (http.md section 10.1).
SCHEDULED = frozenset({3, 4, 5, 6})
NUMBERS_OF_LIST = frozenset({"record_id", "chain_id", "chain_n"})


@dataclass(slots=True, eq=False)
class Draft:
    """A row that passed the checks without the store, and its place in the slice.

    `replaces` is the record whose place it takes, `contact` the normal form of its contact, `warning` what is doubtful
    about it. `given` are the places of the values that the row has, where only those are to be written; else None.
    """

    at: int
    record: NewRecord
    chain: int | None
    warning: str = ""
    contact: str = ""
    is_blocked: bool = False
    replaces: int | None = None
    given: set[int] | None = None


@dataclass(slots=True)
class Slice:
    """The rows of one slice on their way."""

    unit: UnitOfWork
    calling_list: CallingList
    verdicts: list[RowVerdict | None]
    drafts: list[Draft] = field(default_factory=list)
    admission: Admission = field(default_factory=lambda: Admission(0, 0, set()))

    def refuse(self, at: int, reason: str) -> None:
        """Refuse a row."""
        self.verdicts[at] = RowVerdict("refused", reason)

    def drop(self, draft: Draft, reason: str) -> None:
        """Refuse a row that had passed the checks without the store."""
        self.refuse(draft.at, reason)
        self.drafts = [each for each in self.drafts if each is not draft]
