"""Why a store cannot be copied."""

from dataclasses import dataclass

from ocsgw.store.errors import StoreError


class CopyError(StoreError):
    """A store cannot be copied as it is, or not into the other one; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Unstorable:
    """One value, or row, that the target cannot store. `column` is empty if it is the row as a whole."""

    table: str
    row: str
    column: str
    reason: str

    def __str__(self) -> str:
        column = f", column {self.column}" if self.column else ""
        return f"table {self.table}, {self.row}{column}: {self.reason}"


class UnstorableError(CopyError):
    """There are values that the target cannot store. `found` are the first of them, `count` is how many there are."""

    def __init__(self, found: list[Unstorable], count: int) -> None:
        super().__init__(f"{count} values cannot be stored in the target; the first is {found[0]}")
        self.found = found
        self.count = count
