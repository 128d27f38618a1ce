"""The copy itself: planned, checked, carried out in pieces that a crash does not undo, and verified.

How far it has come stands in the target, and is stored together with the rows. Whoever goes on reads the source from
its beginning; if its first rows are still those that were stored, which their checksum says, they are not stored again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ocsgw.contact.directory import Directory
from ocsgw.store.copying.checksum import Checksum
from ocsgw.store.copying.errors import CopyError, Unstorable, UnstorableError
from ocsgw.store.copying.forms import UnfitError
from ocsgw.store.copying.place import IN_USE, Place, Progress, RefusedRowError
from ocsgw.store.copying.plan import Plan, PlannedTable, make_plan, tables_in_target

# So much is stored at once.
_ROWS, _BYTES = 10_000, 8 << 20
# So many values that cannot be stored are told one by one.
_MOST_FOUND = 100

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class CopiedRows:
    """How many rows of a table are in both stores, and their checksum."""

    table: str
    lists: tuple[str, ...]
    rows: int
    checksum: str


@dataclass(slots=True)
class Copied:
    """What was done. `closed` are the lists that cannot be opened in the target, with reasons."""

    tables: list[CopiedRows] = field(default_factory=list)
    not_copied: list[str] = field(default_factory=list)
    closed: dict[str, str] = field(default_factory=dict)


class Copy:
    """One copy. `owner` is a text of this process alone; `show` is told which part is done, and of how many rows."""

    def __init__(
        self, source: Place, target: Place, directory: Directory, owner: str, show: Callable[[float, int], None]
    ) -> None:
        self._source = source
        self._target = target
        self._directory = directory
        self._progress = Progress(source.url, target.url, owner)
        self._show = show
        # So often every row is gone through; how often it was, and how many rows there are.
        self._passes = 3
        self._handled = 0
        self._rows = 0

    def try_out(self) -> Copied:
        """See whether everything can be copied, and change nothing. Raises `StoreError`."""
        if self._target.progress() is None:
            self._expect_empty()
        plan = make_plan(self._source, self._target, self._directory)
        self._passes, self._rows = 1, plan.rows
        return Copied([_result(each, checksum) for each, checksum in self._check(plan)], plan.not_copied)

    def carry_out(self, *, anew: bool = False) -> Copied:
        """Copy everything, or what is missing of it; with `anew` from the beginning. Raises `StoreError`."""
        plan = self._begin(anew=anew)
        done = Copied(not_copied=plan.not_copied)
        for each in plan.tables:
            checksum = self._copy(each)
            self._verify(each, checksum)
            done.tables.append(_result(each, checksum))
        numbers = self._source.numbers()
        with self._target.transaction():
            self._target.set_numbers(numbers)
        done.closed = self._target.open_tables(self._directory)
        with self._target.transaction():
            self._target.save_progress(self._progress)
            self._target.finish()
        return done

    # Before.

    def _begin(self, *, anew: bool) -> Plan:
        found = self._target.progress()
        if found is None:
            self._expect_empty()
            plan = make_plan(self._source, self._target, self._directory)
            self._rows = plan.rows
            for _ in self._check(plan):
                pass
            with self._target.transaction():
                self._target.begin(self._progress)
                self._make(plan)
            return plan
        if found.source != self._progress.source and not anew:
            raise CopyError(
                f"{self._target.shown} is an unfinished copy of {found.source}; finish that one, or begin anew with"
                " --restart"
            )
        with self._target.transaction():
            self._target.save_progress(Progress("", "", self._progress.owner, found.tables), before=found.owner)
        plan = make_plan(self._source, self._target, self._directory)
        self._passes, self._rows = 2, plan.rows
        with self._target.transaction():
            self._make(plan, anew=anew)
            self._progress.tables = {} if anew else found.tables
            self._target.save_progress(self._progress)
        return plan

    def _make(self, plan: Plan, *, anew: bool = True) -> None:
        """Make what the target lacks, and with `anew` empty what it has."""
        for each in plan.tables:
            if each.further is not None:
                self._target.make(each.table, each.further)
            elif anew:
                self._target.empty(each.table)

    def _expect_empty(self) -> None:
        for table in tables_in_target(self._target, self._directory):
            if (not table.is_own or table.name in IN_USE) and self._target.count(table):
                raise CopyError(
                    f"{self._target.shown} has rows in the table {table.name}: a copy goes into a store without records"
                    " only; give another one, or remove what is there"
                )

    # Rows.

    def _check(self, plan: Plan) -> Iterator[tuple[PlannedTable, Checksum]]:
        """Read everything, so that what cannot be stored is known before anything is changed."""
        found: list[Unstorable] = []
        count = 0
        for each in plan.tables:
            checksum = Checksum()
            for rows in self._read(each):
                stored, faults = _stored(each, rows, checksum.rows)
                checksum.add(stored)
                count += len(faults)
                found += faults[: _MOST_FOUND - len(found)]
            yield each, checksum
        if found:
            raise UnstorableError(found, count)

    def _copy(self, planned: PlannedTable) -> Checksum:
        """Copy what the target does not have of a table; return the checksum of the source."""
        known, mark = self._progress.tables.get(planned.name, (0, ""))
        checksum, pending, size = Checksum(), list[Row](), 0
        for rows in self._read(planned):
            stored, faults = _stored(planned, rows, checksum.rows)
            if faults:
                raise UnstorableError(faults, len(faults))
            if checksum.rows < known:
                there = stored[: known - checksum.rows]
                checksum.add(there)
                if checksum.rows == known and checksum.text != mark:
                    return self._copy_anew(planned)
                stored = stored[len(there) :]
            size += checksum.add(stored)
            pending += stored
            if len(pending) >= _ROWS or size >= _BYTES:
                self._write(planned, pending, checksum)
                pending, size = [], 0
        if checksum.rows < known:
            return self._copy_anew(planned)
        self._write(planned, pending, checksum)
        return checksum

    def _copy_anew(self, planned: PlannedTable) -> Checksum:
        """Copy a table whose source has changed since its first rows were stored."""
        self._progress.tables.pop(planned.name)
        with self._target.transaction():
            self._target.empty(planned.table)
            self._target.save_progress(self._progress)
        return self._copy(planned)

    def _write(self, planned: PlannedTable, rows: Sequence[Row], checksum: Checksum) -> None:
        if not rows:
            return
        try:
            with self._target.transaction():
                # First: it fails where another process goes on with this copy.
                self._progress.tables[planned.name] = (checksum.rows, checksum.text)
                self._target.save_progress(self._progress)
                self._target.write(planned.table, planned.target, rows)
        except RefusedRowError as error:
            row = _row_name(planned, rows[error.place], checksum.rows - len(rows) + error.place)
            raise UnstorableError([Unstorable(planned.name, row, "", f"refused by {error.reason}")], 1) from None

    def _verify(self, planned: PlannedTable, expected: Checksum) -> None:
        found = Checksum()
        for rows in self._target.read(planned.table, planned.target):
            found.add(rows)
            self._count(len(rows))
        if (found.rows, found.text) != (expected.rows, expected.text):
            raise CopyError(
                f"the table {planned.name} in {self._target.shown} has {found.rows} rows with the checksum"
                f" {found.text}, and should have {expected.rows} with {expected.text}: something there changes what is"
                " stored, such as a trigger or another program; look for it and begin anew with --restart"
            )

    def _read(self, planned: PlannedTable) -> Iterator[list[Row]]:
        count = 0
        for rows in self._source.read(planned.table, planned.source):
            yield rows
            self._count(len(rows))
            count += len(rows)
        if count != planned.count:
            raise CopyError(
                f"of {planned.count} rows of the table {planned.name} in {self._source.shown} {count} could be read;"
                " look whether it is damaged"
            )

    def _count(self, rows: int) -> None:
        self._handled += rows
        done = min(1.0, self._handled / max(1, self._passes * self._rows))
        self._show(done, round(done * self._rows))


def _stored(planned: PlannedTable, rows: Sequence[Row], first: int) -> tuple[Sequence[Row], list[Unstorable]]:
    """Return rows as the target stores them, and what it cannot; `first` is how many rows come before."""
    columns = list(zip(*rows, strict=True))
    checked = zip(planned.forms, columns, planned.target, strict=True)
    if all(form.accepts(values) and (declared.may_be_null or None not in values) for form, values, declared in checked):
        return rows, []
    faults = []
    for at, (form, declared) in enumerate(zip(planned.forms, planned.target, strict=True)):
        values = list(columns[at])
        for place, value in enumerate(values):
            try:
                if value is None and not declared.may_be_null:
                    raise UnfitError("NULL, and the column must have a value")
                values[place] = form.stored(value)
            except UnfitError as error:
                row = _row_name(planned, rows[place], first + place)
                faults.append(Unstorable(planned.name, row, declared.name, str(error)))
        columns[at] = tuple(values)
    return list(zip(*columns, strict=True)), faults


def _row_name(planned: PlannedTable, row: Row, before: int) -> str:
    """Return by what people find a row: the record id, the number of an entry, the key, or else its place."""
    wanted = planned.table.key or ("record_id", "phone", "customer_id")
    values = dict(zip((each.name.lower() for each in planned.source), row, strict=True))
    known = [f"{name} {values[name]!r}" for name in wanted if values.get(name) is not None]
    return " and ".join(known) or f"row {before + 1}"


def _result(planned: PlannedTable, checksum: Checksum) -> CopiedRows:
    lists = tuple(each.name for each in planned.table.lists)
    return CopiedRows(planned.name, lists, checksum.rows, checksum.text)
