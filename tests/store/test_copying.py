"""A store copied into another one, and back: nothing is lost, nothing is served before it is whole."""

import dataclasses
import itertools
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

from ocsgw.contact.answer_statements import StoredAnswer
from ocsgw.contact.bulk_statements import ImportedEntry, ImportProgress
from ocsgw.contact.outbox import Delivery, OutboxEntry
from ocsgw.contact.transaction import GroupStatus
from ocsgw.store.copying import postgresql, run, sqlite
from ocsgw.store.copying.errors import CopyError
from ocsgw.store.copying.opening import open_copy
from ocsgw.store.copying.place import NOT_COPIED, OWN_KEYS
from ocsgw.store.engine import StoreSettings
from ocsgw.store.errors import StoreError, StoreVersionError
from ocsgw.store.lease import PairMember
from ocsgw.store.migrate import OWN_TABLES
from ocsgw.store.postgresql import engine as engine_module
from tests.store.contract import handle, handout, new_record
from tests.store.copies import CopyTestCase, RandomStore, SQLiteSettings
from tests.support.rules import NOW

# `make soak` tries more random stores.
STORES = int(os.environ.get("OCSGW_RULE_EXAMPLES", "200")) // 100


class Killed(BaseException):
    """In place of the end of the process."""


class EveryStoreTests(CopyTestCase):
    """From every engine to every engine."""

    def test_all_tables(self) -> None:
        """Every table of our own is either copied, or known not to be."""
        self.assertEqual(set(OWN_KEYS) | NOT_COPIED, OWN_TABLES)

    def test_there_and_back(self) -> None:
        """A random store is the same after a copy to PostgreSQL and back, and after one between equal engines."""
        for seed in range(STORES):
            first, last = self.sqlite(), self.sqlite()
            between: list[StoreSettings] = [self.postgresql(), self.postgresql(), self.sqlite()]
            self.opened(first).close()
            RandomStore(seed, first.file, self.directory)
            expected = self.contents(first)
            done = [self.copy(source, target) for source, target in itertools.pairwise([first, *between, last])]
            self.assertEqual(self.contents(last), expected, f"seed {seed}")
            for each in done:
                self.assertEqual(each.tables, done[0].tables)
                self.assertEqual((each.not_copied, each.closed), ([], {}))
                self.assertEqual(
                    {table.table: table.rows for table in each.tables},
                    {name: len(rows) for name, rows in expected.items() if name != "numbers"},
                )
        self.assertEqual(self.reports, [])


class UnfinishedTests(CopyTestCase):
    """A copy that ends in the middle."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(run, "_ROWS", 2)

    def kill_at(self, number: int) -> Callable[[float, int], None]:
        """Return what ends the copy at its so-manieth sign of progress."""
        calls = itertools.count(1)

        def show(done: float, rows: int) -> None:
            if next(calls) == number:
                raise Killed

        return show

    def filled_with_some(self) -> SQLiteSettings:
        """Return a store with a few rows in several tables."""
        source = self.sqlite()
        self.filled(source, 5)
        self.rows(source, "INSERT INTO ocsgw_idempotency VALUES ('p', 'k', 'f', '{}', 9)")
        self.rows(source, "INSERT INTO gsw_donotcall_list (phone) VALUES ('1'), ('2')")
        return source

    def test_killed_anywhere(self) -> None:
        """Wherever it ends, the target is refused with the command that goes on, which then makes it whole."""
        for make in (self.sqlite, self.postgresql):
            self.patch(sqlite, "_ROWS", 1)
            source, target = self.filled_with_some(), make()
            expected = self.contents(source)
            steps = refused = 0
            for steps in itertools.count(2, 5):
                target = make()
                try:
                    self.copy(source, target, show=self.kill_at(steps))
                    break
                except Killed:
                    pass
                with self.subTest(engine=target.kind, steps=steps):
                    refused += self.is_refused(source, target)
                    self.copy(source, target)
                    back = self.sqlite()
                    self.copy(target, back)
                    self.assertEqual(self.without_counters(back), self.without_counters_of(expected))
                    self.opened(target).close()
            self.assertGreater(refused, steps // 10)

    def without_counters(self, settings: StoreSettings) -> dict[str, Any]:
        """Return the contents of a store but for counters that say nothing."""
        return self.without_counters_of(self.contents(settings))

    def without_counters_of(self, contents: dict[str, Any]) -> dict[str, Any]:
        """Return contents but for counters that say nothing."""
        return {**contents, "ocsgw_counter": [row for row in contents["ocsgw_counter"] if row[1]]}

    def is_refused(self, source: StoreSettings, target: StoreSettings) -> bool:
        """Whether a server refuses the target; then it says how to go on."""
        try:
            self.opened(target).close()
        except StoreVersionError as error:
            self.assertIn(f"ocsctl -c FILE store copy {source.url} {target.url}", str(error))
            return True
        return False

    def test_source_is_changed_meanwhile(self) -> None:
        """What was stored before the source was changed is stored again."""
        self.patch(sqlite, "_ROWS", 1)
        for change in ("UPDATE CL_Test SET attempt = 7", "DELETE FROM CL_Test WHERE record_id > 1"):
            source, target, back = self.filled_with_some(), self.postgresql(), self.sqlite()
            self.assertRaises(Killed, self.copy, source, target, show=self.kill_at(13))
            self.assertNotEqual(self.rows(target, 'SELECT count(*) FROM "CL_Test"'), [("0",)])
            self.rows(source, change)
            self.copy(source, target)
            self.copy(target, back)
            self.assertEqual(self.without_counters(back), self.without_counters(source))

    def test_source_in_a_database_is_changed_meanwhile(self) -> None:
        """The same where the source is a database."""
        self.patch(postgresql, "_ROWS", 1)
        source, target = self.postgresql(), self.sqlite()
        self.copy(self.filled_with_some(), source)
        self.assertRaises(Killed, self.copy, source, target, show=self.kill_at(28))
        self.assertNotEqual(self.rows(target, "SELECT count(*) FROM CL_Test"), [(0,)])
        self.rows(source, """UPDATE "CL_Test" SET attempt = 7 WHERE record_id = 1""")
        done = self.copy(source, target)
        self.assertEqual(self.rows(target, "SELECT sum(attempt), count(*) FROM CL_Test"), [(7, 5)])
        self.assertEqual(self.copy(target, self.postgresql()).tables, done.tables)

    def test_other_source(self) -> None:
        """An unfinished copy of another store is left alone, unless it is to begin anew."""
        source, other, target = self.filled_with_some(), self.sqlite(), self.postgresql()
        self.filled(other, 1)
        self.patch(sqlite, "_ROWS", 1)
        self.assertRaises(Killed, self.copy, source, target, show=self.kill_at(13))
        error = self.assertRaises(CopyError, self.copy, other, target)
        self.assertIn(f"is an unfinished copy of {source.url}; finish that one, or begin anew", str(error))
        self.copy(other, target, anew=True)
        self.assertEqual(self.rows(target, 'SELECT count(*) FROM "CL_Test"'), [("1",)])

    def test_two_at_once(self) -> None:
        """Of two copies into one database the later one goes on, and the earlier one stores nothing more."""
        self.patch(sqlite, "_ROWS", 1)
        source, target = self.filled_with_some(), self.postgresql()
        begun: list[float] = []

        def show(done: float, rows: int) -> None:
            # Not before the first one has stored something.
            if done > 0.5 and not begun:
                begun.append(done)
                shutil.copyfile(source.file, f"{source.file}.2")
                with open_copy(
                    dataclasses.replace(source, file=f"{source.file}.2"),
                    target,
                    self.directory,
                    self.reports,
                    lambda done, rows: None,
                ) as copy:
                    copy._progress.source = source.url
                    copy.carry_out()

        error = self.assertRaises(CopyError, self.copy, source, target, show=show)
        self.assertIn("another ocsctl store copy goes on with", str(error))
        self.assertEqual(self.rows(target, 'SELECT count(*) FROM "CL_Test"'), [("5",)])


class InUseTests(CopyTestCase):
    """Stores that somebody uses."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(postgresql, "_TRIES", 3)

    def test_by_a_server(self) -> None:
        """Neither end may be that of a server that runs, nor one of a pair; a trial may read its store."""
        member = PairMember("one", 5.0, 1.0)
        makers: tuple[Callable[[], StoreSettings], ...] = (self.sqlite, self.postgresql)
        for make, of_pair in itertools.product(makers, (None, member)):
            used, free = make(), self.sqlite()
            self.filled(free)
            self.opened(used).close()
            engine = self.opened(used, member=of_pair)
            with self.subTest(engine=used.kind, pair=of_pair is not None):
                for source, target in ((used, self.sqlite()), (free, used)):
                    error = self.assertRaises(StoreError, self.copy, source, target)
                    self.assertIn("is in use by", str(error))
                self.copy(used, self.sqlite(), only_try=True)
            engine.close()
            self.copy(free, used)

    def test_lease(self) -> None:
        """The lease of a pair counts where no session of it is open."""
        used = self.postgresql()
        self.opened(used).close()
        self.rows(used, "INSERT INTO ocsgw_lease VALUES (1, 1, 't', 'north', '', extract(epoch FROM now()) + 60, '')")
        error = self.assertRaises(CopyError, self.copy, used, self.sqlite())
        self.assertIn("in use by the servers north; stop them first", str(error))

    def test_start_meanwhile(self) -> None:
        """A server that starts while its store is copied says what keeps it, and comes up afterwards."""
        self.patch(engine_module, "_OPEN_WAIT_MS", 50)
        source = self.postgresql()
        self.filled(source)
        said: list[str] = []

        def show(done: float, rows: int) -> None:
            if not said:
                said.append(str(self.assertRaises(StoreError, self.opened, source)))

        self.copy(source, self.sqlite(), show=show)
        self.assertIn("such as ocsctl store copy; wait until it ends", said[0])
        self.opened(source).close()

    def test_other_programs(self) -> None:
        """Nobody writes to a store while it is copied."""
        source = self.sqlite()
        self.filled(source)

        def show(done: float, rows: int) -> None:
            with closing(sqlite3.connect(source.file, timeout=0)) as connection:
                self.assertRaises(sqlite3.OperationalError, connection.execute, "DELETE FROM CL_Test")

        self.copy(source, self.sqlite(), show=show)

    def test_target_with_records(self) -> None:
        """A target with records, entries or handles is refused, and left as it is."""
        source = self.filled(self.sqlite())
        for make in (self.sqlite, self.postgresql):
            for text in (
                'INSERT INTO "CL_Test" (record_id, chain_id, chain_n) VALUES (9, 9, 0)',
                "INSERT INTO gsw_donotcall_list (phone) VALUES ('1')",
                "INSERT INTO ocsgw_idempotency VALUES ('p', 'k', 'f', '{}', 9)",
            ):
                target = make()
                self.opened(target).close()
                self.rows(target, text)
                error = self.assertRaises(CopyError, self.copy, source, target)
                self.assertIn("a copy goes into a store without records only", str(error))
                self.opened(target).close()

    def test_itself(self) -> None:
        """A store is not copied into itself, by another name neither."""
        source = self.sqlite()
        self.filled(source)
        os.symlink(source.file, f"{source.file}.link")
        error = self.assertRaises(CopyError, self.copy, source, SQLiteSettings(f"{source.file}.link"))
        self.assertIn("into itself", str(error))

    def test_no_store(self) -> None:
        """What is no store is not copied, and an old one has to be brought up to date first."""
        self.assertRaises(StoreError, self.copy, self.sqlite(), self.sqlite())
        error = self.assertRaises(StoreError, self.copy, self.postgresql(), self.sqlite())
        self.assertIn("has no tables of ours", str(error))
        source = self.sqlite()
        self.filled(source)
        self.rows(source, "UPDATE ocsgw_alembic_version SET version_num = '0003'")
        error = self.assertRaises(StoreError, self.copy, source, self.sqlite())
        self.assertIn("start the server with it once", str(error))


class NumberTests(CopyTestCase):
    """What was given a number keeps it, and no number comes again."""

    def test_numbers_go_on(self) -> None:
        """Records, chains, handles, entries, changes and notifications get numbers behind all that there were."""
        for first, second in ((self.sqlite, self.postgresql), (self.postgresql, self.sqlite)):
            source, target = first(), second()
            engine = self.opened(source)
            with engine.transaction(1.0) as tx:
                tx.insert_records(self.list, [new_record(5), new_record(50, chain_id=60)])
                tx.delete_records(self.list, [50])
                self.assertEqual(tx.new_handles(7), 1)
                tx.open_handouts([handout(3)], [handle(3, record_id=5)])
                tx.spend_handle(2, {"GSW_RECORD_HANDLE": 2}, NOW + 9)
                tx.store_answers({("client", "key"): StoredAnswer(b"f", {"a": 1}, NOW + 9)})
                tx.save_group_status(GroupStatus(102, "started", "preview", "G", auto_complete=True))
                tx.append_outbox([OutboxEntry(0, NOW, "added", 201, 5, 5, 0, 0, "{}") for _ in range(3)])
                tx.add_deliveries([Delivery(0, "p", 201, 5, NOW, "{}") for _ in range(4)])
                entries = tx.import_entries([ImportedEntry(each, None, None, 0, 0, 0, 0) for each in "123"], NOW)
                tx.delete_entries(entries[:1])
                tx.save_import_progress(
                    "list CL_Test", "f", ImportProgress("f", 1, {}, NOW, NOW, tx.new_import_number())
                )
            with engine.transaction(1.0) as tx:
                tx.forget_outbox(NOW, 1, 2)
                tx.remove_deliveries([3, 4])
            engine.close()
            self.copy(source, target)
            engine = self.opened(target)
            with engine.transaction(1.0) as tx:
                self.assertEqual(tx.new_handles(1), 8)
                (found,) = tx.handouts_of_handles([3])
                self.assertEqual((found[0].handout_id, found[1][0].record_id), (3, 5))
                self.assertEqual(tx.spent_handle(2, NOW), {"GSW_RECORD_HANDLE": 2})
                self.assertEqual(tx.stored_answers([("client", "key")], NOW)["client", "key"].event, {"a": 1})
                self.assertEqual(tx.group_statuses()[102].auto_complete, True)
                self.assertEqual(tx.outbox_bounds()[1], 3)
                tx.append_outbox([OutboxEntry(0, NOW, "added", 201, 5, 5, 0, 0, "{}")])
                self.assertEqual([each.number for each in tx.outbox_after(0, 9)], [3, 4])
                tx.add_deliveries([Delivery(0, "p", 201, 5, NOW, "{}")])
                self.assertEqual([each.number for each in tx.deliveries_after(0, 9)], [1, 2, 5])
                self.assertEqual([each.number for each in tx.export_entries(0, 9)], entries[1:])
                (new,) = tx.import_entries([ImportedEntry("4", None, None, 0, 0, 0, 0)], NOW)
                self.assertGreater(new, entries[-1])
                self.assertEqual(tx.new_import_number(), 2)
                highest = tx.before_adding(self.list, 1, list, NOW)
                self.assertEqual((highest.record_id, highest.chain_id), (50, 60))
            engine.close()
