"""What is copied: which tables, which of their columns, and what has to be made in the target for them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ocsgw.contact.directory import CallingList, Directory
from ocsgw.store.copying.errors import CopyError
from ocsgw.store.copying.forms import Form
from ocsgw.store.copying.place import ENTRY_NUMBER, OWN_KEYS, CopiedTable, Place
from ocsgw.store.tables import Declared

_OF_LISTS = "number IN (SELECT number FROM ocsgw_import WHERE target LIKE 'list %')"
_MOST_NAMES = 10


@dataclass(frozen=True, slots=True)
class PlannedTable:
    """A table with its columns in both stores, in the same order, and what those of the target take.

    `further` are the columns that a new table in the target gets besides its own, with their types, None where the
    table is there. `count` is how many rows it has.
    """

    table: CopiedTable
    source: tuple[Declared, ...]
    target: tuple[Declared, ...]
    forms: tuple[Form, ...]
    further: Mapping[str, str] | None
    count: int

    @property
    def name(self) -> str:
        """The name of the table, as configured."""
        return self.table.name


@dataclass(slots=True)
class Plan:
    """All tables that are copied, and, in words, what is not."""

    tables: list[PlannedTable] = field(default_factory=list)
    not_copied: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(each.count for each in self.tables)


def copied_tables(directory: Directory) -> list[CopiedTable]:
    """Return the tables of a configuration and our own."""
    lists: dict[str, list[CallingList]] = {}
    for each in directory.calling_lists:
        lists.setdefault(each.table, []).append(each)
    return [
        *(CopiedTable(name, tuple(of_table)) for name, of_table in lists.items()),
        CopiedTable(directory.do_not_call.table),
        *(CopiedTable(name, key=key) for name, key in OWN_KEYS.items()),
    ]


def make_plan(source: Place, target: Place, directory: Directory) -> Plan:
    """Return what is to be done; nothing is changed. Raises `CopyError` where that cannot be."""
    plan = Plan()
    tables = copied_tables(directory)
    with target.transaction(undo=True):
        for table in tables:
            _plan_table(plan, source, target, table)
    others = source.other_tables(tables)
    if others:
        more = f" and {len(others) - _MOST_NAMES} more" if len(others) > _MOST_NAMES else ""
        plan.not_copied.append(f"tables of other programs: {', '.join(others[:_MOST_NAMES])}{more}")
    return plan


def _plan_table(plan: Plan, source: Place, target: Place, table: CopiedTable) -> None:
    columns = source.columns(table)
    kind = source.kind(table.name)
    if not columns or kind != "table":
        reason = f"is a {kind}" if columns else "is not in the source"
        plan.not_copied.append(f"the table {table.name}, which {reason}")
        return
    there = target.columns(table)
    further = None
    if not there and table.is_own:
        # Only to try: the target has none of our own tables yet.
        there = {
            name: Declared(each.name, target.type_for(each.kind, source.engine), each.may_be_null)
            for name, each in columns.items()
        }
    elif not there:
        further = {
            each.name: target.type_for(each.kind, source.engine)
            for each in columns.values()
            if each.name != ENTRY_NUMBER
        }
        target.make(table, further)
        there = target.columns(table)
    if (kind := target.kind(table.name)) != "table":
        raise CopyError(f"{table.name} is a {kind} in {target.shown}; a copy goes into tables only")
    names = _common(columns, there, table, target, plan)
    if table.name == "ocsgw_import_rows" and not _keeps_numbers(plan):
        table = CopiedTable(table.name, key=table.key, condition=_OF_LISTS)
        plan.not_copied.append(
            "which do-not-call entries came from which import, so that those imports cannot be undone: entries have no"
            " numbers in one of the tables"
        )
    plan.tables.append(
        PlannedTable(
            table,
            tuple(columns[name] for name in names),
            tuple(there[name] for name in names),
            tuple(target.form(there[name].kind) for name in names),
            further,
            source.count(table),
        )
    )


def _common(
    columns: Mapping[str, Declared], there: Mapping[str, Declared], table: CopiedTable, target: Place, plan: Plan
) -> list[str]:
    """Return the columns that are copied. Raises `CopyError` if one of the source would be lost."""
    missing = [each.name for name, each in columns.items() if name not in there and name != ENTRY_NUMBER]
    if missing:
        raise CopyError(
            f"the table {table.name} in {target.shown} lacks the columns {', '.join(missing)} of the source; add them"
            " there, or drop them in the source"
        )
    needed = [each.name for name, each in there.items() if name not in columns and each.must_be_given]
    if needed:
        raise CopyError(
            f"the table {table.name} in {target.shown} has the columns {', '.join(needed)}, which must have a value and"
            " have no default; give them one, or let them be NULL"
        )
    return [name for name in columns if name in there]


def _keeps_numbers(plan: Plan) -> bool:
    """Whether do-not-call entries have the same numbers in both stores."""
    return all(
        ENTRY_NUMBER in {column.name for column in each.source} for each in plan.tables if each.table.has_entries
    )


def tables_in_target(target: Place, directory: Directory) -> Iterator[CopiedTable]:
    """Yield those tables of a configuration that are in the target."""
    for table in copied_tables(directory):
        if target.columns(table):
            yield table
