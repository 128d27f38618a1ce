"""Reading tables by the grammar: unknown keys, spellings, types and defaults."""

from collections.abc import Mapping
from typing import Any, Final

from ocsgw.config.constants import RENAMED_KEYS, UNSUPPORTED_OPTIONS
from ocsgw.config.grammar import GRAMMAR
from ocsgw.config.positions import KeyPath
from ocsgw.config.problems import alternatives, canonical, quoted
from ocsgw.config.schema import REQUIRED, InvalidValueError, Key, Place, Table
from ocsgw.config.values import nearest, type_name

FEW: Final = 3
"""A key that is known in more tables than this says little about where it belongs."""


class Section:
    """One table of the file, read: values by canonical key, tables in it as sections.

    A key whose value is wrong or missing has no value, so that a rule about several keys first asks
    whether they are ``sound`` and stays silent about the consequences of what is reported already.
    """

    def __init__(self, table: Table, place: Place) -> None:
        self.table = table
        self.place = place
        self.values: dict[str, Any] = {}
        self.given: set[str] = set()
        """Keys that stand in the file and can be used."""
        self.spoiled: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.values[key] = value

    def sound(self, *keys: str) -> bool:
        """Return whether all these keys have a value that can be used."""
        return all(key in self.values for key in keys)

    def tables(self, key: str) -> "list[Section]":
        """Give the tables of this key: none, one or many."""
        value = self.values.get(key)
        return value if isinstance(value, list) else [] if value is None else [value]

    def problem(self, key: str | KeyPath, message: str, hint: str) -> None:
        """Report a problem of one of the keys, or of a place below."""
        below = (key,) if isinstance(key, str) else key
        self.place.report.problem(self.place.path + below, message, hint)

    def warn(self, key: str, message: str, hint: str) -> None:
        """Report something doubtful about one of the keys."""
        self.place.below(key).warn(message, hint)

    def spoil(self, key: str) -> None:
        """Mark a key as one that is reported already."""
        self.values.pop(key, None)
        self.spoiled.add(key)

    def inherit(self, other: "Section") -> None:
        """Take the keys from another table that are not given in this one (C36)."""
        for key, value in other.values.items():
            if key not in self.given and key not in self.spoiled:
                self.values[key] = value
        self.spoiled |= other.spoiled - self.given

    def fill(self) -> None:
        """Give every key that is not in the file its default; report those that have none."""
        for key, entry in self.table.keys.items():
            if key in self.values or key in self.spoiled:
                continue
            if isinstance(entry, Table):
                self[key] = self._absent(key, entry)
            elif entry.default is REQUIRED:
                self.problem(key, "is missing", f"add {key} = ... to this table")
            else:
                self[key] = None if entry.default is None else entry.read(entry.default, self.place.below(key))

    def _absent(self, key: str, entry: Table) -> Any:
        if entry.array:
            return []
        return None if entry.inherits else read_table({}, entry, self.place.below(key))


def read_table(data: Mapping[str, Any], table: Table, place: Place) -> Section:
    """Read one table and those in it; report everything that the grammar does not allow (C2, C4)."""
    section = Section(table, place)
    spellings: dict[str, str] = {}
    for spelling, value in data.items():
        key = canonical(spelling)
        if key in spellings:
            both = alternatives((quoted(spellings[key]), quoted(spelling)), "and")
            section.problem(key, f"is given twice, as {both}", "keep one of the two spellings")
            continue
        spellings[key] = spelling
        if key in table.keys:
            _read_entry(section, key, value)
        else:
            _report_unknown(section, key, value)
    if not table.inherits:
        section.fill()
    return section


def _read_entry(section: Section, key: str, value: Any) -> None:
    entry = section.table.keys[key]
    place = section.place.below(key)
    try:
        section[key] = entry.read(value, place) if isinstance(entry, Key) else _read_tables(value, entry, place)
        section.given.add(key)
    except InvalidValueError as invalid:
        section.spoil(key)
        for below, message, hint in invalid.issues:
            section.problem((key, *below), message, hint)


def _read_tables(value: Any, entry: Table, place: Place) -> Section | list[Section]:
    header = _header(place)
    if not entry.array:
        if not isinstance(value, dict):
            raise InvalidValueError(
                f"must be a table, not {type_name(value)}", f"write [{header}], with one pair of brackets"
            )
        return read_table(value, entry, place)
    if not isinstance(value, list) or not all(isinstance(element, dict) for element in value):
        raise InvalidValueError(
            f"must be an array of tables, not {type_name(value)}", f"write [[{header}]], with two pairs of brackets"
        )
    return [read_table(element, entry, place.below(index)) for index, element in enumerate(value)]


def _report_unknown(section: Section, key: str, value: Any) -> None:
    if key in UNSUPPORTED_OPTIONS:
        section.problem(key, "is a classic option that is not supported", UNSUPPORTED_OPTIONS[key])
        return
    header = _header(section.place)
    if (header, key) in RENAMED_KEYS:
        renamed = RENAMED_KEYS[header, key]
        hint = f"it is {quoted(renamed)} now; write that"
        if renamed == "calling_lists":
            hint = _calling_lists_of(section, value)
        section.problem(key, "is a key of an earlier version", hint)
        section.spoil(renamed)
        return
    known = section.table.keys
    meant = f"{key}_file" if f"{key}_file" in known else nearest(key, known)
    homes = _tables_with(key, section.table, _header(section.place)) or _tables_with(key, GRAMMAR)
    hints = []
    if meant is not None:
        hints.append(f"did you mean {quoted(meant)}?")
        if meant not in section.given:
            section.spoil(meant)  # that it is missing need not be reported as well
    if 0 < len(homes) <= FEW:
        hints.append(f"{quoted(key)} belongs in {alternatives(homes)}")
    hint = " ".join(hints) or f"known here: {', '.join(known)}"
    section.problem(key, "unknown table" if isinstance(value, dict) else "unknown key", hint)


def _calling_lists_of(section: Section, campaigns: Any) -> str:
    """Return what to write for the campaigns of a treatment, which belongs to calling lists now (C89)."""
    lists: dict[str, None] = {}
    for each in section.place.report.raw_tables("campaign"):
        named = each.get("name")
        of_campaign = each.get("calling_lists", each.get("calling-lists"))
        if isinstance(campaigns, list) and isinstance(named, str) and named in campaigns:
            lists |= dict.fromkeys(name for name in _listed(of_campaign) if isinstance(name, str))
    shown = f"calling_lists = [{', '.join(map(quoted, lists))}]" if lists else '"calling_lists"'
    return f"treatments belong to calling lists: write {shown}"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _tables_with(key: str, table: Table, header: str = "") -> list[str]:
    """Find the headers of the tables in a table, at any depth, that know the key."""
    found = []
    for name, entry in table.keys.items():
        if isinstance(entry, Table):
            inner = f"{header}.{name}" if header else name
            if key in entry.keys:
                found.append(f"[[{inner}]]" if entry.array else f"[{inner}]")
            found += _tables_with(key, entry, inner)
    return found


def _header(place: Place) -> str:
    return ".".join(part for part in place.path if isinstance(part, str))
