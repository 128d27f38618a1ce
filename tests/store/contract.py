"""What every engine of the store promises, whatever database stands behind it.

A test case of an engine inherits `EngineContract` and says how a store of its own is made.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from ocsgw.contact.answer_statements import StoredAnswer
from ocsgw.contact.bulk_statements import ImportedEntry, ImportedRow, ImportProgress
from ocsgw.contact.directory import Directory
from ocsgw.contact.news import StoredNews
from ocsgw.contact.normal_form import search_keys
from ocsgw.contact.outbox import Delivery, OutboxEntry
from ocsgw.contact.transaction import (
    DncLookup,
    DoNotCallEntry,
    GroupStatus,
    Handle,
    Handout,
    NewRecord,
    RefusedByTableError,
    Transaction,
)
from ocsgw.store.engine import Engine
from tests.support.case import ClockTestCase
from tests.support.rules import NOW, make_directory

T = TypeVar("T")


def new_record(record_id: int, **values: Any) -> NewRecord:
    """Return a row of CL_Test, ready, in a chain of its own."""
    row: dict[str, Any] = {
        "record_id": record_id,
        "contact_info": str(record_id),
        "contact_info_type": 0,
        "record_type": 2,
        "record_status": 1,
        "call_result": 28,
        "attempt": 0,
        "dial_sched_time": 0,
        "call_time": 0,
        "daily_from": 0,
        "daily_till": 86399,
        "tz_dbid": 101,
        "campaign_id": 301,
        "agent_id": None,
        "chain_id": record_id,
        "chain_n": 0,
        "custom": [None] * 4,
    }
    return NewRecord(**{**row, **values})


def handout(number: int, **values: Any) -> Handout:
    """Return a hand-out of the record with the same number."""
    row: dict[str, Any] = {
        "handout_id": number,
        "list_dbid": 201,
        "chain_id": number,
        "record_id": number,
        "group_dbid": 102,
        "agent_id": "",
        "started_at": NOW,
        "timeout": 600,
        "expires_at": NOW + 600 + number,
        "rescheduled": [],
    }
    return Handout(**{**row, **values})


def handle(number: int, **values: Any) -> Handle:
    """Return the handle of a hand-out with the same number."""
    row: dict[str, Any] = {
        "handle": number, "handout_id": number, "list_dbid": 201, "record_id": number, "prior_status": 1, "guid": "G",
    }  # fmt: skip
    return Handle(**{**row, **values})


class EngineContract(ClockTestCase):
    """The promises; `self.engine` is open with the directory of the example."""

    engine: Engine
    directory: Directory

    def make_engine(self) -> Engine:
        """Return an engine that is not open, on a store with nothing in it."""
        raise NotImplementedError

    def setUp(self) -> None:
        super().setUp()
        self.directory = make_directory()
        self.list = self.directory.calling_lists[0]
        self.engine = self.make_engine()
        self.engine.open(self.directory)
        self.addCleanup(self.engine.close)

    def do(self, function: Callable[[Transaction], T]) -> T:
        """Return the result of a function in a transaction of its own."""
        with self.engine.transaction(1.0) as tx:
            return function(tx)

    def test_committed_or_undone(self) -> None:
        """A transaction is committed as a whole, or not at all; the next one works."""

        def fail() -> None:
            with self.engine.transaction(1.0) as tx:
                tx.insert_records(self.list, [new_record(1)])
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, fail)
        self.assertEqual(self.do(lambda tx: tx.records(self.list, [1])), [])
        self.do(lambda tx: tx.insert_records(self.list, [new_record(2)]))
        self.engine.close()
        self.engine.open(self.directory)
        self.assertEqual([each.record_id for each in self.do(lambda tx: tx.records(self.list, [1, 2]))], [2])

    def test_savepoints(self) -> None:
        """What was done before a savepoint stays, also where a table refuses a row inside it."""

        def add(tx: Transaction, *numbers: int) -> None:
            with tx.savepoint():
                tx.insert_records(self.list, [new_record(each) for each in numbers])

        with self.engine.transaction(1.0) as tx:
            add(tx, 1)
            self.assertRaises(RefusedByTableError, add, tx, 2, 1)
            add(tx, 3)
        self.assertEqual([each.record_id for each in self.do(lambda tx: tx.records(self.list, [1, 2, 3]))], [1, 3])

    def test_records(self) -> None:
        """Rows come back as they were written, by id, chain, contact and customer id; changes concern their rows."""
        rows = [
            new_record(1, custom=["C1", "d", None, "r"]),
            new_record(2, chain_id=1, chain_n=1),
            new_record(3, agent_id="a"),
        ]
        self.do(lambda tx: tx.insert_records(self.list, rows))
        first, second = self.do(lambda tx: tx.records_of_chains(self.list, [1]))
        self.assertEqual((first.custom, first.chain_n, second.chain_n), (["C1", "d", None, "r"], 0, 1))
        self.assertEqual(self.do(lambda tx: tx.chain_ends(self.list, [1, 3, 9])), {1: 1, 3: 0})
        by_contact = self.do(lambda tx: tx.find_by_contacts(self.list, ["2", "9"]))
        self.assertEqual({key: [each.record_id for each in of_key] for key, of_key in by_contact.items()}, {"2": [2]})
        found = self.do(lambda tx: tx.find_by_customer_id(self.list, "C1"))
        self.assertEqual([(each.record_id, each.chain_id) for each in found], [(1, 1)])
        self.assertEqual({each.record_id for each in self.do(lambda tx: tx.find_by_chain(self.list, [1]))}, {1, 2})
        changes: dict[int, dict[str, object]] = {1: {"attempt": 4, "remarks": "x"}, 3: {"record_status": 3}}
        self.do(lambda tx: tx.change_records(self.list, changes))
        changed = self.do(lambda tx: tx.records(self.list, [1, 2, 3]))
        self.assertEqual([(each.attempt, each.record_status) for each in changed], [(4, 1), (0, 1), (0, 3)])
        self.assertEqual(changed[0].custom, ["C1", "d", None, "x"])
        self.assertEqual(self.do(lambda tx: tx.record_statuses(self.list, [2, 3, 9])), {2: 1, 3: 3})
        self.assertEqual(self.do(lambda tx: tx.records_by_contact(self.list, ["1", "3", "9"])), {"1": [1], "3": [3]})
        exported = self.do(lambda tx: tx.export_records(self.list, 1, 1))
        self.assertEqual([(row[0], row[1]) for row in exported], [(2, "2")])
        self.assertEqual(self.do(lambda tx: tx.count_by_status(self.list, 0, 2)), ({1: 2}, 2))
        self.assertEqual(self.do(lambda tx: tx.count_by_status(self.list, 2, 2)), ({3: 1}, 3))
        self.assertEqual(self.do(lambda tx: tx.count_by_status(self.list, 3, 2)), ({}, None))
        self.do(lambda tx: tx.mark_do_not_call(self.list, [2]))
        (marked,) = self.do(lambda tx: tx.records(self.list, [2]))
        self.assertEqual((marked.record_type, marked.call_result, marked.record_status), (7, 51, 3))
        self.do(lambda tx: tx.delete_records(self.list, [1, 2]))
        self.assertEqual([each.record_id for each in self.do(lambda tx: tx.records(self.list, [1, 2, 3]))], [3])

    def test_numbers(self) -> None:
        """H200: the highest numbers that a list has or ever had."""
        self.do(lambda tx: tx.insert_records(self.list, [new_record(7, chain_id=9)]))
        self.do(lambda tx: tx.delete_records(self.list, [7]))
        admission = self.do(lambda tx: tx.before_adding(self.list, 1, tuple, NOW))
        self.assertEqual((admission.record_id, admission.chain_id, admission.blocked), (7, 9, set()))
        self.assertEqual([self.do(lambda tx, n=n: tx.new_handles(n)) for n in (1, 3, 1)], [1, 2, 5])  # type: ignore[misc]  # bound at once

    def test_handouts(self) -> None:
        """Hand-outs live with their handles, expire in order, and die with their last handle."""
        more = handle(4, handout_id=1, record_id=9, contact="9", attempts_set=True, status_set=2, treatment="t")
        self.do(
            lambda tx: tx.open_handouts(
                [handout(1), handout(2), handout(3, group_dbid=5)], [handle(1), handle(2), handle(3), more]
            )
        )
        (found,) = self.do(lambda tx: tx.handouts_of_handles([4]))
        self.assertEqual(found, (handout(1), [handle(1), more]))
        self.assertEqual(self.do(lambda tx: tx.handles_of_records(self.list, [2, 9])), [handle(2), more])
        self.assertEqual(self.do(lambda tx: tx.expired_handouts(NOW + 602, 9)), [1, 2])
        self.assertEqual(self.do(lambda tx: tx.expired_handouts(NOW + 602, 1)), [1])
        self.assertEqual(self.do(lambda tx: sorted(tx.handouts_of_group(102, 9, 9))), [1, 2])
        self.assertEqual(self.do(lambda tx: tx.handouts_of_group(102, 2, 9)), [1])
        changed, noted = (
            handout(1, expires_at=NOW, rescheduled=[9]),
            handle(1, status_set=3, treatment="u", attempts_set=True),
        )
        self.do(lambda tx: tx.change_handouts([changed], [noted]))
        self.assertEqual(self.do(lambda tx: tx.handouts([1])), [(changed, [noted, more])])
        self.do(lambda tx: tx.close_handles([1]))
        self.assertEqual(self.do(lambda tx: tx.handouts([1])), [(changed, [more])])
        self.do(lambda tx: tx.close_handles([4]))
        self.do(lambda tx: tx.close_handouts([2]))
        self.assertEqual(self.do(lambda tx: tx.handouts([1, 2])), [])
        self.assertEqual(self.do(lambda tx: tx.handouts([3])), [(handout(3, group_dbid=5), [handle(3)])])

    def test_answers(self) -> None:
        """H323, H329: answers under keys are found until they expire, and are then forgotten in slices."""
        answers = {("p", f"k{n}"): StoredAnswer(bytes([n]), {"n": n}, NOW + n) for n in range(1, 4)}
        self.do(lambda tx: tx.store_answers(answers))
        names = [*answers, ("q", "k1")]
        self.assertEqual(self.do(lambda tx: tx.stored_answers(names, NOW)), answers)
        self.assertEqual(set(self.do(lambda tx: tx.stored_answers(names, NOW + 1))), {("p", "k2"), ("p", "k3")})
        self.do(lambda tx: tx.store_answers({("p", "k3"): StoredAnswer(b"x", {}, NOW + 9)}))
        self.assertEqual(self.do(lambda tx: tx.forget(NOW + 3, 1)), 1)
        self.assertEqual(self.do(lambda tx: tx.forget(NOW + 3, 9)), 1)
        self.assertEqual(set(self.do(lambda tx: tx.stored_answers(names, NOW))), {("p", "k3")})
        self.do(lambda tx: tx.spend_handle(5, {"a": "b"}, NOW + 1))
        self.assertEqual(self.do(lambda tx: tx.spent_handle(5, NOW)), {"a": "b"})
        self.assertIsNone(self.do(lambda tx: tx.spent_handle(5, NOW + 1)))
        self.do(lambda tx: tx.forget_spent_handle(5))
        self.assertIsNone(self.do(lambda tx: tx.spent_handle(5, NOW)))

    def test_groups_and_audit(self) -> None:
        """States of groups and the place of the audit log are overwritten, and survive."""
        for state in ("loaded", "started"):
            self.do(lambda tx, state=state: tx.save_group_status(GroupStatus(102, state, "preview", "G")))  # type: ignore[misc]  # bound at once
        self.assertEqual(self.do(lambda tx: tx.group_statuses()), {102: GroupStatus(102, "started", "preview", "G")})
        self.assertIsNone(self.do(lambda tx: tx.audit_position()))
        for number in (1, 2):
            self.do(lambda tx, number=number: tx.save_audit_position(number, f"m{number}"))  # type: ignore[misc]  # bound at once
        self.assertEqual(self.do(lambda tx: tx.audit_position()), (2, "m2"))

    def test_news(self) -> None:
        """News have ascending numbers that never come again, and are forgotten by their time."""
        self.assertEqual(self.do(lambda tx: tx.newest_news()), 0)
        self.do(lambda tx: tx.append_news("a", ["1", "2"], NOW))
        self.do(lambda tx: tx.append_news("b", ["3"], NOW + 1))
        self.assertEqual(self.do(lambda tx: tx.news_after(0, 2)), [StoredNews(1, "a", "1"), StoredNews(2, "a", "2")])
        self.assertEqual(self.do(lambda tx: tx.news_after(2, 9)), [StoredNews(3, "b", "3")])
        self.assertEqual(self.do(lambda tx: tx.newest_news()), 3)
        self.assertEqual(self.do(lambda tx: tx.forget_news(NOW + 1)), 2)
        self.assertEqual(self.do(lambda tx: tx.forget_news(NOW + 2)), 1)
        self.do(lambda tx: tx.append_news("a", ["4"], NOW))
        self.assertEqual(self.do(lambda tx: tx.newest_news()), 4)

    def test_outbox(self) -> None:
        """Entries have ascending numbers that never come again; they are found by chain, handle and place."""

        def entry(record_id: int, at: int = NOW, chain_id: int = 5, handle: int = 0) -> OutboxEntry:
            return OutboxEntry(0, at, "RecordProcessed", 201, chain_id, record_id, 102, handle, '{"last_id":9}')

        self.assertEqual(self.do(lambda tx: tx.outbox_bounds()), (0, 0))
        made = [entry(1, NOW - 5), entry(2, NOW - 5), entry(3, handle=7), entry(4, chain_id=0), entry(8, chain_id=0)]
        self.do(lambda tx: tx.append_outbox(made[:2]))
        self.do(lambda tx: tx.append_outbox(made[2:]))
        self.assertEqual(self.do(lambda tx: tx.outbox_bounds()), (1, 5))
        found = self.do(lambda tx: tx.outbox_after(1, 2))
        self.assertEqual([(each.number, each.record_id) for each in found], [(2, 2), (3, 3)])
        self.assertEqual((found[1].handle, found[1].data, found[1].at), (7, '{"last_id":9}', NOW))
        of_chain = self.do(lambda tx: tx.outbox_of_chain(201, 5, 2))
        self.assertEqual([each.record_id for each in of_chain], [2, 3])
        self.assertEqual([each.record_id for each in self.do(lambda tx: tx.outbox_of_handle(7))], [3])
        self.assertEqual(self.do(lambda tx: tx.outbox_of_handle(0)), [])
        for record_id, number in ((3, None), (4, 4), (7, 4), (8, 5), (90, 5)):
            added = self.do(lambda tx, record_id=record_id: tx.outbox_of_added(201, record_id))  # type: ignore[misc]  # bound at once
            self.assertEqual(added.number if added is not None else None, number)
        self.assertEqual(self.do(lambda tx: tx.forget_outbox(NOW - 1, 100, 1)), 1)
        self.assertEqual(self.do(lambda tx: tx.forget_outbox(NOW - 1, 100, 9)), 1)
        self.assertEqual(self.do(lambda tx: tx.forget_outbox(NOW - 1, 2, 9)), 1)
        self.assertEqual(self.do(lambda tx: tx.outbox_bounds()), (4, 5))
        self.do(lambda tx: tx.forget_outbox(NOW, 100, 9))
        self.do(lambda tx: tx.append_outbox(made[:1]))
        self.assertEqual(self.do(lambda tx: tx.outbox_bounds()), (6, 6))

    def test_deliveries(self) -> None:
        """Notifications that wait are read in their order and removed one by one."""
        made = [Delivery(0, "history", 201, chain, NOW, f'{{"n":{chain}}}') for chain in (1, 2, 3)]
        self.do(lambda tx: tx.add_deliveries(made))
        first, second = self.do(lambda tx: tx.deliveries_after(0, 2))
        self.assertEqual((first.chain_id, first.body, second.purpose), (1, '{"n":1}', "history"))
        self.assertEqual(self.do(lambda tx: tx.remove_deliveries([first.number, 999])), ["history"])
        self.assertEqual(self.do(lambda tx: tx.count_deliveries()), {"history": 2})
        (third,) = self.do(lambda tx: tx.deliveries_after(second.number, 9))
        self.do(lambda tx: tx.remove_deliveries([second.number, third.number]))
        self.do(lambda tx: tx.add_deliveries(made[:1]))
        (fourth,) = self.do(lambda tx: tx.deliveries_after(0, 9))
        self.assertGreater(fourth.number, third.number)

    def test_imports(self) -> None:
        """How far imports have come, by target and fingerprint, with numbers that ascend."""
        self.assertIsNone(self.do(lambda tx: tx.import_progress("CL_Test", "f")))
        first = ImportProgress("a.csv", 3, {"added": 3}, NOW, None, 1)
        self.assertEqual([self.do(lambda tx: tx.new_import_number()) for _ in range(2)], [1, 2])
        self.do(lambda tx: tx.save_import_progress("CL_Test", "f", first))
        self.assertEqual(self.do(lambda tx: tx.import_progress("CL_Test", "f")), first)
        self.assertIsNone(self.do(lambda tx: tx.import_progress("CL_Test", "g")))
        done = ImportProgress("a.csv", 9, {"added": 8, "refused": 1}, NOW, NOW + 5, 1)
        self.do(lambda tx: tx.save_import_progress("CL_Test", "f", done))
        self.assertEqual([each.progress for each in self.do(lambda tx: tx.imports(5))], [done])
        found = self.do(lambda tx: tx.import_numbered(1))
        assert found is not None
        self.assertEqual(found.progress, done)
        self.assertIsNone(self.do(lambda tx: tx.import_numbered(2)))

    def test_imported_rows(self) -> None:
        """Slices of an import, the last one first; what was kept of those that were taken back comes in that order."""
        progress = ImportProgress("a.csv", 6, {"added": 6}, NOW, NOW, 1)
        self.do(lambda tx: tx.save_import_progress("CL_Test", "f", progress))
        slices = {at: [ImportedRow(at + 1, 7), ImportedRow(at + 2, 7)] for at in (0, 2, 4)}
        for at, rows in slices.items():
            self.do(lambda tx, at=at, rows=rows: tx.save_imported_rows(1, at, rows))  # type: ignore[misc]  # bound at once
        for at, kept in ((4, slices[4][:1]), (2, []), (0, slices[0])):
            self.assertEqual(self.do(lambda tx: tx.imported_rows(1)), (at, slices[at]))
            self.do(lambda tx, at=at, kept=kept: tx.take_back(1, at, kept))  # type: ignore[misc]  # bound at once
        self.assertIsNone(self.do(lambda tx: tx.imported_rows(1)))
        behind, told = 0, []
        while found := self.do(lambda tx, behind=behind: tx.kept_rows(1, behind)):  # type: ignore[misc]  # bound at once
            behind, rows = found
            told.append(rows)
        self.assertEqual(told, [slices[4][:1], slices[0]])
        self.do(lambda tx: tx.forget_import("CL_Test", "f"))
        self.assertIsNone(self.do(lambda tx: tx.kept_rows(1, 0)))

    def test_entries(self) -> None:
        """Entries of the do-not-call table: found by identity, changed, exported in slices, deleted; they cover."""
        entries = [
            ImportedEntry("111", None, "m", 1, 0, 0, 0),
            ImportedEntry(None, "C9", None, 1, 301, 0, NOW + 9),
        ]
        numbers = self.do(lambda tx: tx.import_entries(entries, NOW))
        self.assertEqual(len(set(numbers)), 2)
        found = self.do(lambda tx: tx.equal_entries([*entries, ImportedEntry("111", None, "m", 2, 0, 0, 0)]))
        self.assertEqual(
            {place: [each.number for each in of] for place, of in found.items()}, {0: numbers[:1], 1: numbers[1:]}
        )
        stored = self.do(lambda tx: tx.entries(numbers))
        self.assertEqual(
            [(e.phone, e.customer_id, e.message, e.expires_at) for e in stored],
            [("111", None, "m", 0), (None, "C9", None, NOW + 9)],
        )
        self.do(
            lambda tx: tx.change_entries({numbers[0]: ImportedEntry("111", None, "other", 1, 0, 0, NOW + 1)}, NOW + 5)
        )
        (changed,) = self.do(lambda tx: tx.covering_entries("111", None))
        self.assertEqual((changed.message, changed.expires_at, changed.made_at), ("other", NOW + 1, NOW + 5))
        slices = [self.do(lambda tx, after=after: tx.export_entries(after, 1)) for after in (0, numbers[0])]  # type: ignore[misc]  # bound at once
        self.assertEqual([[each.number for each in part] for part in slices], [numbers[:1], numbers[1:]])
        self.do(lambda tx: tx.delete_entries(numbers[:1]))
        self.assertEqual([each.number for each in self.do(lambda tx: tx.entries(numbers))], numbers[1:])

    def blocked(self, *contacts: str, now: int = NOW, campaign: int = 301) -> set[int]:
        """Return the places of those contacts that entries cover."""
        lookups = [DncLookup(each, None, (campaign,), search_keys(each)) for each in contacts]
        return self.do(lambda tx: tx.blocked(self.list, lookups, now))

    def test_entries_beyond_ascii(self) -> None:
        """K40, K43: entries whose form SQL cannot compute cover by scope and end; each form is stored once."""
        phones = ("\uff16\uff15\uff10", "\uff17", "\uff18")
        entries = [
            ImportedEntry(phones[0], None, None, 1, 0, 201, 0),
            ImportedEntry(phones[1], None, None, 1, 302, 0, 0),
            ImportedEntry(phones[2], None, None, 0, 0, 0, NOW + 9),
        ]
        numbers = self.do(lambda tx: tx.import_entries(entries, NOW))
        self.assertEqual([self.do(lambda tx: tx.renew_contact_forms(["", ""], 2)) for _ in range(3)], [2, 1, 0])
        self.assertEqual(self.blocked("650", "7", "8", "650x1", "65"), {0, 2, 3})
        self.assertEqual(self.blocked("650", "7", "8", campaign=302), {0, 1, 2})
        self.assertEqual(self.blocked("8", now=NOW + 9), set())
        self.assertEqual([each.phone for each in self.do(lambda tx: tx.covering_entries("650x1", None))], [phones[0]])
        self.do(lambda tx: tx.delete_entries(numbers))
        self.assertEqual(self.blocked("650", "8"), set())
        self.do(lambda tx: tx.add_do_not_call([DoNotCallEntry(phones[0], None, "m", 1)], NOW))
        self.do(lambda tx: tx.add_do_not_call([DoNotCallEntry("650", None, "m", 1)], NOW))
        self.assertEqual([each.phone for each in self.do(lambda tx: tx.export_entries(0, 9))], [phones[0]])
        self.assertEqual(self.blocked("650"), {0})

    def test_forms_that_are_undone(self) -> None:
        """Forms that were stored in a transaction that is undone are stored by the next."""
        self.do(lambda tx: tx.import_entries([ImportedEntry("\uff17", None, None, 0, 0, 0, 0)], NOW))

        def fail() -> None:
            with self.engine.transaction(1.0) as tx:
                tx.renew_contact_forms([""], 9)
                tx.renew_contact_forms([""], 9)
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, fail)
        self.assertEqual(self.blocked("7"), {0})

    def test_handouts_that_begin_anew(self) -> None:
        """A hand-out that began in the future, before the clock was corrected, begins now; others stay as they are."""
        future = handout(1, started_at=NOW + 5000, expires_at=NOW + 5600)
        self.do(lambda tx: tx.open_handouts([future, handout(2), handout(3)], [handle(1), handle(2), handle(3)]))
        self.assertEqual(self.do(lambda tx: tx.restart_future_handouts(NOW, NOW + 5600)), 0)
        self.assertEqual(self.do(lambda tx: tx.restart_future_handouts(NOW, NOW + 4000)), 1)
        found = dict(self.do(lambda tx: [(each.handout_id, each) for each, _ in tx.handouts([1, 2, 3])]))
        self.assertEqual((found[1].started_at, found[1].expires_at), (NOW, NOW + 600))
        self.assertEqual((found[2], found[3]), (handout(2), handout(3)))

    def test_records_that_nobody_holds(self) -> None:
        """K2: records in process that no hand-out explains are ready again, once after the list was opened."""
        rows = [new_record(1, record_status=2), new_record(2, record_status=2), new_record(3, record_status=3)]
        self.do(lambda tx: tx.insert_records(self.list, rows))
        self.do(lambda tx: tx.open_handouts([handout(2)], [handle(2)]))
        self.assertEqual([self.do(lambda tx: tx.reset_unexplained(self.list)) for _ in range(2)], [1, 0])
        self.assertEqual(self.do(lambda tx: tx.record_statuses(self.list, [1, 2, 3])), {1: 1, 2: 2, 3: 3})
        self.do(lambda tx: tx.change_records(self.list, {1: {"record_status": 2}}))
        self.assertEqual(self.do(lambda tx: tx.reset_unexplained(self.list)), 0)
        self.engine.close()
        self.engine.open(self.directory)
        self.assertEqual(self.do(lambda tx: tx.reset_unexplained(self.list)), 1)

    def test_covering_entries(self) -> None:
        """Entries for a contact or a customer id, whatever their scope and end; an extension has those of all."""
        entries = [
            ImportedEntry("650 x1", None, None, 1, 0, 0, 0),
            ImportedEntry("6-5-0", None, None, 2, 0, 0, NOW),
            ImportedEntry(None, " C9", None, 0, 0, 0, 0),
            ImportedEntry("651", "C9", None, 0, 0, 0, 0),
        ]
        self.do(lambda tx: tx.import_entries(entries, NOW))

        def covering(contact: str, customer_id: str | None) -> list[tuple[str | None, str | None]]:
            found = self.do(lambda tx: tx.covering_entries(contact, customer_id))
            return [(each.phone, each.customer_id) for each in found]

        self.assertEqual(covering("650x1", None), [("650 x1", None), ("6-5-0", None)])
        self.assertEqual(covering("650", None), [("6-5-0", None)])
        self.assertEqual(covering("650x2", None), [("6-5-0", None)])
        self.assertEqual(covering("1", "C9"), [(None, " C9"), ("651", "C9")])
        self.assertEqual(covering("1", "C8"), [])

    def test_entries_by_customer_id(self) -> None:
        """H264: an entry by customer id is made once for each scope, trimmed when it is compared."""
        self.do(lambda tx: tx.import_entries([ImportedEntry(None, " C1 ", "m", 1, 0, 0, 0)], NOW))
        for customer_id, campaign in (("C1", 0), ("C1", 301), ("C1", 301), ("C2", 0)):
            entry = DoNotCallEntry(None, customer_id, "m", 1, campaign)
            self.do(lambda tx, entry=entry: tx.add_do_not_call([entry], NOW))  # type: ignore[misc]  # bound at once
        found = self.do(lambda tx: tx.export_entries(0, 9))
        self.assertEqual(
            [(e.customer_id, e.campaign_dbid, e.message) for e in found],
            [(" C1 ", 0, "m"), ("C1", 301, "m"), ("C2", 0, "m")],
        )
