"""Transactions of several servers beside each other on one database: what each of them locks, sees and reserves."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from unittest import mock

import psycopg

from ocsgw.contact.answer_statements import StoredAnswer
from ocsgw.contact.outbox import GroupChanged, entry_of
from ocsgw.contact.transaction import (
    DncLookup,
    GroupStatus,
    Handle,
    Handout,
    NotAloneError,
    Record,
    RefusedByTableError,
    Transaction,
    Window,
)
from ocsgw.protocol.attributes import INT32_MAX
from ocsgw.store.errors import StoreBusyError
from ocsgw.store.lease import PairMember
from ocsgw.store.postgresql.connection import Connection
from ocsgw.store.postgresql.engine import PostgreSQLEngine
from tests.store.contract import new_record
from tests.support.case import ClockTestCase
from tests.support.postgresql_store import PostgreSQLSettings, new_database
from tests.support.reports import unreported
from tests.support.rules import NOW, make_directory

_PATIENCE = 20.0
# Long enough for a statement, and soon over for one that waits for somebody.
_SHORT = 0.3
_LEASE = 60.0


class SharedTests(ClockTestCase):
    """Two engines that both serve; the first has begun a transaction that is still under way."""

    def setUp(self) -> None:
        super().setUp()
        self.directory = make_directory()
        self.list = self.directory.calling_lists[0]
        self.settings = PostgreSQLSettings(new_database(self))
        self.one, self.two = self.engine("one"), self.engine("two")

    def engine(self, name: str) -> PostgreSQLEngine:
        """Return a server that has opened the store."""
        engine = PostgreSQLEngine(self.settings, unreported, member=PairMember(name, _LEASE, 1.0, all_serve=True))
        engine.open(self.directory)
        self.addCleanup(engine.close)
        return engine

    def shared(self, engine: PostgreSQLEngine, wait: float = _PATIENCE) -> AbstractContextManager[Transaction]:
        """Begin a transaction beside others."""
        return engine.transaction(wait, alone=False)

    def fill(self, chains: Iterable[tuple[int, int]]) -> None:
        """Add records, as (record id, chain id)."""
        records = [new_record(each, chain_id=chain, chain_n=max(0, each - chain)) for each, chain in chains]
        with self.one.transaction(_PATIENCE) as tx:
            tx.insert_records(self.list, records)

    def windows(self, tx: Transaction) -> dict[Window, int]:
        """Return all windows, as open."""
        return dict.fromkeys(tx.windows(self.list, [301], [""]), 43200)

    def ready(self, tx: Transaction, at_most: int) -> list[Record]:
        """Return ready records, in their order."""
        found = tx.ready_records(self.list, self.windows(tx), NOW, at_most)
        return sorted((each for of_window in found for each in of_window), key=lambda each: each.record_id)

    def ids(self, tx: Transaction, at_most: int) -> list[int]:
        """Return the ids of ready records."""
        return [each.record_id for each in self.ready(tx, at_most)]

    def at_once(self, work: Callable[[PostgreSQLEngine], list[int]]) -> list[list[int]]:
        """Return what each engine gives when both work at the same time."""
        barrier = threading.Barrier(2)

        def begin(engine: PostgreSQLEngine) -> list[int]:
            barrier.wait(_PATIENCE)
            return work(engine)

        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(begin, (self.one, self.two)))

    # Records.

    def test_claims(self) -> None:
        """Records that another server is at are passed over, and nobody waits."""
        self.fill((at, at) for at in range(1, 7))
        with self.shared(self.one) as one, self.shared(self.two, _SHORT) as two:
            self.assertEqual(self.ids(one, 3), [1, 2, 3])
            self.assertEqual(self.ids(two, 3), [4, 5, 6])
            one.demand_all_ready(self.list, {}, NOW)

    def test_nothing_left(self) -> None:
        """Who finds less than is there says so instead of "empty"; once the other has taken it, that is the truth."""
        self.fill([(1, 1), (2, 2)])
        with self.shared(self.one) as one:
            self.assertEqual(self.ids(one, 2), [1, 2])
            one.demand_all_ready(self.list, self.windows(one), NOW)
            with self.shared(self.two, _SHORT) as two:
                self.assertEqual(self.ids(two, 1), [])
                self.assertRaises(NotAloneError, two.demand_all_ready, self.list, self.windows(two), NOW)
            one.change_records(self.list, {1: {"record_status": 2}, 2: {"record_status": 2}})
        with self.shared(self.two) as two:
            two.demand_all_ready(self.list, self.windows(two), NOW)
            self.assertEqual(self.ids(two, 1), [])

    def test_chains(self) -> None:
        """A chain of which another server has a record is nobody's, and does not count as none."""
        self.fill([(1, 1), (2, 1), (3, 3)])
        with self.shared(self.one) as one, self.shared(self.two, _SHORT) as two:
            self.assertEqual(self.ids(one, 1), [1])
            self.assertEqual(self.ids(two, 2), [2, 3])
            self.assertEqual([each.record_id for each in two.free_chains(self.list, [1, 3])], [3])
            self.assertRaises(NotAloneError, two.demand_all_ready, self.list, self.windows(two), NOW)
            self.assertEqual(one.free_chains(self.list, [1]), [])

    def test_chain_that_went_out(self) -> None:
        """A chain of which another server has handed out a record between two statements is not handed out again."""
        self.fill([(1, 1), (2, 1)])
        with self.shared(self.one) as one:
            self.assertEqual(self.ids(one, 1), [1])
            with self.shared(self.two) as two:
                two.change_records(self.list, {2: {"record_status": 2}})
            self.assertEqual(one.free_chains(self.list, [1]), [])
            one.demand_all_ready(self.list, self.windows(one), NOW)

    def test_alone(self) -> None:
        """Who has to be alone waits for all others, and they for it; beside others that is said."""
        with self.shared(self.one) as one:
            one.newest_news()
            self.assertRaises(NotAloneError, one.demand_alone)
            with self.assertRaises(StoreBusyError), self.two.transaction(_SHORT):
                pass
        with self.two.transaction(_PATIENCE) as two:
            two.newest_news()
            two.demand_alone()
            with self.assertRaises(StoreBusyError), self.shared(self.one, _SHORT):
                pass

    # Hand-outs.

    def test_handouts(self) -> None:
        """A hand-out is used by one server at a time; the next one sees what the last has made of it."""
        self.fill([(1, 1)])
        with self.shared(self.one) as one:
            number = one.new_handles(1)
            handout = Handout(number, self.list.dbid, 1, 1, 102, "a", NOW, 600, NOW + 600, [])
            one.open_handouts([handout], [Handle(number, number, self.list.dbid, 1, 1, "G")])
        with self.shared(self.one) as one:
            self.assertEqual(len(one.handouts_of_handles([number])), 1)
            with self.assertRaises(StoreBusyError), self.shared(self.two, _SHORT) as two:
                two.handouts_of_handles([number])
            one.close_handouts([number])
        with self.shared(self.two) as two:
            self.assertEqual(two.handouts_of_handles([number]), [])

    # Numbers.

    def test_added_at_once(self) -> None:
        """Both add to one list at the same time: no record id, chain id or handle twice."""

        def work(engine: PostgreSQLEngine) -> list[int]:
            numbers = []
            for _ in range(30):
                with self.shared(engine) as tx:
                    admission = tx.before_adding(self.list, 1, tuple, NOW)
                    record = new_record(admission.record_id + 1, chain_id=admission.chain_id + 1)
                    tx.insert_records(self.list, [record])
                    numbers += [record.record_id, -record.chain_id, (tx.new_handles(200) << 32)]
            return numbers

        one, two = self.at_once(work)
        self.assertEqual(len({*one, *two}), 180)

    def test_numbers_of_others(self) -> None:
        """A number that another program has used meanwhile is passed over, with all before it."""
        with self.shared(self.one) as one:
            first = one.before_adding(self.list, 1, tuple, NOW)
        with self.two.transaction(_PATIENCE) as other:
            other.insert_records(self.list, [new_record(first.record_id + 2)])
        with self.shared(self.one) as one:
            self.assertGreater(one.before_adding(self.list, 1, tuple, NOW).record_id, first.record_id + 2)

    def test_undone(self) -> None:
        """What was reserved in a transaction that is undone may be given to somebody else, and is forgotten here."""

        def fail(tx: Transaction) -> None:
            tx.before_adding(self.list, 1, tuple, NOW)
            raise RefusedByTableError("reason")

        def fail_as_a_whole() -> None:
            with self.shared(self.one) as one:
                fail(one)

        def fail_in_part(tx: Transaction) -> None:
            with tx.savepoint():
                fail(tx)

        self.assertRaises(RefusedByTableError, fail_as_a_whole)
        with self.shared(self.two) as two:
            self.assertEqual(two.before_adding(self.list, 1, tuple, NOW).record_id, 0)
        with self.shared(self.one) as one:
            one.new_handles(1)
            self.assertRaises(RefusedByTableError, fail_in_part, one)
            kept = one.before_adding(self.list, 1, tuple, NOW).record_id
        with self.shared(self.two) as two:
            self.assertNotEqual(two.before_adding(self.list, 1, tuple, NOW).record_id, kept)

    def test_not_reserved(self) -> None:
        """Numbers whose reservation in advance was not committed belong to nobody."""
        with self.shared(self.one) as one:
            one.before_adding(self.list, 1, tuple, NOW)
            one.before_adding(self.list, 1500, lambda: [DncLookup("", "", (), ())] * 1500, NOW)
        control = Connection.control
        failed: list[tuple[str, ...]] = []

        def fail(connection: Connection, *texts: str) -> None:
            if texts[-1] == "COMMIT" and not failed:
                failed.append(texts)
                control(connection, "ROLLBACK")
                raise psycopg.errors.AdminShutdown
            control(connection, *texts)

        with mock.patch.object(Connection, "control", fail), self.shared(self.one) as one:
            kept = one.before_adding(self.list, 1, tuple, NOW).record_id
        with self.shared(self.two) as two:
            self.assertNotEqual(two.before_adding(self.list, 1, tuple, NOW).record_id, kept)

    def test_last_numbers(self) -> None:
        """The last numbers of 32 bits are given out by who is alone."""
        self.fill([(INT32_MAX - 1, 1)])
        with self.shared(self.one) as one:
            self.assertRaises(NotAloneError, one.before_adding, self.list, 1, tuple, NOW)
        with self.one.transaction(_PATIENCE) as alone:
            self.assertEqual(alone.before_adding(self.list, 1, tuple, NOW).record_id, INT32_MAX - 1)

    def test_handed_out_numbers(self) -> None:
        """The numbers of records of other programs that are handed out are not given to new ones (H200)."""
        self.fill([(40, 50)])
        with self.one.transaction(_PATIENCE) as alone:
            alone.delete_records(self.list, [])
        with self.shared(self.one) as one:
            number = one.new_handles(1)
            handout = Handout(number, self.list.dbid, 50, 40, 102, "a", NOW, 600, NOW + 600, [])
            one.open_handouts([handout], [Handle(number, number, self.list.dbid, 40, 1, "G")])
            one.change_records(self.list, {40: {"record_status": 3}})
        with self.two.transaction(_PATIENCE) as two:
            two.delete_records(self.list, [40])
        with self.shared(self.two) as two:
            admission = two.before_adding(self.list, 1, tuple, NOW)
            self.assertGreaterEqual((admission.record_id, admission.chain_id), (40, 50))

    def test_groups(self) -> None:
        """After a change of a group's state handles begin behind those that were reserved before."""
        with self.shared(self.one) as one:
            one.group_statuses()
            one.new_handles(1)
        with self.two.transaction(_PATIENCE) as two:
            before = two.new_handles(1)
            two.save_group_status(GroupStatus(102, "started", "Preview", "G"))
        with self.shared(self.one) as one:
            one.group_statuses()
            self.assertGreater(one.new_handles(1), before)

    # Keys.

    def test_keys(self) -> None:
        """Who asks for a key that another server is using waits for it, and gets its answer."""
        key, answer = ("principal", "key"), StoredAnswer(b"\1", {"GSW_USER_EVENT": "x"}, NOW + 60)
        with self.shared(self.one) as one:
            self.assertEqual(one.stored_answers([key, key], NOW), {})
            with self.assertRaises(StoreBusyError), self.shared(self.two, _SHORT) as two:
                two.stored_answers([key], NOW)
            one.store_answers({key: answer})
        with self.shared(self.two) as two:
            self.assertEqual(two.stored_answers([key], NOW), {key: answer})

    # The outbox.

    def test_outbox(self) -> None:
        """Numbers appear in their order, without gaps: a reader passes over none while both append."""
        change = GroupChanged("CampaignStarted", {"GSW_CAMPAIGN_GROUP_DBID": 102}, "started", "G")

        def work(engine: PostgreSQLEngine) -> list[int]:
            seen: list[int] = []
            for _ in range(30):
                with self.shared(engine) as tx:
                    tx.append_outbox([entry_of(change, NOW)] * 3)
                with self.shared(engine) as tx:
                    seen += [each.number for each in tx.outbox_after(seen[-1] if seen else 0, 1000)]
            return seen

        for seen in self.at_once(work):
            self.assertGreaterEqual(len(seen), 90)
            self.assertEqual(seen, list(range(1, len(seen) + 1)))

    def test_news(self) -> None:
        """News without an entry of the outbox wait for it, too: who reads them passes over none."""
        with self.shared(self.one) as one:
            one.append_news("one", ["{}"], NOW)
            with self.assertRaises(StoreBusyError), self.shared(self.two, _SHORT) as two:
                two.append_news("two", ["{}"], NOW)
