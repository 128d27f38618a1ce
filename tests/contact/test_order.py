"""Which records come in which order: priorities, many daily windows, rows without a contact (http.md H271, H359)."""

from dataclasses import replace
from itertools import permutations
from typing import Any

from ocsgw.contact.directory import Directory, Priorities
from ocsgw.contact.new_record import default_record
from ocsgw.contact.unit_of_work import UnitOfWork
from tests.support.rules import NOW, RuleTestCase, by_handle, make_directory, make_list

_GENERAL, _RESCHEDULED, _CAMPAIGN_CALLBACK, _PERSONAL = range(4)
# Record type -> class.
_CLASS_OF = {1: 0, 2: 0, 3: 1, 4: 3, 5: 3, 6: 2}


def directory_with(priorities: Priorities, **values: Any) -> Directory:
    """Return the usual directory with priorities of its first group."""
    before = make_directory(**values)
    return make_directory(
        tenants=before.tenants,
        calling_lists=before.calling_lists,
        campaigns=before.campaigns,
        groups=(replace(before.groups[0], priorities=priorities),),
    )


class PriorityTests(RuleTestCase):
    """What comes first."""

    def fill(self) -> list[dict[str, Any]]:
        """Add records of all types, scheduled and not, to two lists, and return them."""
        number = 0
        for name in ("CL_Test", "CL_CALLBACK"):
            for kind in (None, 0, 1, 2, 3, 4, 5, 6):
                for scheduled, called in ((None, 50), (0, 40), (NOW - 5, 30), (NOW - 500, 60), (NOW, 0)):
                    number += 1
                    self.store.sql(
                        f"INSERT INTO {name} (record_id, chain_id, chain_n, contact_info, record_type, dial_sched_time,"
                        " call_time, agent_id) VALUES (?, ?, 0, ?, ?, ?, ?, ?)",
                        *(number, number, str(number), kind, scheduled, called, "A" if number % 2 else None),
                    )
        return [{**row, "at": at} for at, name in enumerate(("CL_Test", "CL_CALLBACK")) for row in self.rows(name)]

    def test_order(self) -> None:
        """H359, H273: a higher number first, whatever the time; the usual order among equal ones."""
        cases: list[Priorities] = [(0, 0, 0, 0), (5, 5, 5, 5), (1, 2, 2, 2), (3, 0, 0, 3), (1000, 999, 0, 1000)]
        cases += [(*each, max(each)) for each in permutations((0, 1, 2))]  # type: ignore[misc]  # four numbers
        for priorities in cases:
            self.use_directory(directory_with(priorities))
            rows = self.fill()
            rows.sort(
                key=lambda row: (
                    -priorities[_CLASS_OF.get(row["record_type"] or 2, 0)],
                    (0, row["dial_sched_time"]) if row["dial_sched_time"] else (1, row["call_time"]),
                    row["record_id"],
                    row["at"],
                )
            )
            for expected in rows:
                event = self.preview(GSW_AGENT_ID="A")
                self.assertEqual(event.get("GSW_PHONE"), expected["contact_info"], priorities)

    def test_within_a_chain(self) -> None:
        """H274: of a chain the member with the highest priority comes first."""
        self.use_directory(directory_with((2, 1, 1, 2)))
        chain = self.add("1", GSW_RECORD_TYPE=6, GSW_DATE_TIME="01/01/2026 08:00")["GSW_CHAIN_ID"]
        self.add("2", GSW_CHAIN_ID=chain)
        self.assertEqual(self.preview()["GSW_PHONE"], "2")

    def test_reload(self) -> None:
        """H359: numbers take effect with a reload, with the same index."""
        self.use_directory(directory_with((0, 0, 0, 0)))
        for _ in range(2):
            self.add("due", GSW_RECORD_TYPE=3, GSW_DATE_TIME="01/01/2026 08:00")
            self.add("new")
        indexes = self.store.sql("SELECT name, sql FROM sqlite_master WHERE type = 'index'")
        self.assertEqual(self.preview()["GSW_PHONE"], "due")
        self.store.reload(directory_with((1, 0, 0, 1)))
        self.assertEqual(self.preview()["GSW_PHONE"], "new")
        self.assertEqual(self.store.sql("SELECT name, sql FROM sqlite_master WHERE type = 'index'"), indexes)


class ManyWindowsTests(RuleTestCase):
    """Lists in which every record has a daily window of its own."""

    def test_few_are_read(self) -> None:
        """H358: however many windows there are, they are looked up by half hours."""
        self.store.sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
            " INSERT INTO CL_Test (record_id, chain_id, chain_n, contact_info, daily_from, daily_till)"
            " SELECT i, i, 0, 'x' || i, 3600 + i % 97, 7200 + i % 89 FROM n"
        )
        calling_list = self.directory.calling_lists[0]
        windows = self.store.chore(lambda unit: unit.tx.windows(calling_list, [0, 301], [""]))
        self.assertEqual(len(windows), 2)

    def test_each_own_window_decides(self) -> None:
        """H176: records that share their half hours are handed out each in its own window only."""
        # 14:13:20 UTC.
        moment = 51200
        for begin, end, is_open in (
            (moment, moment, True),
            (moment, moment + 1, True),
            (moment + 1, moment + 2, False),
            (moment - 2, moment - 1, False),
            (moment - 1, moment, True),
            (moment + 1, moment, True),
            (moment, moment - 1, True),
            (moment + 2, moment - 1, False),
            (moment + 1, moment - 1, False),
            (0, 86400, True),
            (86400, 0, False),
        ):
            self.add("1", GSW_FROM=begin, GSW_UNTIL=end)
            event = self.preview()
            self.assertEqual("GSW_PHONE" in event, is_open, (begin, end))
            self.store.sql("DELETE FROM CL_Test")
            self.store.sql("DELETE FROM ocsgw_handout")
            self.store.sql("DELETE FROM ocsgw_handle")


class IndexTests(RuleTestCase):
    """The time of a preview does not grow with the list."""

    def test_no_scan(self) -> None:
        """H358, H359, H360: windows, records and waiting agents are found by the index."""
        calling_list = make_list(205, "CL_Many")
        self.use_directory(make_directory(lists=[calling_list]))
        text = self.store.store._tables.lists[calling_list]
        assert text is not None
        for statement, parameters in (
            (text.windows, ("[]",)),
            (text.ready_records, {"keys": "[]", "limit": 1}),
            (text.waiting_agents, {"campaigns": "[]", "after": "", "limit": 1, "rows": 1}),
        ):
            plan = self.store.store._needed().rows(f"EXPLAIN QUERY PLAN {statement}", parameters)
            scans = [row[3] for row in plan if row[3].startswith("SCAN") and "CL_Many" in row[3]]
            scans += [row[3] for row in plan if row[3] in ("SCAN x", "SCAN t", "SCAN y")]
            self.assertEqual(scans, [], plan)
            used = [row[3] for row in plan if "ocsgw_ix_CL_Many_3" in row[3]]
            self.assertTrue(used, plan)

    def test_processed_records_leave_the_index(self) -> None:
        """H271: what has been processed is no longer read."""
        handle = self.hand_out("1")
        self.reply(by_handle("RecordProcessed", handle))
        calling_list = self.directory.calling_lists[0]
        windows = self.store.chore(lambda unit: unit.tx.windows(calling_list, [0, 301], [""]))
        self.assertEqual(windows, [])


class EmptyContactTests(RuleTestCase):
    """Rows of other programs without a contact."""

    def test_never_handed_out(self) -> None:
        """A record whose contact is empty or blank is passed over, alone and in its chain, and changes nothing."""
        for number, contact in enumerate(("", " ", "\u00a0\t", "1"), start=1):
            self.store.sql(
                "INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n) VALUES (?, ?, ?, 0)",
                *(number, contact, number),
            )
        self.store.sql("INSERT INTO CL_Test (record_id, contact_info, chain_id, chain_n) VALUES (9, '', 4, 1)")
        event = self.preview()
        self.assertEqual(event["GSW_PHONE"], "1")
        self.assertEqual(
            self.reply(by_handle("ChainedRecordRequest", event["GSW_RECORD_HANDLE"]))["GSW_CHAINED_RECORDS"], []
        )
        self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.assertEqual([row["record_status"] for row in self.rows()], [None, None, None, 2, None])


class NewRecordTests(RuleTestCase):
    """Defaults of AddRecord and of imports."""

    def test_one_set_of_defaults(self) -> None:
        """10.1: a row of an import has what an AddRecord with the same contact has."""
        self.add("1")
        calling_list = self.directory.calling_lists[0]

        def put(unit: UnitOfWork) -> None:
            record = default_record(unit.directory, calling_list)
            record.record_id, record.chain_id, record.contact_info = 2, 2, "1"
            unit.tx.insert_records(calling_list, [record])

        self.store.chore(put)
        first, second = self.rows()
        for row in (first, second):
            del row["record_id"], row["chain_id"]
        self.assertEqual(first, second)


class CorrectedClockTests(RuleTestCase):
    """A clock that was wrong, and is corrected."""

    def test_future_handout(self) -> None:
        """H278: a hand-out that began in the future begins anew; it does not stay in process for years."""
        self.add("1")
        self.store.now += 10**8
        handle = self.preview()["GSW_RECORD_HANDLE"]
        self.store.now -= 10**8
        self.pass_time(0)
        self.pass_time(599)
        self.assertEqual(self.column("record_status"), [2])
        self.pass_time(1)
        self.assertEqual(self.column("record_status"), [1])
        self.assertEqual(self.refusal(by_handle("RecordReject", handle)), "404 Invalid record handle")

    def test_others_stay(self) -> None:
        """H278: hand-outs of today keep their time, those of a group with a longer one too."""
        self.add("1")
        self.preview()
        before = self.rows("ocsgw_handout")
        self.pass_time(0)
        self.assertEqual(self.rows("ocsgw_handout"), before)
