"""Contacts of a file that its calling list has already: counted before anything is changed."""

from collections.abc import Iterable, Iterator, Sequence

from ocsgw.files.csv_files import NumberedRow

# So many contacts are asked about at once.
_CONTACTS = 1000
# More than every hundredth row whose contact is there already is no accident; a single one may be, in a longer file.
_FEW = 100
# It is not counted further than to this number.
_ENOUGH = 100_000

# Numbers of rows with their contacts.
Contacts = list[tuple[int, str]]


class KnownContacts:
    """Counts them; `contact_at` is the column with the contacts. Each slice is asked about, then `answered`."""

    def __init__(self, contact_at: int) -> None:
        self._contact_at = contact_at
        self._known = 0
        self.rows = 0
        self._example = ""

    @property
    def is_enough(self) -> bool:
        """Whether so many are known that no further one matters."""
        return self._known >= _ENOUGH

    def questions(self, rows: Iterable[NumberedRow]) -> Iterator[Contacts]:
        """Yield number and contact of the rows that can be read, so many at once."""
        slice_: Contacts = []
        for number, cells in rows:
            if isinstance(cells, str) or len(cells) <= self._contact_at:
                continue
            slice_.append((number, cells[self._contact_at]))
            if len(slice_) == _CONTACTS:
                yield slice_
                slice_ = []
        if slice_:
            yield slice_

    def answered(self, asked: Contacts, found: Sequence[tuple[int, int]]) -> None:
        """Count what the operation `known contacts` has found: places with the record that has the contact."""
        self.rows += len(asked)
        self._known += len(found)
        if found and not self._example:
            at, record_id = found[0]
            self._example = f"row {asked[at][0]} has that of record {record_id}"

    @property
    def are_few(self) -> bool:
        """Whether they may be there by accident."""
        return self._known * _FEW <= self.rows or (self._known == 1 and self.rows > 2 * self._known)

    def in_words(self) -> str:
        """Return how many there are, an empty text without any."""
        if not self._known:
            return ""
        rows = (
            f"{self._known} of {self.rows} rows have contacts"
            if self._known != 1
            else f"1 of {self.rows} rows has a contact"
        )
        return f"{rows} that the list has already ({self._example})"
