"""What a user says about an import: how the file is read, and what happens to rows that are there already."""

from dataclasses import dataclass
from typing import Literal

Duplicates = Literal["add", "skip", "replace", "update"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """The options of `ocsctl list import` by their names; None where the file itself is to say it.

    `map` has texts NAME=COLUMN. `duplicates` is None if the user is to be asked where there are many.
    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal: Literal["comma", "point"] | None = None
    map: tuple[str, ...] = ()
    duplicates: Duplicates | None = None
    ignore_unknown: bool = False
    partial: bool = False
    day_first: bool = False
    raw: bool = False
    strict_phones: bool = False
