"""Personal callbacks that their agents do not take (http.md H360)."""

from typing import Any

from ocsgw.contact.directory import Directory, Treatment
from ocsgw.contact.overdue import Position, treat_overdue
from ocsgw.contact.unit_of_work import UnitOfWork
from tests.support.rules import GROUP, NOW, RuleTestCase, by_handle, by_phone, make_directory, make_list, of_group

_AGENT_CALLBACK_ERROR = 47
_LIMIT = 3600


def directory_with(*treatments: Treatment, limit: int = _LIMIT, **values: Any) -> Directory:
    """Return the usual directory with one more list, `CL_Late`, that has a limit."""
    return make_directory(lists=[make_list(205, "CL_Late", callback_limit=limit)], treatments=treatments, **values)


class OverdueTests(RuleTestCase):
    """Who is overdue, and what happens then."""

    def make_directory(self) -> Directory:
        return directory_with()

    def look(self) -> int:
        """Look for overdue records in all lists, slice by slice; return how many there were."""
        count = 0
        position: Position | None = Position()
        while position is not None:
            begin = position
            found, position = self.store.chore(lambda unit, begin=begin: treat_overdue(unit, begin))  # type: ignore[misc]
            count += found
        return count

    def put(self, record_id: int, due: int, /, **columns: Any) -> None:
        """Add a personal callback for agent A, due `due` seconds after now."""
        row = {
            "record_id": record_id,
            "chain_id": record_id,
            "chain_n": 0,
            "contact_info": str(record_id),
            "record_type": 5,
            "record_status": 1,
            "call_result": 28,
            "attempt": 2,
            "call_time": 7,
            "agent_id": "A",
            "dial_sched_time": self.now + due,
            **columns,
        }
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        self.store.sql(f"INSERT INTO CL_Late ({names}) VALUES ({marks})", *row.values())

    def late(self, *columns: str) -> list[Any]:
        """Return columns of the list."""
        return [tuple(row[column] for column in columns) for row in self.store.rows("CL_Late", "record_id")]

    def test_without_treatment(self) -> None:
        """H360: call result 47 and status 3; the others of the chain as at the end of a hand-out."""
        self.put(1, -_LIMIT - 1)
        self.put(2, -_LIMIT)
        self.put(3, -_LIMIT - 1, chain_id=1, chain_n=1, record_type=2, record_status=9, dial_sched_time=0)
        self.put(4, -_LIMIT - 1, chain_id=1, chain_n=2, record_type=2, record_status=5, dial_sched_time=0)
        self.assertEqual(self.look(), 1)
        columns = ("record_status", "call_result", "record_type", "attempt", "call_time", "agent_id")
        self.assertEqual(
            self.late(*columns),
            [(3, 47, 5, 2, 7, "A"), (1, 28, 5, 2, 7, "A"), (7, 28, 2, 2, 7, "A"), (5, 28, 2, 2, 7, "A")],
        )
        self.assertEqual(self.rows("ocsgw_handle"), [])
        self.assertEqual(self.look(), 0)

    def test_treatments(self) -> None:
        """H360, C95: the treatment for 47 is applied; a personal one keeps type and agent."""
        rows: list[tuple[Any, dict[str, Any], tuple[Any, ...]]] = [
            ("retry_in", {"interval": 600}, (1, 5, NOW + 600, "A")),
            ("assign_to_group", {}, (1, 6, NOW, "A")),
            ("agent_error", {}, (6, 5, NOW - _LIMIT - 1, "A")),
            ("finish", {}, (3, 5, NOW - _LIMIT - 1, "A")),
        ]
        for action, values, expected in rows:
            self.use_directory(directory_with(Treatment(401, "T", _AGENT_CALLBACK_ERROR, action, **values)))
            self.put(1, -_LIMIT - 1)
            self.put(2, 0, chain_id=1, chain_n=1, record_type=2, record_status=9, dial_sched_time=0)
            self.assertEqual(self.look(), 1)
            first, second = self.late("record_status", "record_type", "dial_sched_time", "agent_id")
            self.assertEqual(first, expected, action)
            self.assertEqual(second[0], 9 if expected[0] == 1 else 7)
            self.assertEqual(self.late("call_result", "treatments")[0], (47, "401@1@0@1"))

    def test_in_succession(self) -> None:
        """H360, C91: one that stays overdue is treated again, until the sequence is used up."""
        again = Treatment(401, "T", _AGENT_CALLBACK_ERROR, "retry_in", interval=60, cycle_attempt=2)
        self.use_directory(
            directory_with(again, Treatment(402, "U", _AGENT_CALLBACK_ERROR, "assign_to_group", sequence=2))
        )
        self.put(1, -_LIMIT - 1)
        for note in ("401@1@0@1", "401@2@0@1", "402@1@0@1"):
            self.assertEqual(self.look(), 1)
            self.assertEqual(self.late("treatments"), [(note,)])
            self.store.now += 60 + _LIMIT + 1
        self.assertEqual(self.look(), 0)
        self.assertEqual(self.preview()["GSW_PHONE"], "1")

    def test_who_is_not(self) -> None:
        """H360: only records that a started group could hand out but for their agents."""
        late = -_LIMIT - 1
        rows: list[tuple[str, dict[str, Any]]] = [
            ("for anyone", {"agent_id": None}),
            ("of another type", {"record_type": 6}),
            ("not ready", {"record_status": 3}),
            ("waits with its chain", {"record_status": 9}),
            ("outside its daily window", {"daily_from": 0, "daily_till": 60}),
            ("of another campaign", {"campaign_id": 302}),
            ("without a time", {"dial_sched_time": 0}),
            ("not yet late", {"dial_sched_time": NOW - _LIMIT}),
            ("do-not-call", {"contact_info": "blocked"}),
        ]
        self.reply(by_phone("DoNotCall", "blocked"))
        for record_id, (_, columns) in enumerate(rows, start=1):
            self.put(record_id, late, **columns)
        before = self.late("record_status", "call_result")
        self.assertEqual(self.look(), 0)
        self.assertEqual(self.late("record_status", "call_result"), before)
        self.put(77, late)
        self.put(78, late, chain_id=77, chain_n=1, record_type=2, record_status=2)
        self.assertEqual(self.look(), 0)

    def test_groups(self) -> None:
        """H360: without a started group nothing is overdue; a campaign callback of the record's own campaign counts."""
        self.put(1, -_LIMIT - 1, campaign_id=301)
        self.reply(of_group("StopDialing", GROUP))
        self.assertEqual(self.look(), 0)
        self.reply(of_group("StartDialing", GROUP))
        self.assertEqual(self.look(), 1)

    def test_off(self) -> None:
        """H360: without a limit a record waits for its agent; so it does in a disabled list."""
        for directory in (
            directory_with(limit=0),
            make_directory(lists=[make_list(205, "CL_Late", callback_limit=_LIMIT, enabled=False)]),
        ):
            self.use_directory(directory)
            self.put(1, -(10**6))
            self.assertEqual(self.look(), 0)
        self.store.reload(directory_with(limit=0))
        self.assertEqual(self.preview(GSW_AGENT_ID="A")["GSW_PHONE"], "1")

    def test_many(self) -> None:
        """H360: very many are treated in slices, those of one agent and those of many."""
        for agents in (1, 130):
            self.use_directory(directory_with())
            self.store.sql(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 260)"
                " INSERT INTO CL_Late (record_id, chain_id, chain_n, contact_info, record_type, agent_id,"
                " dial_sched_time) SELECT i, i / 2, i % 2, 'x' || i, 4 + i % 2, 'A' || (i % ?), ? FROM n",
                agents,
                NOW - 2 * _LIMIT,
            )
            slices: list[int] = []

            def look(unit: UnitOfWork) -> int:
                return treat_overdue(unit, Position())[0]

            while count := self.store.chore(look):
                slices.append(count)
            self.assertLessEqual(max(slices), 250)
            self.look()
            self.assertEqual({row[0] for row in self.late("record_status")}, {3, 7})

    def test_result_is_over_once_processed(self) -> None:
        """H356: the record that comes back is processed as answered where nothing else is said."""
        self.use_directory(directory_with(Treatment(401, "T", _AGENT_CALLBACK_ERROR, "assign_to_group")))
        self.put(1, -_LIMIT - 1)
        self.look()
        self.reply(by_handle("RecordProcessed", self.preview()["GSW_RECORD_HANDLE"]))
        self.assertEqual(self.late("call_result", "record_status"), [(33, 3)])
