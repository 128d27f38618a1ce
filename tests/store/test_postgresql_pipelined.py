"""Batches that are sent to PostgreSQL in one message, beside each other: what is checked, and what becomes of them."""

import contextlib
import select
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from ocsgw.contact.answer_statements import StoredAnswer
from ocsgw.contact.batch import execute
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork
from ocsgw.protocol.attributes import INT32_MAX
from ocsgw.store.errors import CommitUnknownError, NotPipelinedError, NotPrimaryError
from ocsgw.store.lease import PairMember
from ocsgw.store.postgresql.engine import PostgreSQLEngine
from ocsgw.store.postgresql.numbers import AHEAD
from ocsgw.store.postgresql.writers import PipelinedBatch, Writers
from tests.support.case import ClockTestCase
from tests.support.postgresql import PgBouncer, Relay, shared_postgresql
from tests.support.postgresql_store import PostgreSQLSettings, new_database
from tests.support.reports import unreported
from tests.support.rules import NOW, add_record, make_directory, pending

PATIENCE = 20.0
_LEASE = 60.0


def do_not_call(phone: str) -> dict[str, Any]:
    """Return the key-values of a DoNotCall."""
    return {"GSW_AGENT_REQ_TYPE": "DoNotCall", "GSW_PHONE": phone}


class PipelinedTestCase(ClockTestCase):
    """A database of its own, and an engine with two further writers."""

    prepared_statements = False

    def setUp(self) -> None:
        super().setUp()
        self.server = shared_postgresql()
        self.url = new_database(self)
        self.name = self.url.rpartition("/")[2]
        self.directory = make_directory()

    def opened(self, url: str | None = None, **options: Any) -> PostgreSQLEngine:
        """Return an engine that is open and ready for batches."""
        settings = PostgreSQLSettings(url or self.url, prepared_statements=self.prepared_statements, writers=2)
        engine = PostgreSQLEngine(settings, unreported, **options)
        self.addCleanup(engine.close)
        if engine.lease is None:
            engine.open(self.directory)
            self.prepare(engine)
        return engine

    def pipeline(self, engine: PostgreSQLEngine) -> Writers:
        """Return the writers of an engine."""
        assert engine.pipeline is not None
        return engine.pipeline

    def prepare(self, engine: PostgreSQLEngine) -> None:
        """Connect the writers, and reserve numbers."""
        pipeline = self.pipeline(engine)
        for _ in range(2):
            self.assertRaises((NotPipelinedError, AssertionError), self.built, engine, add_record())
            self.assertTrue(pipeline.needs_preparation)
            pipeline.prepare(PATIENCE)
        self.assertFalse(pipeline.needs_preparation)

    def settings(self, engine: PostgreSQLEngine) -> tuple[list[str], list[str]]:
        """Return what the transactions of a writer begin with, and what is set in its session."""
        writer = self.pipeline(engine)._writers[0]
        assert writer.connection is not None
        names = ("lock_timeout", "enable_seqscan", "jit", "max_parallel_workers_per_gather")
        return writer.settings, [writer.connection.rows(f"SHOW {name}")[0][0] for name in names]

    def unit(self, tx: Any) -> UnitOfWork:
        """Return a unit of work."""
        return UnitOfWork(tx, NOW, self.directory, new_guid=lambda: "G" * 32)

    def built(self, engine: PostgreSQLEngine, *data: Any, key: str | None = None) -> PipelinedBatch:
        """Return a batch of these requests that has not been sent."""
        batch = self.pipeline(engine).begin()
        assert batch is not None
        requests = [pending(each, key=key, keep_for=60) if key else pending(each) for each in data]
        try:
            self.carry_out(batch.tx, requests)
        except BaseException:
            batch.give_up()
            raise
        return batch

    def carry_out(self, tx: Any, requests: Sequence[PendingRequest]) -> None:
        """Carry out requests in a transaction."""
        unit = self.unit(tx)
        self.outcomes = execute(unit, requests, lambda pending, error: self.fail(repr(error)))
        unit.store_outbox()

    def sent(self, engine: PostgreSQLEngine, *data: Any, key: str | None = None) -> PipelinedBatch:
        """Return a batch on its way."""
        batch = self.built(engine, *data, key=key)
        self.assertTrue(batch.send())
        return batch

    def landed(self, batch: PipelinedBatch) -> bool:
        """Wait for the end of a batch, and return whether it is surely committed."""
        until = time.monotonic() + PATIENCE
        with contextlib.suppress(Exception):
            while True:
                self.assertLess(time.monotonic(), until)
                select.select([batch.fileno()], [batch.fileno()] if batch.is_sending else [], [], 1.0)
                if batch.proceed():
                    break
        return batch.was_committed()

    def usual(self, engine: PostgreSQLEngine, *data: Any) -> None:
        """Carry requests out in the usual way."""
        with engine.transaction(PATIENCE) as tx:
            self.carry_out(tx, [pending(each) for each in data])

    def refused(self, batch: PipelinedBatch) -> None:
        """Expect that a batch has changed nothing, and that its writer is free again."""
        self.assertFalse(self.landed(batch))
        self.assertFalse(batch.settle(PATIENCE))

    def sql(self, text: str) -> list[list[str]]:
        """Carry out a statement as another program does."""
        return self.server.query(text, self.name)

    def stored(self) -> list[tuple[int, str]]:
        """Return numbers and contacts of the records."""
        rows = self.sql('SELECT record_id, contact_info FROM "CL_Test" ORDER BY 1')
        return [(int(number), contact) for number, contact in rows]

    def counter(self) -> int:
        """Return the counter of record ids."""
        return int(self.sql("SELECT value FROM ocsgw_counter WHERE name = 'CL_Test record'")[0][0])

    @contextlib.contextmanager
    def held(self) -> Any:
        """Keep the counter of the outbox, so that no batch comes to its end."""
        with psycopg.connect(f"{self.server.url(self.name)}?password=tests-only") as other:
            other.execute("INSERT INTO ocsgw_counter VALUES ('outbox', 0) ON CONFLICT (name) DO UPDATE SET value = 0")
            yield
            other.rollback()


class PipelinedTests(PipelinedTestCase):
    """A single server."""

    def test_batches(self) -> None:
        """A batch adds records with the next numbers and one entry of the outbox for all; it is answered as ever."""
        engine = self.opened()
        self.assertTrue(self.landed(self.sent(engine, add_record("1"), add_record("2"))))
        self.assertTrue(self.landed(self.sent(engine, add_record("3"))))
        self.assertEqual(self.stored(), [(1, "1"), (2, "2"), (3, "3")])
        self.assertEqual(self.sql("SELECT number, record_id FROM ocsgw_outbox ORDER BY 1"), [["1", "1"], ["2", "3"]])
        (outcome,) = self.outcomes
        assert isinstance(outcome.reply, dict)
        self.assertEqual(outcome.reply["GSW_CHAIN_ID"], 3)

    def test_settings(self) -> None:
        """What holds for each transaction is set once, where nobody else has the session."""
        engine = self.opened()
        self.assertEqual(self.settings(engine), ([], ["1s", "off", "off", "0"]))

    def test_beside_each_other(self) -> None:
        """Two batches are on their way at the same time; there is no room for a third."""
        engine = self.opened()
        with self.held():
            batches = [self.sent(engine, add_record("1")), self.sent(engine, add_record("2"))]
            self.assertTrue(self.pipeline(engine).is_full)
            self.assertIsNone(self.pipeline(engine).begin())
        self.assertEqual([self.landed(batch) for batch in batches], [True, True])
        self.assertFalse(self.pipeline(engine).is_full)
        self.assertEqual(self.stored(), [(1, "1"), (2, "2")])
        self.assertEqual(self.sql("SELECT number FROM ocsgw_outbox ORDER BY 1"), [["1"], ["2"]])

    def test_waits_for_too_long(self) -> None:
        """Who has to wait for a lock for long is refused: there is a way on which that keeps nobody."""
        engine = self.opened()
        with self.held():
            self.refused(self.sent(engine, add_record("1")))
        self.assertEqual(self.stored(), [])

    def test_numbers(self) -> None:
        """Numbers ascend whichever way records are added; what is left of a reservation is given back at the end."""
        engine = self.opened()
        self.assertEqual(self.counter(), AHEAD)
        for number in range(1, 5):
            if number % 2:
                self.assertTrue(self.landed(self.sent(engine, add_record(str(number)))))
            else:
                self.usual(engine, add_record(str(number)))
        self.assertEqual(self.counter(), AHEAD)
        engine.close()
        self.assertEqual(self.counter(), 4)
        self.usual(again := self.opened(), add_record("5"))
        again.close()
        self.assertEqual([number for number, _ in self.stored()], [1, 2, 3, 4, 5])

    def test_more_numbers(self) -> None:
        """A batch that leaves few numbers raises the counter, one at a time; in the usual way a block may end, too."""
        engine = self.opened()
        half = [add_record(str(number)) for number in range(AHEAD // 2 + 1)]
        one = self.sent(engine, *half)
        two = self.sent(engine, *half[:9])
        self.assertEqual([self.landed(one), self.landed(two)], [True, True])
        self.assertEqual(self.counter(), 2 * AHEAD)
        self.usual(engine, *half)
        self.assertTrue(self.landed(self.sent(engine, *half)))
        self.assertEqual([number for number, _ in self.stored()], list(range(1, 3 * len(half) + 10)))

    def test_refused_numbers(self) -> None:
        """Numbers of a batch that was refused are given out by nobody, and a counter that was not raised stays so."""
        engine = self.opened()
        self.usual(engine, do_not_call("2"))
        self.refused(self.sent(engine, *(add_record("2") for _ in range(AHEAD // 2 + 1))))
        self.assertEqual(self.counter(), AHEAD)
        self.assertTrue(self.landed(self.sent(engine, add_record("3"))))
        self.assertEqual(self.stored(), [(AHEAD // 2 + 2, "3")])

    def test_last_numbers(self) -> None:
        """The last numbers of 32 bits are not reserved."""
        engine = self.opened()
        self.sql(f"UPDATE ocsgw_counter SET value = {INT32_MAX - AHEAD} WHERE name = 'CL_Test record'")
        self.usual(engine, add_record("1"))
        self.assertRaises(NotPipelinedError, self.built, engine, add_record("2"))
        self.pipeline(engine).prepare(PATIENCE)
        self.assertRaises(NotPipelinedError, self.built, engine, add_record("2"))
        self.assertEqual(self.counter(), INT32_MAX - AHEAD + 1)

    def test_checks(self) -> None:
        """What the batch could not ask is checked: contacts, ids of other programs, rows that a trigger leaves out."""
        engine = self.opened()
        self.usual(engine, do_not_call("6505550101"))
        self.refused(self.sent(engine, add_record("1"), add_record("(650) 555-0101")))
        self.sql("INSERT INTO \"CL_Test\" (record_id, contact_info, chain_id, chain_n) VALUES (4, 'x', 9, 0)")
        self.refused(self.sent(engine, add_record("3"), add_record("4"), add_record("5")))
        self.sql('DELETE FROM "CL_Test"')
        self.sql(
            "CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.contact_info = '6' THEN RETURN NULL; END IF; RETURN NEW; END $$"
        )
        self.sql('CREATE TRIGGER leaving BEFORE INSERT ON "CL_Test" FOR EACH ROW EXECUTE FUNCTION leave()')
        self.refused(self.sent(engine, add_record("5"), add_record("6")))
        self.assertEqual(self.stored(), [])
        self.assertEqual(self.sql("SELECT count(*) FROM ocsgw_outbox WHERE kind = 'AddRecord'"), [["0"]])
        self.assertTrue(self.landed(self.sent(engine, add_record("7"))))

    def test_entries(self) -> None:
        """While the do-not-call table is known to be empty nothing is looked up in it; then any entry is too much."""
        engine = self.opened()
        lookups = []
        batch = self.sent(engine, add_record("1"))
        self.assertNotIn("probes", {name for _, given in batch.tx.statements for name in given})
        self.assertTrue(self.landed(batch))
        self.sql("INSERT INTO gsw_donotcall_list (phone) VALUES ('2')")
        self.refused(self.sent(engine, add_record("3")))
        # Now it is not known, and what is not blocked goes through; so it does when it was asked for.
        for phone in ("4", "5"):
            lookups.append(self.sent(engine, add_record(phone)))
            self.assertTrue(self.landed(lookups[-1]))
            self.assertEqual(self.pipeline(engine).needs_preparation, phone == "4")
            self.pipeline(engine).prepare(PATIENCE)
        self.refused(self.sent(engine, add_record("6"), add_record("2")))
        for batch in lookups:
            self.assertIn("probes", {name for _, given in batch.tx.statements for name in given})
        self.assertEqual([contact for _, contact in self.stored()], ["1", "4", "5"])

    def test_entry_of_ours(self) -> None:
        """An entry that this server has made is known to it."""
        engine = self.opened()
        self.usual(engine, do_not_call("2"))
        self.assertTrue(self.landed(self.sent(engine, add_record("3"))))
        self.refused(self.sent(engine, add_record("2")))

    def test_keys(self) -> None:
        """An acknowledgement is stored under its key; a key that was used before is left to the usual way."""
        engine = self.opened()
        self.assertTrue(self.landed(self.sent(engine, add_record("1"), key="k")))
        self.refused(self.sent(engine, add_record("1"), key="k"))
        self.assertEqual(self.stored(), [(1, "1")])
        with engine.transaction(PATIENCE) as tx:
            (answer,) = tx.stored_answers([("", "k")], NOW).values()
            self.assertEqual(answer.event["GSW_CHAIN_ID"], 1)
            tx.store_answers({("", "k"): StoredAnswer(b"", {}, NOW)})
        self.assertTrue(self.landed(self.sent(engine, add_record("2"), key="k")))

    def test_needs_answers(self) -> None:
        """What has to ask first is not sent; nor is what changes nothing. What no table can store is refused."""
        engine = self.opened()
        for data in (add_record(GSW_CHAIN_ID=1), do_not_call("1")):
            self.assertRaises(NotPipelinedError, self.built, engine, data)
        batch = self.built(engine, add_record("1", "CL_Unknown"))
        self.assertRaises(NotPipelinedError, batch.send)
        batch.give_up()
        self.refused(self.sent(engine, add_record("1", CustomerID="\0")))
        self.assertTrue(self.landed(self.sent(engine, add_record("2"))))

    def test_table_was_changed(self) -> None:
        """A table with other columns refuses the batch; the next one is as good as any."""
        engine = self.opened()
        for number in range(10):
            self.assertTrue(self.landed(self.sent(engine, add_record(str(number)))))
        self.sql('ALTER TABLE "CL_Test" RENAME COLUMN remarks TO other')
        self.refused(self.sent(engine, add_record("20")))
        self.sql('ALTER TABLE "CL_Test" RENAME COLUMN other TO remarks')
        if self.pipeline(engine).begin() is None:
            self.pipeline(engine).prepare(PATIENCE)
        self.assertEqual(len(self.stored()), 10)


class PreparedTests(PipelinedTests):
    """The same with statements that are prepared."""

    prepared_statements = True


class ConnectionTests(PipelinedTestCase):
    """Connections that end, are not answered, or cannot be made."""

    def relayed(self, **options: Any) -> tuple[Relay, PostgreSQLEngine]:
        """Return an engine whose way to the server can be held up."""
        relay = Relay(self.server.port)
        self.addCleanup(relay.remove)
        return relay, self.opened(self.server.url(self.name, relay.port), **options)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        until = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), until)
            time.sleep(0.01)

    def test_answer_is_lost(self) -> None:
        """A batch whose answer was lost is looked up: it was committed."""
        relay, engine = self.relayed()
        with self.held():
            batch = self.sent(engine, add_record("1"))
            self.wait_for(lambda: bool(self.sql("SELECT 1 FROM pg_locks WHERE NOT granted")))
            relay.hold()
        self.wait_for(lambda: len(self.stored()) == 1)
        relay.cut()
        relay.let_go()
        self.assertFalse(self.landed(batch))
        self.assertTrue(batch.settle(PATIENCE))
        self.assertTrue(self.landed(self.sent(engine, add_record("2"))))
        self.assertEqual(self.stored(), [(1, "1"), (2, "2")])

    def test_batch_is_lost(self) -> None:
        """A batch that has not arrived is looked up, too, and given up: it stays so whatever arrives later."""
        relay, engine = self.relayed()
        relay.hold()
        batch = self.sent(engine, add_record("1"))
        relay.cut()
        relay.let_go()
        self.assertFalse(self.landed(batch))
        self.assertFalse(batch.settle(PATIENCE))
        self.assertTrue(self.landed(self.sent(engine, add_record("2"))))
        self.assertEqual(self.stored(), [(2, "2")])

    def test_unknown(self) -> None:
        """Where nobody answers it remains unknown; later there are connections again."""
        now = [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds

        relay, engine = self.relayed(clock=lambda: now[0], sleep=sleep)
        relay.hold()
        batch = self.sent(engine, add_record("1"))
        relay.remove()
        self.assertFalse(self.landed(batch))
        self.assertRaises(CommitUnknownError, batch.settle, 1.0)
        pipeline = self.pipeline(engine)
        # The other connection is as dead as the first one.
        self.assertIsNone(pipeline.begin())
        pipeline.prepare(1.0)
        self.assertIsNone(pipeline.begin())
        self.assertFalse(pipeline.needs_preparation)
        now[0] += 60.0
        self.assertTrue(pipeline.needs_preparation)

    def test_closed_while_idle(self) -> None:
        """A connection that has ended while nobody used it is made again."""
        engine = self.opened()
        self.sql("SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE application_name = 'ocsgw'")
        self.assertIsNone(self.pipeline(engine).begin())
        self.pipeline(engine).prepare(PATIENCE)
        self.assertTrue(self.landed(self.sent(engine, add_record("1"))))

    def test_no_answer(self) -> None:
        """A server that does not answer at all is not waited for without an end."""
        relay, engine = self.relayed(patience=0.1)
        relay.hold()
        batch = self.sent(engine, add_record("1"))
        self.patch(engine, "_is_alive", lambda: False)
        self.assertFalse(self.landed(batch))
        relay.let_go()
        # What has waited on the way may arrive before it is looked up.
        is_there = batch.settle(PATIENCE)
        self.assertEqual(self.stored(), [(1, "1")] if is_there else [])

    def test_large(self) -> None:
        """A batch for which the connection has no room is sent piece by piece."""
        relay, engine = self.relayed()
        relay.hold()
        batch = self.sent(engine, *(add_record(str(each), Remarks="x" * 255) for each in range(2000)))
        relay.let_go()
        self.assertTrue(self.landed(batch))
        self.assertEqual(len(self.stored()), 2000)

    def test_pooler(self) -> None:
        """Behind PgBouncer in transaction mode every batch may have another connection."""
        pooler = PgBouncer(self.server).start()
        self.addCleanup(pooler.remove)
        engine = self.opened(self.server.url(self.name, pooler.port))
        self.assertEqual(
            [each for each in self.settings(engine)[0] if "lock" in each], ["SET LOCAL lock_timeout = 1000"]
        )
        for number in range(1, 21):
            batches = [self.sent(engine, add_record(str(number))) for _ in range(2)]
            self.assertEqual([self.landed(batch) for batch in batches], [True, True])
        self.usual(engine, do_not_call("21"))
        self.refused(self.sent(engine, add_record("21")))
        self.assertEqual(len(self.stored()), 40)


class PairTests(PipelinedTestCase):
    """A pair."""

    def pair(self, name: str, renew_interval: float = _LEASE) -> PostgreSQLEngine:
        """Return a server of a pair that has opened the store."""
        engine = self.opened(member=PairMember(name, _LEASE, renew_interval))
        engine.open(self.directory)
        return engine

    def test_lease(self) -> None:
        """Only the primary sends batches; what it has sent is refused once the lease is somebody else's."""
        one, two = self.pair("one"), self.pair("two")
        assert one.lease is not None
        assert two.lease is not None
        self.assertIsNone(self.pipeline(one).begin())
        self.assertTrue(one.lease.take())
        one.use(self.directory)
        self.prepare(one)
        self.assertTrue(self.landed(self.sent(one, add_record("1"))))
        batch = self.built(one, add_record("2"))
        self.sql("UPDATE ocsgw_lease SET expires_at = 0")
        self.assertTrue(two.lease.take())
        self.assertTrue(batch.send())
        self.refused(batch)
        self.assertRaises(NotPrimaryError, self.usual, one, add_record("2"))
        self.assertIsNone(self.pipeline(one).begin())
        two.use(self.directory)
        self.prepare(two)
        self.assertTrue(self.landed(self.sent(two, add_record("3"))))
        # Numbers that the first one has reserved are left out.
        self.assertEqual(self.stored(), [(1, "1"), (AHEAD + 1, "3")])

    def test_renewal(self) -> None:
        """A lease that is to be renewed is renewed in the usual way."""
        one = self.pair("one", renew_interval=0.0)
        assert one.lease is not None
        self.assertTrue(one.lease.take())
        one.use(self.directory)
        self.pipeline(one).prepare(PATIENCE)
        self.assertIsNone(self.pipeline(one).begin())
        self.assertFalse(self.pipeline(one).needs_preparation)
