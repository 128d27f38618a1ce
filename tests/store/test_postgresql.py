"""PostgreSQL that goes away, comes back, does not answer, or is written to by others at the same moment."""

import contextlib
import threading
from itertools import pairwise
from typing import Any
from unittest import mock

import psycopg

from ocsgw.contact.bulk_statements import ImportedEntry
from ocsgw.contact.directory import DoNotCallOptions
from ocsgw.contact.transaction import (
    RefusedByTableError,
    StoreFailureError,
    Transaction,
    UnavailableListError,
    UnstorableTextError,
)
from ocsgw.store.errors import CommitUnknownError, ConflictError, StoreBusyError, StoreError, StoreVersionError
from ocsgw.store.migrate import HEAD, print_revisions
from ocsgw.store.opening import migrate_store
from ocsgw.store.postgresql.connection import Connection
from ocsgw.store.postgresql.engine import PostgreSQLEngine
from ocsgw.store.postgresql.exchange import numbered
from tests.store.contract import new_record
from tests.store.test_creation import COUNTERS_AFTER, COUNTERS_BEFORE, enumerated
from tests.support.case import ClockTestCase
from tests.support.postgresql import PostgreSQL, Relay, shared_postgresql
from tests.support.postgresql_store import PostgreSQLSettings, new_database
from tests.support.reports import Reports
from tests.support.rules import NOW, make_directory


class PostgreSQLTestCase(ClockTestCase):
    """A database of its own on the shared server."""

    options = ""
    prepared_statements = False

    def setUp(self) -> None:
        super().setUp()
        self.server = shared_postgresql()
        self.url = new_database(self, self.options)
        self.name = self.url.rpartition("/")[2]
        self.directory = make_directory()
        self.list = self.directory.calling_lists[0]
        self.reports = Reports()

    def engine(self, url: str | None = None, **options: Any) -> PostgreSQLEngine:
        """Return an engine that is not open yet."""
        settings = PostgreSQLSettings(url or self.url, prepared_statements=self.prepared_statements)
        engine = PostgreSQLEngine(settings, self.reports, **options)
        self.addCleanup(engine.close)
        return engine

    def opened(self, url: str | None = None, **options: Any) -> PostgreSQLEngine:
        """Return an open engine."""
        engine = self.engine(url, **options)
        engine.open(self.directory)
        return engine

    def sql(self, text: str) -> list[list[str]]:
        """Carry out a statement as another program does."""
        return self.server.query(text, self.name)

    def add(self, engine: PostgreSQLEngine, *numbers: int, wait: float = 1.0) -> None:
        """Add records in a transaction."""
        with engine.transaction(wait) as tx:
            tx.insert_records(self.list, [new_record(each) for each in numbers])

    def stored(self) -> list[int]:
        """Return the numbers of the records that are there."""
        return [int(row[0]) for row in self.sql('SELECT record_id FROM "CL_Test" ORDER BY 1')]


class PreparedStatementsTests(PostgreSQLTestCase):
    """`[store] prepared_statements` (docs/operations.md)."""

    def prepared(self, engine: PostgreSQLEngine) -> list[str]:
        """Return the beginnings of what the server keeps for the connection of an engine."""
        kept: list[str] = []
        with engine.transaction(1.0) as tx:
            kept += [row[0] for row in tx._connection.rows("SELECT left(statement, 11) FROM pg_prepared_statements")]
        return kept

    def test_not_asked_for(self) -> None:
        """By default nothing is kept in a session, because a pooler may give every transaction another one."""
        engine = self.opened()
        for number in range(9):
            self.add(engine, number)
        self.assertEqual(self.prepared(engine), [])

    def test_asked_for(self) -> None:
        """What is carried out often is kept; a batch that fails, and one that is repeated, change nothing of that."""
        self.prepared_statements = True
        engine = self.opened()
        for number in range(9):
            self.add(engine, number)
        self.assertIn("INSERT INTO", self.prepared(engine))
        self.sql('CREATE UNIQUE INDEX once ON "CL_Test" (record_id)')
        self.assertRaises(RefusedByTableError, self.add, engine, 1)
        for number in range(10, 20):
            self.add(engine, number)
        self.assertIn("INSERT INTO", self.prepared(engine))
        self.assertEqual(self.stored(), [*range(9), *range(10, 20)])

    def test_another_type(self) -> None:
        """Another program gives a column another type: the batch is asked for again, and then goes through."""
        self.prepared_statements = True
        engine = self.opened()
        self.add(engine, 1)

        def read() -> int:
            with engine.transaction(1.0) as tx:
                return len(tx.records(self.list, [1]))

        self.assertEqual([read() for _ in range(9)], [1] * 9)
        self.sql('ALTER TABLE "CL_Test" ALTER COLUMN attempt TYPE bigint')
        self.assertRaises(ConflictError, read)
        self.assertEqual(read(), 1)


class ConnectionTests(PostgreSQLTestCase):
    """A connection that ends, is not answered, or cannot be made."""

    def relayed(self, **options: Any) -> tuple[Relay, PostgreSQLEngine]:
        """Return an engine whose way to the server can be held up."""
        relay = Relay(self.server.port)
        self.addCleanup(relay.remove)
        return relay, self.opened(self.server.url(self.name, relay.port), **options)

    def test_closed_while_idle(self) -> None:
        """A connection that the server has ended between two transactions is replaced, and nobody notices."""
        engine = self.opened()
        self.add(engine, 1)
        # Within so many milliseconds the session has ended.
        self.sql("SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE application_name = 'ocsgw'")
        self.add(engine, 2)
        self.assertEqual(self.stored(), [1, 2])

    def test_ended_within(self) -> None:
        """A connection that ends within a transaction fails it, and only it; nothing of it stays."""
        relay, engine = self.relayed()

        def fail() -> None:
            with engine.transaction(1.0) as tx:
                tx.insert_records(self.list, [new_record(1)])
                relay.cut()
                tx.records(self.list, [1])

        self.assertRaises(StoreFailureError, fail)
        self.add(engine, 2)
        self.assertEqual(self.stored(), [2])

    def test_answer_to_commit_is_lost(self) -> None:
        """A commit whose answer was lost is looked up: it has happened, so the batch is as good as any other."""
        relay, engine = self.relayed()
        control = Connection.control

        def lost(connection: Connection, *texts: str) -> None:
            control(connection, *texts)
            if texts[-1] == "COMMIT":
                relay.cut()
                control(connection, "SELECT 1")

        with mock.patch.object(Connection, "control", lost):
            self.add(engine, 1)
        self.add(engine, 2)
        self.assertEqual(self.stored(), [1, 2])

    def test_commit_is_lost(self) -> None:
        """A commit that has not arrived is looked up, too: it has surely not happened."""
        relay, engine = self.relayed()
        control = Connection.control

        def lost(connection: Connection, *texts: str) -> None:
            if texts[-1] == "COMMIT" and connection._queued:
                relay.cut()
            control(connection, *texts)

        with mock.patch.object(Connection, "control", lost):
            self.assertRaises(StoreFailureError, self.add, engine, 1)
        self.add(engine, 2)
        self.assertEqual(self.stored(), [2])

    def test_given_up(self) -> None:
        """What was found not to be committed stays so, even if its statements arrive after that."""
        relay, engine = self.relayed()
        control = Connection.control
        sent: list[Any] = []

        def lost(connection: Connection, *texts: str) -> None:
            if texts[-1] == "COMMIT" and not sent:
                sent.extend(connection._queued)
                relay.cut()
            control(connection, *texts)

        with mock.patch.object(Connection, "control", lost):
            self.assertRaises(StoreFailureError, self.add, engine, 1)
        late = engine._new_connection(engine._address.options)
        self.addCleanup(late.close)
        late.control("BEGIN")
        self.assertRaises(RefusedByTableError, late.change, *sent[-1])
        late.control("ROLLBACK")
        self.add(engine, 2)
        self.assertEqual(self.stored(), [2])

    def test_ended_after_the_commit(self) -> None:
        """A server that ends the connection behind a commit has not refused it."""
        engine = self.opened()
        control = Connection.control

        def ended(connection: Connection, *texts: str) -> None:
            control(connection, *texts)
            if texts[-1] == "COMMIT" and connection.has_written:
                raise psycopg.errors.AdminShutdown

        with mock.patch.object(Connection, "control", ended), mock.patch.object(engine, "_sleep"):
            self.add(engine, 1)
        self.add(engine, 2)
        self.assertEqual(self.stored(), [1, 2])

    def test_ended_by_the_commit(self) -> None:
        """A server that ends the connection instead of a commit may have committed or not: it is looked up."""
        self.sql(
            "CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.record_id = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(0); END IF;"
            " RETURN NEW; END $$"
        )
        engine = self.opened()
        self.sql(
            'CREATE CONSTRAINT TRIGGER leaving AFTER INSERT ON "CL_Test" DEFERRABLE INITIALLY DEFERRED'
            " FOR EACH ROW EXECUTE FUNCTION leave()"
        )
        self.assertRaises(StoreFailureError, self.add, engine, 1)
        self.add(engine, 2)
        self.assertEqual(self.stored(), [2])

    def test_nobody_knows(self) -> None:
        """C41: where the server stays away the outcome of the commit is unknown."""
        relay, engine = self.relayed(clock=self.clock.seconds, sleep=self.clock.advance)
        control = Connection.control

        def lost(connection: Connection, *texts: str) -> None:
            control(connection, *texts)
            if texts[-1] == "COMMIT":
                relay.remove()
                control(connection, "SELECT 1")

        with mock.patch.object(Connection, "control", lost):
            self.assertRaises(CommitUnknownError, self.add, engine, 1)

    def await_failure(self, engine: Any) -> None:
        """Use the store until its server is gone."""
        for number in range(1000, 6000):
            try:
                self.add(engine, number)
            except StoreFailureError:
                return
        self.fail("the server is still there")

    def test_pauses(self) -> None:
        """While the server is away connecting is tried with pauses that grow to a second; requests fail at once."""
        # It has to have the tables after it was killed.
        server = PostgreSQL(durable=True)
        self.addCleanup(server.remove)
        server.start()
        engine = self.opened(server.make_database("a"), clock=self.clock.seconds)
        server.kill()
        tries = []
        with mock.patch("ocsgw.store.postgresql.engine.Connection", side_effect=Connection) as connect:
            # A process of the killed server may serve for a moment.
            self.await_failure(engine)
            for _ in range(500):
                before = connect.call_count
                self.assertRaises(StoreFailureError, self.add, engine, 1)
                if connect.call_count > before:
                    tries.append(round(self.clock.seconds(), 2))
                self.clock.advance(0.01)
        pauses = [round(after - before, 2) for before, after in pairwise(tries)]
        self.assertLess(pauses[0], 0.2)
        self.assertTrue(0.9 < max(pauses) <= 1.01, pauses)
        server.start()
        self.clock.advance(1)
        self.add(engine, 1)

    def test_not_answered(self) -> None:
        """A server that does not answer anybody is given up; one that only takes its time is not."""
        relay, engine = self.relayed(patience=0.1)
        with engine.transaction(1.0) as tx:
            tx._connection.rows("SELECT pg_sleep(1.5)")
            tx.insert_records(self.list, [new_record(1)])

        def fail() -> None:
            with engine.transaction(1.0) as tx:
                tx.insert_records(self.list, [new_record(2)])
                relay.hold()
                tx.records(self.list, [1])

        self.assertRaises(StoreFailureError, fail)
        relay.let_go()
        self.add(engine, 3)
        self.assertEqual(self.stored(), [1, 3])


class OthersTests(PostgreSQLTestCase):
    """What others write at the same moment."""

    def test_same_row(self) -> None:
        """A row that another program has changed since the transaction began is not written over."""
        engine = self.opened()
        self.add(engine, 1)

        def overtaken() -> None:
            with engine.transaction(1.0) as tx:
                (record,) = tx.records(self.list, [1])
                self.sql('UPDATE "CL_Test" SET attempt = 5')
                tx.change_records(self.list, {1: {"attempt": record.attempt + 1}})

        self.assertRaises(ConflictError, overtaken)
        self.assertEqual(self.sql('SELECT attempt FROM "CL_Test"'), [["5"]])

    def test_numbers(self) -> None:
        """Two servers that add to one list at once give out different numbers; one of them begins again."""
        first, second = self.opened(), self.opened()
        begun, added = threading.Event(), []

        def add(tx: Transaction) -> None:
            admission = tx.before_adding(self.list, 1, tuple, NOW)
            number = admission.record_id + 1
            tx.insert_records(self.list, [new_record(number)])
            added.append(number)

        def other() -> None:
            try:
                with second.transaction(5.0) as tx:
                    tx.stored_answers([("p", "k")], NOW)
                    begun.set()
                    add(tx)
            except ConflictError:
                with second.transaction(5.0) as tx:
                    add(tx)

        thread = threading.Thread(target=other)
        with first.transaction(1.0) as tx:
            tx.before_adding(self.list, 1, tuple, NOW)
            thread.start()
            self.assertTrue(begun.wait(10))
            add(tx)
        thread.join(10)
        self.assertEqual((added, self.stored()), ([1, 2], [1, 2]))

    def test_held(self) -> None:
        """A row that another program holds is waited for, not longer than the requests do."""
        engine = self.opened()
        self.add(engine, 1)
        holder = self.opened()
        with holder.transaction(1.0) as held:
            held.change_records(self.list, {1: {"attempt": 1}})

            def wait() -> None:
                with engine.transaction(0.05) as tx:
                    tx.change_records(self.list, {1: {"attempt": 2}})

            self.assertRaises(StoreBusyError, wait)

    def test_refused(self) -> None:
        """K16: constraints and triggers of the site refuse a row by name, and nothing else."""
        engine = self.opened()
        self.sql('ALTER TABLE "CL_Test" ADD CONSTRAINT no_fives CHECK (record_id <> 5)')
        self.sql('CREATE UNIQUE INDEX one_contact ON "CL_Test" (contact_info)')
        self.sql(
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN IF NEW.record_id = 6 THEN RAISE 'not +1 650 555 0100'; END IF; RETURN NEW; END$$;"
            ' CREATE TRIGGER no BEFORE INSERT ON "CL_Test" FOR EACH ROW EXECUTE FUNCTION no()'
        )
        self.add(engine, 1)
        reasons = [str(self.assertRaises(RefusedByTableError, self.add, engine, number)) for number in (5, 6)]

        def same() -> None:
            with engine.transaction(1.0) as tx:
                tx.insert_records(self.list, [new_record(2, contact_info="1")])

        reasons.append(str(self.assertRaises(RefusedByTableError, same)))
        self.assertEqual(
            reasons,
            ["CL_Test: constraint no_fives", "CL_Test: a trigger: not ***", "CL_Test: unique index one_contact"],
        )

    def test_not_for_reports(self) -> None:
        """What the database does for long reports is off in our transactions, also in one that was begun again."""
        engine = self.opened()

        def is_set(tx: Any) -> list[Any]:
            return [
                tx._connection.row(f"SELECT current_setting('{name}')")
                for name in ("jit", "max_parallel_workers_per_gather")
            ]

        with engine.transaction(1.0) as tx:
            self.assertEqual(is_set(tx), [("off",), ("0",)])
            with contextlib.suppress(KeyError), tx.savepoint():
                raise KeyError
            self.assertEqual(is_set(tx), [("off",), ("0",)])

    def test_table_is_gone(self) -> None:
        """K16: a table that is dropped while the server runs closes its list, and no other."""
        engine = self.opened()
        self.sql('DROP TABLE "CL_Test"')
        # The transaction is lost; when it is carried out again, only what concerns the list is.
        self.assertRaises(ConflictError, self.add, engine, 1)
        with engine.transaction(1.0) as tx:
            self.assertRaises(UnavailableListError, tx.insert_records, self.list, [new_record(1)])
            tx.insert_records(self.directory.calling_lists[1], [new_record(1, custom=[None] * 5)])


class TablesTests(PostgreSQLTestCase):
    """K12 to K18: tables of others, as they are."""

    def test_types(self) -> None:
        """Types of the same family do, in any schema; blanks that fill up a text are none of it."""
        self.sql("CREATE SCHEMA dialer")
        self.sql(
            'CREATE TABLE dialer."CL_Test" (record_id bigint PRIMARY KEY, contact_info char(130),'
            " contact_info_type smallint, record_type numeric(10,0), record_status numeric, call_result integer,"
            " attempt integer, dial_sched_time bigint, call_time numeric(18,0), daily_from integer, daily_till integer,"
            " tz_dbid numeric(9,0), campaign_id integer, agent_id char(32), chain_id numeric, chain_n integer,"
            " cust_id char(64), disposition text, segment varchar(32), remarks varchar(255))"
        )
        self.sql(f'ALTER ROLE CURRENT_USER IN DATABASE "{self.name}" SET search_path = dialer, public')
        engine = self.opened()
        self.assertEqual(engine.closed_lists, {})
        self.assertEqual(self.reports, [])
        with engine.transaction(1.0) as tx:
            tx.insert_records(self.list, [new_record(1, custom=["C1", None, "s", None], agent_id="a", record_type=5)])
        with engine.transaction(1.0) as tx:
            (record,) = tx.records(self.list, [1])
            self.assertEqual((record.contact_info, record.agent_id, record.chain_id), ("1", "a", 1))
            self.assertEqual(record.custom, ["C1", None, "s", None])
            self.assertEqual([each.record_id for each in tx.find_by_customer_id(self.list, "C1")], [1])
            self.assertEqual([each.record_id for each in tx.find_by_contacts(self.list, ["1"])["1"]], [1])
            (window,) = tx.windows(self.list, [301], ["a"])
            (scheduled, others) = tx.ready_records(self.list, {window: 5}, NOW, 9)
            self.assertEqual((scheduled, [each.record_id for each in others]), ([], [1]))
            self.assertEqual(tx.waiting_agents(self.list, [301], "", 9), ["a"])
        self.sql('UPDATE "dialer"."CL_Test" SET record_status = 1.5')
        with engine.transaction(1.0) as tx:
            self.assertEqual(tx.records(self.list, [1]), [])
            self.assertEqual(tx.unreadable(self.list, 1), "record_status")
            self.assertEqual(tx.windows(self.list, [301], ["a"]), [])
        self.assertIn("record_status", self.reports[0])

    def test_names_without_quotes(self) -> None:
        """A table that was made without quotes is found by the name as it was written."""
        self.opened().close()
        self.sql('ALTER TABLE "CL_Test" RENAME TO cl_test')
        engine = self.opened()
        self.add(engine, 1)
        self.assertEqual(self.sql("SELECT record_id FROM cl_test"), [["1"]])

    def test_views(self) -> None:
        """A view is refused by what it is, also where triggers make it writable."""
        self.opened().close()
        self.sql('ALTER TABLE "CL_Test" RENAME TO real; CREATE VIEW "CL_Test" AS SELECT * FROM real')
        engine = self.opened()
        self.assertEqual(engine.closed_lists["CL_Test"], "table CL_Test is a view; set the table itself")
        engine.close()
        self.sql(
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;"
            ' CREATE TRIGGER no INSTEAD OF INSERT ON "CL_Test" FOR EACH ROW EXECUTE FUNCTION no()'
        )
        engine.open(self.directory)
        self.assertEqual(
            engine.closed_lists["CL_Test"], "table CL_Test is a view with INSTEAD OF triggers; set the table itself"
        )

    def test_indexes(self) -> None:
        """K23: indexes are made once, and made again only where they should be others."""
        self.opened().close()
        query = "SELECT indexrelid FROM pg_index ORDER BY 1"
        before = self.sql(query)
        self.opened().close()
        self.assertEqual(self.sql(query), before)
        self.sql('DROP INDEX "ocsgw_ix_CL_Test_1"')
        self.sql('COMMENT ON INDEX "ocsgw_ix_CL_Test_2" IS NULL')
        self.opened().close()
        after = self.sql(query)
        self.assertEqual((len(after), len([each for each in after if each not in before])), (len(before), 2))

    def test_entries_without_number(self) -> None:
        """The do-not-call table of others has no column for numbers: entries are found, exported and deleted anyhow."""
        self.opened().close()
        self.sql("ALTER TABLE gsw_donotcall_list DROP COLUMN ocsgw_number")
        engine = self.opened()
        with engine.transaction(1.0) as tx:
            first, second = tx.import_entries(
                [ImportedEntry(phone, None, None, 1, 0, 0, 0) for phone in ("111", "222")], NOW
            )
        with engine.transaction(1.0) as tx:
            self.assertEqual([each.phone for each in tx.export_entries(0, 1)], ["111"])
            self.assertEqual([each.phone for each in tx.export_entries(first, 9)], ["222"])
            tx.change_entries({first: ImportedEntry("111", None, "new", 1, 0, 0, 0)}, NOW)
            tx.delete_entries([second])
        with engine.transaction(1.0) as tx:
            (left,) = tx.export_entries(0, 9)
        self.assertEqual((left.phone, left.message), ("111", "new"))

    def test_no_do_not_call_table(self) -> None:
        """K12: without the right to make it a missing do-not-call table is an error that names it."""
        self.opened().close()
        directory = make_directory(do_not_call=DoNotCallOptions(table="other"))
        engine = PostgreSQLEngine(PostgreSQLSettings(self.url, create=False), self.reports)
        error = self.assertRaises(StoreError, engine.open, directory)
        self.assertIn("there is no do-not-call table other", str(error))


class EncodingTests(PostgreSQLTestCase):
    """A database whose encoding is not UTF-8."""

    options = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"

    def test_latin(self) -> None:
        """What the encoding has is stored and found; what it lacks is refused alone."""
        engine = self.opened()
        with engine.transaction(1.0) as tx:
            tx.insert_records(self.list, [new_record(1, contact_info="6\u00a050", custom=["é", None, None, None])])

            def fail() -> None:
                with tx.savepoint():
                    tx.insert_records(self.list, [new_record(2, custom=["ł", None, None, None])])

            self.assertRaises(UnstorableTextError, fail)
            tx.insert_records(self.list, [new_record(3)])
        with engine.transaction(1.0) as tx:
            self.assertEqual([each.custom[0] for each in tx.records(self.list, [1, 2, 3])], ["é", None])
            self.assertEqual([each.record_id for each in tx.find_by_contacts(self.list, ["650"])["650"]], [1])

    def test_nul(self) -> None:
        """A NUL character fits into no database of PostgreSQL."""
        engine = self.opened()

        def fail() -> None:
            with engine.transaction(1.0) as tx:
                tx.insert_records(self.list, [new_record(1, contact_info="1\0")])

        self.assertRaises(UnstorableTextError, fail)


class NoEncodingTests(PostgreSQLTestCase):
    """A database without an encoding has whatever bytes somebody has written."""

    options = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"

    def test_bytes(self) -> None:
        """K63: a text that is not UTF-8 makes its record be skipped, and no other."""
        engine = self.opened()
        self.add(engine, 1, 2)
        self.sql("""UPDATE "CL_Test" SET remarks = E'\\xe9' WHERE record_id = 1""")
        with engine.transaction(1.0) as tx:
            self.assertEqual([each.record_id for each in tx.records(self.list, [1, 2])], [2])
            self.assertEqual(tx.unreadable(self.list, 1), "remarks")


class SchemaTests(PostgreSQLTestCase):
    """Our own tables: made where there are none, never changed by the server."""

    def migrate(self, *, sql: bool = False) -> tuple[str, str]:
        """Return what was said, and the statements."""
        written: list[str] = []
        said = migrate_store(PostgreSQLSettings(self.url), written.append if sql else None)
        return said, "".join(written)

    def test_earlier(self) -> None:
        """Tables of an earlier version end the start with the command to run; that brings them up to date."""
        script: list[str] = []
        print_revisions("postgresql", None, script.append, until="0008")
        self.sql("".join(script))
        for name, value in enumerated(COUNTERS_BEFORE):
            self.sql(f"INSERT INTO ocsgw_counter VALUES ('{name}', {value})")
        error = self.assertRaises(StoreVersionError, self.engine().open, self.directory)
        self.assertIn("ocsgw migrate -c FILE", str(error))
        _, statements = self.migrate(sql=True)
        self.assertIn("CREATE TABLE ocsgw_batch", statements)
        self.assertNotIn("CREATE TABLE ocsgw_handle", statements)
        self.assertRaises(StoreVersionError, self.engine().open, self.directory)
        self.sql(statements)
        counters = [(name, int(value)) for name, value in self.sql("SELECT * FROM ocsgw_counter ORDER BY value")]
        self.assertEqual(counters, enumerated(COUNTERS_AFTER))
        self.opened().close()
        self.assertIn("are up to date", self.migrate()[0])

    def test_by_hand(self) -> None:
        """All of it can be made by hand, and by the command, in a database that has nothing."""
        self.assertIn(f"brought from schema none to {HEAD}", self.migrate()[0])
        self.opened().close()

    def test_later(self) -> None:
        """Tables of a later version are left alone, and so are some that are missing."""
        self.opened().close()
        self.sql("ALTER TABLE ocsgw_batch RENAME TO away")
        error = self.assertRaises(StoreVersionError, self.engine().open, self.directory)
        self.assertIn("tables of ocsgw are missing in", str(error))
        self.sql("UPDATE ocsgw_alembic_version SET version_num = '9999'")
        error = self.assertRaises(StoreVersionError, self.engine().open, self.directory)
        self.assertIn("made by a later ocsgw (schema 9999", str(error))

    def test_parameters(self) -> None:
        """Parameters are found everywhere but in literals, names and casts."""
        self.assertEqual(
            numbered("SELECT ':a?%'::text, \"b:c\", :d + :e FROM t WHERE x % :d = 0"),
            (b"SELECT ':a?%'::text, \"b:c\", $1 + $2 FROM t WHERE x % $1 = 0", ("d", "e")),
        )
        self.assertEqual(numbered("SELECT '?', ? + ?::int"), (b"SELECT '?', $1 + $2::int", ()))

    def test_cannot_connect(self) -> None:
        """Why the store cannot be opened is said with its place, and without the password."""
        error = self.assertRaises(StoreError, self.engine("postgresql://ocsgw@127.0.0.1:1/x").open, self.directory)
        self.assertIn("the store x on 127.0.0.1 cannot be opened: ", str(error))
        self.assertNotIn("tests-only", str(error))
