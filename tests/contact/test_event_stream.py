"""Event streams of web clients: who may see what, and what each entry of the outbox becomes (docs/http.md)."""

import json
from collections.abc import Iterable
from typing import Any

from ocsgw.access.permissions import Permissions
from ocsgw.contact.batch import Outcome
from ocsgw.contact.journal import GROUP_UNLOADED, OVERDUE, RECORD_TIMEOUT
from ocsgw.contact.outbox import OutboxEntry, RecordChanged, entry_of
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.contact.validation import VALIDATION
from ocsgw.protocol.event_stream import EVENT_TYPES, OCCASIONS, EventPage, read_page, type_named
from ocsgw.protocol.messages import KV
from ocsgw.protocol.requests import REQUESTS, UNSOLICITED_EVENTS
from tests.support.rules import (
    GROUP,
    NOW,
    RuleTestCase,
    by_handle,
    by_phone,
    event_of,
    make_directory,
    of_group,
    pending,
)


def stream(principal: str = "", **keys: Any) -> Any:
    """Return the request for a stream."""
    return pending({"GSW_AGENT_REQ_TYPE": "EventStreamRequest", **keys}, principal=principal)


class PageTestCase(RuleTestCase):
    """A store whose outbox is read."""

    def page(self, after: int = 0, **sender: Any) -> EventPage:
        """Return the page behind a number."""
        request: KV = {"GSW_AGENT_REQ_TYPE": "EventsRequest", "GSW_EVENT_ID": after}
        (outcome,) = self.outcomes(pending(request, **sender))
        return read_page(str(event_of(outcome)["GSW_EVENTS"]))

    def shown(self, after: int = 0) -> list[dict[str, Any]]:
        """Return the events behind a number, without their common members."""
        events = [json.loads(each.data) for each in self.page(after).events]
        self.assertEqual({each.pop("GSW_EVENT_TIME") for each in events} - {NOW}, set())
        return events

    def append(self, entries: Iterable[OutboxEntry]) -> None:
        """Write entries."""
        stored = list(entries)

        def write(unit: UnitOfWork) -> None:
            unit.tx.append_outbox(stored)

        self.store.chore(write)

    def forget(self, most: int) -> None:
        """Keep the last entries only."""

        def shorten(unit: UnitOfWork) -> int:
            return unit.tx.forget_outbox(0, most, 1000)

        self.store.chore(shorten)


class EventTests(PageTestCase):
    """What the entries become."""

    def test_types(self) -> None:
        """Each request that changes records, each occasion and each event of a group has a name of its own."""
        self.assertEqual(set(OCCASIONS), {RECORD_TIMEOUT, GROUP_UNLOADED, OVERDUE, VALIDATION})
        self.assertEqual(len(EVENT_TYPES), len({each.lower() for each in EVENT_TYPES}))
        self.assertLess({each for each in UNSOLICITED_EVENTS if each.startswith("Campaign")}, set(EVENT_TYPES))
        writing = {row.name for row in REQUESTS.values() if row.resources and not row.reads}
        self.assertLess(writing, set(EVENT_TYPES))
        self.assertEqual([type_named(each) for each in ("RECORDCANCEL", "PreviewRecord", "x")],
                         ["RequestRecordCancel", "PreviewRecordRequest", None])  # fmt: skip

    def test_a_record(self) -> None:
        """From the adding to the result: what is known of the record and what has changed, under the known keys."""
        handle = self.hand_out("6505550100", CustomerID="C-1")
        self.reply(by_handle("RecordProcessed", handle, GSW_CALL_RESULT=6, Remarks="engaged", GSW_AGENT_ID="7"))
        added, handed_out, processed = self.shown()
        place = {"GSW_CALLING_LIST_DBID": 201, "GSW_CALLING_LIST": "CL_Test", "GSW_RECORD_ID": 1}
        self.assertEqual(added, {"GSW_USER_EVENT": "AddRecord", "GSW_LAST_RECORD_ID": 1, **place})
        group = {
            "GSW_RECORD_HANDLE": handle,
            "GSW_CHAIN_ID": 1,
            "GSW_CAMPAIGN_GROUP_DBID": GROUP,
            "GSW_CAMPAIGN_GROUP_NAME": "Campaign1@Group1",
            "GSW_CAMPAIGN_NAME": "Campaign1",
        }
        self.assertEqual(
            handed_out, {"GSW_USER_EVENT": "PreviewRecordRequest", **place, **group, "GSW_RECORD_STATUS": 2}
        )
        expected = {
            "GSW_USER_EVENT": "RecordProcessed",
            **place,
            **group,
            "GSW_RECORD_STATUS": 3,
            "GSW_CALL_RESULT": 6,
            "GSW_ATTEMPTS": 1,
            "GSW_CALL_TIME": NOW,
            "Remarks": "engaged",
        }
        self.assertEqual({key: processed.get(key) for key in expected}, expected)
        # Nothing under the names of columns, and nothing of who has asked.
        self.assertEqual([key for key in processed if key.islower() or "principal" in key.lower()], [])

    def test_without_a_hand_out(self) -> None:
        """A cancel by phone has neither handle nor group."""
        self.add("6505550100")
        self.reply(by_phone("RequestRecordCancel", "6505550100"))
        self.assertEqual(
            self.shown(1),
            [
                {
                    "GSW_USER_EVENT": "RequestRecordCancel",
                    "GSW_CALLING_LIST_DBID": 201,
                    "GSW_CALLING_LIST": "CL_Test",
                    "GSW_CHAIN_ID": 1,
                    "GSW_RECORD_ID": 1,
                    "GSW_RECORD_STATUS": 5,
                    "GSW_CALL_RESULT": 52,
                }
            ],
        )

    def test_a_timeout_and_a_group(self) -> None:
        """What no request has done is called by its occasion; a group's event has what the event has elsewhere."""
        self.hand_out("6505550100")
        self.pass_time(601)
        self.reply(pending(of_group("StopDialing"), client="third_party"))
        (timeout, stopped) = self.page(2).events
        self.assertEqual((timeout.type, timeout.list_dbid, timeout.group_dbid), ("RecordTimeout", 201, GROUP))
        self.assertEqual((stopped.type, stopped.list_dbid, stopped.group_dbid), ("CampaignStopped", 0, GROUP))
        self.assertEqual(json.loads(stopped.data)["GSW_CAMPAIGN_MODE"], "Preview")

    def test_what_is_not_configured_any_more(self) -> None:
        """A list and a group that are gone: their DBIDs are all that is left."""
        self.append([entry_of(RecordChanged("RecordReject", 999, 1, 2, 998, 3, after={"record_status": 1}), NOW)])
        (event,) = self.page().events
        self.assertEqual((event.list_dbid, event.group_dbid), (999, 998))
        self.assertNotIn('GSW_CALLING_LIST"', event.data)


class ReadingTests(PageTestCase):
    """Pages."""

    def fill(self, count: int, text: str = "") -> None:
        """Write entries, with a field of some length in each."""
        self.append(
            entry_of(RecordChanged("RecordReject", 201, at, at, after={"remarks": text}), NOW) for at in range(count)
        )

    def test_in_order(self) -> None:
        """Everything behind a number, in order, each entry once, in pages of some 200."""
        self.fill(450)
        after, numbers, sizes = 0, [], []
        while True:
            page = self.page(after)
            self.assertEqual(page.first, after + 1)
            numbers += [each.number for each in page.events]
            sizes.append((len(page.events), page.more))
            after = page.last
            if not page.events:
                break
        self.assertEqual(numbers, list(range(1, 451)))
        self.assertEqual(sizes, [(200, True), (200, True), (50, False), (0, False)])
        self.assertEqual(after, 450)

    def test_size(self) -> None:
        """A page has 64 KiB of text at most, and at least one event; it fits into a small frame too."""
        self.fill(100, "x" * 5000)
        page = self.page()
        self.assertTrue(page.more)
        self.assertEqual(len(page.events), 12)
        self.assertEqual(len(self.page(largest_answer=32 << 10).events), 3)

    def test_an_event_that_is_too_large(self) -> None:
        """It is shown without what has changed; those around it are whole."""
        self.fill(1)
        self.fill(1, "x" * 70_000)
        self.fill(1, "short")
        shown = [json.loads(each.data) for after in (0, 1, 2) for each in self.page(after).events[:1]]
        self.assertEqual(["GSW_TOO_LARGE" in each for each in shown], [False, True, False])
        self.assertEqual([each.get("Remarks") for each in shown], ["", None, "short"])
        self.assertEqual(shown[1]["GSW_CALLING_LIST"], "CL_Test")

    def test_what_is_not_kept(self) -> None:
        """The page says with which number it begins; with nothing left, which comes next."""
        self.fill(20)
        self.forget(5)
        page = self.page(3)
        self.assertEqual((page.first, page.last, len(page.events)), (16, 20, 5))
        self.append([])
        self.store.chore(lambda unit: unit.tx.forget_outbox(NOW, 0, 1000))
        page = self.page(3)
        self.assertEqual((page.first, page.last, page.events), (21, 20, []))

    def test_a_number_that_was_never_given(self) -> None:
        """The page says where to go on."""
        self.fill(3)
        page = self.page(2**62)
        self.assertEqual((page.first, page.last, page.more), (4, 3, False))

    def test_undone(self) -> None:
        """Only what is committed is an event: a refused request leaves none, and no number is left out."""
        self.add("6505550100")
        self.refusal(by_handle("RecordProcessed", 77))
        self.add("6505550101")
        self.assertEqual([each.number for each in self.page().events], [1, 2])


class ScopeTests(PageTestCase):
    """What a principal may see of what it asks for."""

    def scope(self, principal: str = "", **keys: Any) -> tuple[Any, Any]:
        """Return the lists and groups of a stream."""
        event = self.reply(stream(principal, **keys))
        self.assertEqual(event["GSW_USER_EVENT"], "EventStream")
        return event.get("GSW_CALLING_LIST_DBIDS"), event.get("GSW_CAMPAIGN_GROUP_DBIDS")

    def setUp(self) -> None:
        super().setUp()
        limits = {
            "tenant": Permissions(tenants=frozenset({"Second"})),
            "list": Permissions(calling_lists=frozenset({"CL_Test"})),
            "group": Permissions(campaign_groups=frozenset({"Campaign1@Group1"})),
            "nothing": Permissions(calling_lists=frozenset(), campaign_groups=frozenset()),
        }
        self.use_directory(make_directory(second_tenant=True, principals=limits))

    def test_newest(self) -> None:
        """The answer has the number of the newest event."""
        self.assertEqual(self.reply(stream())["GSW_EVENT_ID"], 0)
        self.add("6505550100")
        self.assertEqual(self.reply(stream())["GSW_EVENT_ID"], 1)

    def test_permissions(self) -> None:
        """H346: a principal sees what it may touch, without a filter too."""
        for principal, lists, groups in (
            ("", None, None),
            ("tenant", [211], [112]),
            ("list", [201], None),
            ("group", None, [102]),
            ("nothing", [], []),
        ):
            self.assertEqual(self.scope(principal), (lists, groups), principal)

    def test_filters(self) -> None:
        """A group stands for the lists of its campaign, a list for its groups; of both together both count."""
        for keys, lists, groups in (
            ({"GSW_CALLING_LISTS": ["CL_Test"]}, [201], [102]),
            ({"GSW_CALLING_LISTS": ["CL_Second", "Liste été"]}, [211, 203], [112]),
            ({"GSW_CAMPAIGN_GROUP_DBIDS": [102]}, [201, 202], [102]),
            ({"GSW_CAMPAIGN_GROUP_DBIDS": [102, 112]}, [201, 202, 211], [102, 112]),
            ({"GSW_CAMPAIGN_GROUP_DBIDS": [102], "GSW_CALLING_LISTS": ["CL_CALLBACK"]}, [202], [102]),
        ):
            self.assertEqual(self.scope(**keys), (lists, groups), keys)
        self.assertEqual(self.scope("list", GSW_CAMPAIGN_GROUP_DBIDS=[102]), ([201], [102]))
        self.assertEqual(self.scope("group", GSW_CALLING_LISTS=["CL_Second"]), ([211], []))

    def test_refused(self) -> None:
        """H63, H346: what is not there, and what is not permitted."""
        for principal, keys, refusal in (
            ("", {"GSW_CALLING_LISTS": ["CL_None"]}, "404 Calling list not found"),
            ("", {"GSW_CAMPAIGN_GROUP_DBIDS": [999]}, "404 Campaign group not found"),
            ("tenant", {"GSW_CALLING_LISTS": ["CL_Test"]}, "403 Not permitted"),
            ("list", {"GSW_CALLING_LISTS": ["CL_Test", "CL_CALLBACK"]}, "403 Not permitted"),
            ("group", {"GSW_CAMPAIGN_GROUP_DBIDS": [112]}, "403 Not permitted"),
        ):
            self.assertEqual(self.refusal(stream(principal, **keys)), refusal, keys)

    def test_each_for_itself(self) -> None:
        """Several requests of a batch: one that is refused does not concern the others."""
        outcomes: list[Outcome] = self.outcomes(
            stream(), stream("tenant", GSW_CALLING_LISTS=["CL_Test"]), stream("tenant")
        )
        self.assertEqual([isinstance(each.reply, dict) for each in outcomes], [True, False, True])
