"""What is remembered of chains in process, and when it is not: others write, triggers act, statements fail."""

import contextlib
import sqlite3
from typing import Any, cast
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.contact.batch import Outcome
from ocsgw.contact.directory import CallingList
from ocsgw.contact.transaction import Handle, Handout, HandoutInProcess, Record, RefusedByTableError, StoreFailureError
from ocsgw.store.sqlite.chains import Chains
from ocsgw.store.sqlite.in_process import RememberingTransaction
from ocsgw.store.sqlite.transaction import SQLiteTransaction
from tests.support.remembered import demand_what_is_stored
from tests.support.rules import (
    RuleTestCase,
    add_record,
    by_handle,
    by_phone,
    make_directory,
    make_store,
    preview_record,
    remove_store,
)

# What others do to the tables, with the numbers of a record and of its handle.
_FOREIGN = {
    "ready again": "UPDATE CL_Test SET record_status = 1 WHERE record_id = {record}",
    "another contact": "UPDATE CL_Test SET contact_info = '77' WHERE record_id = {record}",
    "another status": "UPDATE CL_Test SET record_status = 5 WHERE record_id = {record}",
    "no number": "UPDATE CL_Test SET attempt = 'x' WHERE record_id = {record}",
    "deleted": "DELETE FROM CL_Test WHERE record_id = {record}",
    "another member": (
        "INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n, record_type, record_status)"
        " SELECT 9000 + record_id, '88', chain_id, 7, 2, 1 FROM CL_Test WHERE record_id = {record}"
    ),
    "handle deleted": "DELETE FROM ocsgw_handle WHERE handle = {handle}",
    "hand-out deleted": "DELETE FROM ocsgw_handout WHERE handout_id = {handle}",
    "group stopped": "UPDATE ocsgw_group SET state = 'loaded' WHERE {record} OR {handle}",
    "group started": "UPDATE ocsgw_group SET state = 'started' WHERE {record} OR {handle}",
    "blocked": (
        "INSERT INTO gsw_donotcall_list (phone, tenant_dbid, campaign_dbid, list_dbid) SELECT contact_info, 0, 0, 0"
        " FROM CL_Test WHERE record_id = {record} OR {handle} < 0"
    ),
}
_TRIGGERS = {
    "counts": (
        "AFTER UPDATE OF record_status ON CL_Test WHEN new.record_id % 3 = 0 BEGIN"
        " UPDATE CL_Test SET attempt = attempt + 1 WHERE record_id = new.record_id; END"
    ),
    "ignores": "BEFORE UPDATE ON CL_Test WHEN new.record_id % 3 = 1 BEGIN SELECT RAISE(IGNORE); END",
    "refuses": "BEFORE UPDATE ON CL_Test WHEN new.record_id % 3 = 2 BEGIN SELECT RAISE(ABORT, 'no'); END",
    "ends all": "BEFORE UPDATE ON CL_Test WHEN new.record_id % 3 = 2 BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
    "changes another": (
        "AFTER UPDATE ON CL_Test BEGIN UPDATE CL_Test SET call_result = 9 WHERE record_id = new.record_id - 1; END"
    ),
    "adds to the chain": (
        "AFTER INSERT ON ocsgw_handle BEGIN INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n,"
        " record_type, record_status) SELECT 5000 + record_id, '99', chain_id, 3, 2, 1 FROM CL_Test"
        " WHERE record_id = new.record_id; END"
    ),
    "ends hand-outs": "AFTER INSERT ON ocsgw_handle BEGIN DELETE FROM ocsgw_handle WHERE handle = new.handle; END",
    "keeps hand-outs out": "BEFORE INSERT ON ocsgw_handout BEGIN SELECT RAISE(IGNORE); END",
    "keeps updates out": "BEFORE UPDATE ON ocsgw_handle BEGIN SELECT RAISE(IGNORE); END",
    "keeps new times out": "BEFORE UPDATE ON ocsgw_handout BEGIN SELECT RAISE(IGNORE); END",
    "keeps their ends out": "BEFORE DELETE ON ocsgw_handle BEGIN SELECT RAISE(IGNORE); END",
}
_REQUESTS: dict[str, dict[str, Any]] = {
    "RecordProcessed": {"GSW_CALL_RESULT": 33},
    "UpdateCallCompletionStats": {"GSW_ATTEMPTS": 2},
    "RecordReschedule": {"GSW_CALLBACK_TYPE": "Campaign", "GSW_DATE_TIME": "09/21/2026 20:00"},
    "RecordReject": {},
    "RequestRecordCancel": {},
    "DoNotCall": {},
}
LIST = make_directory().calling_lists[0]
_STEP = st.one_of(
    st.tuples(st.just("previews"), st.integers(1, 3)),
    st.tuples(st.just("previews"), st.integers(1, 3)),
    st.tuples(st.just("by handle"), st.lists(st.tuples(st.sampled_from([*_REQUESTS]), st.integers(0, 5)), min_size=1)),
    st.tuples(st.just("both"), st.tuples(st.sampled_from([*_REQUESTS]), st.integers(0, 5))),
    st.tuples(st.just("by phone"), st.tuples(st.sampled_from(["DoNotCall", "RequestRecordCancel"]), st.integers(1, 9))),
    st.tuples(st.just("adds"), st.integers(0, 9)),
    st.tuples(st.just("foreign"), st.tuples(st.sampled_from([*_FOREIGN]), st.integers(0, 5))),
    st.tuples(st.just("trigger"), st.sampled_from([*_TRIGGERS])),
    st.tuples(st.just("no triggers"), st.none()),
    st.tuples(st.just("reload"), st.none()),
    st.tuples(st.just("time"), st.sampled_from([1, 700])),
)


def the_list(tx: SQLiteTransaction) -> CallingList:
    """Return the list of the tests as the store knows it."""
    return next(each for each in tx._tables.lists if each.table == "CL_Test")


class RememberedTests(RuleTestCase):
    """On a store."""

    def test_not_read_again(self) -> None:
        """Neither the hand-out nor the record is read as a result comes, or an update and a result after that."""
        handles = [self.hand_out(f"650555010{number}") for number in range(3)]
        read = mock.Mock(side_effect=AssertionError("read again"))
        with (
            mock.patch.object(RememberingTransaction, "handouts_of_handles", read),
            mock.patch.object(RememberingTransaction, "records_of_chains", read),
            # Which would read them to compare.
            mock.patch.object(self.store, "_check"),
        ):
            self.reply(by_handle("UpdateCallCompletionStats", handles[0], GSW_ATTEMPTS=4))
            replies = self.replies(*(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=33) for handle in handles))
        self.assertEqual({each["GSW_USER_EVENT"] for each in replies}, {"RecordProcessedAcknowledge"})
        rows = self.store.sql("SELECT record_status, call_result, attempt FROM CL_Test ORDER BY record_id")
        self.assertEqual(rows, [(3, 33, 4), (3, 33, 1), (3, 33, 1)])

    def test_read_where_others_wrote(self) -> None:
        """After any write of another program everything is read: what it has done counts."""
        handle = self.hand_out("6505550100")
        self.store.sql("UPDATE CL_Test SET attempt = 7")
        self.assertEqual(demand_what_is_stored(self.store.store), 0)
        self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=33))
        self.assertEqual(self.store.sql("SELECT attempt FROM CL_Test"), [(8,)])

    def test_only_lone_records(self) -> None:
        """Chains of several records are read, and so is one that gets another record meanwhile."""
        self.hand_out("1", "2")
        self.assertEqual(demand_what_is_stored(self.store.store), 0)
        chain = self.add("3")["GSW_CHAIN_ID"]
        self.preview()
        self.assertEqual(demand_what_is_stored(self.store.store), 1)
        self.add("4", GSW_CHAIN_ID=chain)
        self.assertEqual(demand_what_is_stored(self.store.store), 0)

    def test_many_kinds_in_a_batch(self) -> None:
        """Previews before and behind results, and an entry: the others stay remembered, and are what is stored."""
        first = [self.hand_out(f"65055501{number:02}") for number in range(4)]
        for number in range(4, 10):
            self.add(f"65055501{number:02}")
        replies = self.replies(
            preview_record(),
            by_handle("RecordProcessed", first[0], GSW_CALL_RESULT=33),
            by_phone("DoNotCall", "99"),
            by_handle("UpdateCallCompletionStats", first[1], GSW_ATTEMPTS=2),
            add_record("6505550150"),
            preview_record(),
        )
        self.assertNotIn("error", [key for each in replies for key in each])
        # Two of before without any request, one that was updated, and two new ones.
        self.assertEqual(demand_what_is_stored(self.store.store), 5)

    def test_ended_at_once(self) -> None:
        """A hand-out that another request of the same batch ends."""
        self.add("1")
        replies = self.replies(preview_record(), by_phone("RequestRecordCancel", "1"))
        names = [each["GSW_USER_EVENT"] for each in replies]
        self.assertEqual(names, ["PreviewRecord", "RecordCancelAcknowledge"])
        self.assertEqual(demand_what_is_stored(self.store.store), 0)
        self.assertEqual(self.refusal(by_handle("RecordReject", replies[0]["GSW_RECORD_HANDLE"]))[:3], "404")

    def test_updated_twice_at_once(self) -> None:
        """Two updates of a record in one batch: it stays remembered, as both have left it."""
        handle = self.hand_out("1")
        updates = (by_handle("UpdateCallCompletionStats", handle, GSW_ATTEMPTS=number) for number in (2, 5))
        self.replies(*updates)
        self.assertEqual(demand_what_is_stored(self.store.store), 1)
        self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=33))
        self.assertEqual(self.store.sql("SELECT attempt FROM CL_Test"), [(5,)])

    def test_what_does_not_fit(self) -> None:
        """An update that a column may store in another way: it is read when the next request comes."""
        handle = self.hand_out("6505550100")
        self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_PHONE="6505550101"))
        self.assertEqual(demand_what_is_stored(self.store.store), 0)

    def test_ignored(self) -> None:
        """A trigger that ignores the claim of a record, and says so to nobody: it is read when its result comes."""
        self.add("1")
        self.store.sql(f"CREATE TRIGGER ignores {_TRIGGERS['ignores']}")
        handle = self.preview()["GSW_RECORD_HANDLE"]
        self.assertEqual(self.store.sql("SELECT record_id, record_status FROM CL_Test"), [(1, 1)])
        self.assertEqual(demand_what_is_stored(self.store.store), 0)
        self.store.sql("DROP TRIGGER ignores")
        self.reply(by_handle("RecordReject", handle))

    def test_ignored_update(self) -> None:
        """The same for what an update says for the end of a hand-out."""
        for name, kept in (("keeps updates out", 2), ("keeps new times out", 4)):
            handle = self.hand_out("1")
            self.store.sql(f"CREATE TRIGGER ignores {_TRIGGERS[name]}")
            self.reply(by_handle("UpdateCallCompletionStats", handle, GSW_ATTEMPTS=3, GSW_RECORD_STATUS=4))
            self.assertEqual(demand_what_is_stored(self.store.store), 0)
            self.store.sql("DROP TRIGGER ignores")
            self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=33))
            rows = self.store.sql("SELECT record_status FROM CL_Test ORDER BY record_id DESC LIMIT 1")
            self.assertEqual(rows, [(3 if kept == 2 else 4,)], name)

    def test_table_that_replaces(self) -> None:
        """A table that deletes one row for another tells nobody: its records are read each time."""
        ((table,),) = self.store.sql("SELECT sql FROM sqlite_master WHERE name = 'CL_Test'")
        replacing = f"{table.rstrip().rstrip(')')}, UNIQUE (contact_info) ON CONFLICT REPLACE)"

        def check() -> None:
            handle = self.hand_out("1")
            self.add("1")
            for name, keys in _REQUESTS.items():
                self.assertEqual(self.refusal(by_handle(name, handle, **keys))[:3], "404", name)
            self.assertEqual(self.store.sql("SELECT record_status FROM CL_Test"), [(1,)])

        self.use_directory(self.make_directory(), tables=[replacing])
        check()
        # The same where somebody makes it such a table while we run.
        self.use_directory(self.make_directory())
        self.add("9")
        self.store.sql("DROP TABLE CL_Test")
        self.store.sql(replacing)
        check()

    def test_windows(self) -> None:
        """A record that gets ready, or another window while it is ready, is found in a window that nothing else has."""
        first = self.hand_out("1", GSW_TZ_NAME="CET")
        # Windows are read anew here, when the first record is in process.
        self.add("2", GSW_TZ_NAME="GMT")
        self.preview()
        self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.reply(by_handle("RecordReject", first))
        self.assertEqual(self.preview()["GSW_PHONE"], "1")
        self.add("3", GSW_TZ_NAME="GMT")
        ((number,),) = self.store.sql("SELECT record_id FROM CL_Test WHERE contact_info = '3'")
        for column, value in (("tz_dbid", 1011), ("daily_from", 3600), ("campaign_id", 0), ("record_type", 6)):
            with self.store.store.transaction(1.0) as tx:
                asked = the_list(tx), [0, 301], [""]
                before = {*tx.recent_windows(*asked)}
                tx.change_records(asked[0], {number: {column: value}})
                self.assertEqual({*tx.recent_windows(*asked)}, {*tx.windows(*asked)}, column)
                self.assertNotEqual({*tx.recent_windows(*asked)}, before, column)

    def test_windows_are_read_now_and_then(self) -> None:
        """One in which nothing is ready any more is forgotten after a while."""
        self.hand_out("1")
        with self.store.store.transaction(1.0) as tx:
            asked = the_list(tx), [0, 301], [""]
            known = [len(tx.recent_windows(*asked)) for _ in range(250)]
        self.assertEqual((known[0], known[-1]), (1, 0))
        self.assertLess(known.index(0), 102)

    def test_large_records(self) -> None:
        """Records with long texts are read, however they came by them: thousands of them would be gigabytes."""
        self.hand_out("1", Remarks="x" * 200)
        self.assertEqual(demand_what_is_stored(self.store.store), 1)
        for column in ("remarks", "contact_info"):
            self.add("2")
            self.store.sql(f"UPDATE CL_Test SET {column} = printf('%.*c', 3000, 'x') WHERE record_status = 1")
            handle = self.preview()["GSW_RECORD_HANDLE"]
            self.assertEqual(demand_what_is_stored(self.store.store), 0, column)
            self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=33))

    def test_many_windows(self) -> None:
        """Nor are the windows of a list that has very many."""
        for count, expected in ((200, 1), (201, 0)):
            self.store.sql("DELETE FROM CL_Test")
            self.store.sql(
                "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?) INSERT INTO CL_Test"
                " (record_id, contact_info, chain_id, chain_n, record_type, record_status, tz_dbid)"
                " SELECT n, n, n, 0, 2, 1, n FROM n",
                count,
            )
            with self.store.store.transaction(1.0) as tx:
                self.assertEqual(len(tx.recent_windows(the_list(tx), [0, 301], [""])), count)
                self.assertEqual(len(tx._memory.windows), expected)

    def test_windows_of_any_agent(self) -> None:
        """What is remembered does not grow with the agents that clients name."""
        self.add("1")
        for number in range(250):
            self.replies(preview_record(GSW_AGENT_ID=f"agent{number}"))
            self.assertLessEqual(len(self.store.store._memory.windows), 102)

    def test_changed_before_it_is_claimed(self) -> None:
        """What was ready is not taken as it was when it has been changed since."""
        self.add("1")
        for change in (
            lambda tx, of: tx.change_records(of, {1: {"attempt": 5}}),
            lambda tx, _: tx._connection.change("UPDATE CL_Test SET attempt = 6"),
            lambda tx, of: tx.mark_do_not_call(of, [1]),
        ):
            with self.store.store.transaction(1.0) as tx:
                of = the_list(tx)
                windows = dict.fromkeys(tx.windows(of, [0, 301], [""]), 50000)
                ready = tx.ready_records(of, windows, self.now, 10)
                self.assertEqual(tx.free_chains(of, [1]), [each for of_window in ready for each in of_window])
                change(tx, of)
                self.assertEqual(tx.free_chains(of, [1]), tx.records_of_chains(of, [1]))

    @settings(deadline=None)
    @given(st.lists(_STEP, min_size=4, max_size=25))
    def test_whatever_happens(self, steps: list[tuple[str, Any]]) -> None:
        """After each step what would be used from memory is what is stored, and nothing has ended in a defect."""
        self.store = make_store(make_directory())
        self.handles: list[int] = []
        try:
            for number in range(1, 10):
                self.add(str(number))
            for what, value in steps:
                # A trigger that deletes what was just stored, for instance, makes requests of ours fail.
                with contextlib.suppress(StoreFailureError, RefusedByTableError, sqlite3.IntegrityError):
                    self.step(what, value)
                demand_what_is_stored(self.store.store)
            self.assertEqual(self.store.defects, [])
        finally:
            remove_store(self.store)

    def step(self, what: str, value: Any) -> None:
        """Do one step."""
        if what == "previews":
            self.note(self.outcomes(*[preview_record()] * value))
        elif what == "by handle":
            self.outcomes(*(self.by_handle(*each) for each in value))
        elif what == "both":
            self.note(self.outcomes(preview_record(), self.by_handle(*value), preview_record()))
        elif what == "by phone":
            self.outcomes(by_phone(value[0], str(value[1])))
        elif what == "adds":
            keys = {"GSW_RECORD_HANDLE": self.handles[-1]} if value > 7 and self.handles else {}
            self.outcomes(add_record(str(value), **keys))
        elif what == "foreign":
            handle = self.handles[-1 - value[1] % len(self.handles)] if self.handles else 0
            record = self.store.sql("SELECT record_id FROM ocsgw_handle WHERE handle = ?", handle)
            self.store.sql(_FOREIGN[value[0]].format(record=record[0][0] if record else value[1], handle=handle))
        elif what == "trigger":
            self.store.sql(f'CREATE TRIGGER IF NOT EXISTS "{value}" {_TRIGGERS[value]}')
        elif what == "no triggers":
            for (name,) in self.store.sql("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
                self.store.sql(f'DROP TRIGGER "{name}"')
        elif what == "reload":
            self.store.reload(make_directory())
        else:
            self.pass_time(value)

    def note(self, outcomes: list[Outcome]) -> None:
        """Note the handles that were given."""
        events = [each.reply for each in outcomes if isinstance(each.reply, dict)]
        self.handles += [
            cast("int", each["GSW_RECORD_HANDLE"]) for each in events if each["GSW_USER_EVENT"] == "PreviewRecord"
        ]

    def by_handle(self, name: str, at: int) -> Any:
        """Return a request with one of the last handles, which may be dead."""
        handle = self.handles[-1 - at % len(self.handles)] if self.handles else 1
        return by_handle(name, handle, **_REQUESTS[name])


class ChainsTests(SynchronousTestCase):
    """By themselves."""

    def known(self, number: int) -> HandoutInProcess:
        """Return a hand-out with a number; its record and chain have others."""
        record = Record(number + 100, "1", 0, 2, 2, 28, 0, 0, 0, 0, 0, 0, 0, "", number + 200, 0, "", [])
        handout = Handout(number, 201, number + 200, number + 100, 102, "", 0, 600, 600, [])
        return HandoutInProcess(LIST, handout, Handle(number, number, 201, number + 100, 1, "G"), record)

    def numbers(self, chains: Chains) -> list[int]:
        """Return the numbers of those that are known."""
        return [each.handout.handout_id for each in chains]

    def test_newest(self) -> None:
        """There are so many at most: the oldest are forgotten, under all their names."""
        chains = Chains(most=3)
        chains.update(map(self.known, range(5)))
        self.assertEqual(self.numbers(chains), [2, 3, 4])
        chains.forget_records(201, [100, 101])
        chains.forget_chains(201, [200, 201])
        self.assertEqual([len(chains), chains.take([0, 1])], [3, []])
        chains.update([self.known(9)])
        self.assertEqual(self.numbers(chains), [3, 4, 9])

    def test_names(self) -> None:
        """A hand-out is forgotten by its number, its record or its chain, of its own list."""
        chains = Chains()
        chains.update(map(self.known, range(6)))
        chains.forget_records(202, [100, 101])
        chains.forget_chains(202, [200, 201])
        self.assertEqual(len(chains), 6)
        chains.forget([0, 77])
        chains.forget_records(201, [101, 777])
        chains.forget_chains(201, [202, 777])
        self.assertEqual(self.numbers(chains), [3, 4, 5])
        self.assertEqual(chains.take([4, 4, 0]), [self.known(4)])
        self.assertEqual(self.numbers(chains), [3, 5])
        chains.clear()
        self.assertEqual((len(chains), chains.take([3])), (0, []))
        chains.update([self.known(3)])
        self.assertEqual(self.numbers(chains), [3])
