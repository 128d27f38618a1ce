"""Which list a request concerns, where it concerns one."""

from typing import cast

from ocsgw.contact import one_list
from ocsgw.contact.batch import Outcome
from ocsgw.contact.one_list import NO_LIST, OneList
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV
from tests.support.rules import (
    GROUP,
    RuleTestCase,
    add_record,
    by_customer_id,
    by_handle,
    by_phone,
    make_directory,
    of_group,
    pending,
    preview_record,
)

_SECOND_GROUP = 112


class OneListTests(RuleTestCase):
    """Requests of every kind."""

    def setUp(self) -> None:
        super().setUp()
        self.use_directory(make_directory(second_tenant=True))
        self.lists = OneList(lambda: self.directory)

    def of(self, data: KV) -> int | None:
        """Return the list of a request."""
        return self.lists.of(pending(data))

    def test_named(self) -> None:
        """What names its list; one that is not there is no list."""
        self.assertEqual(self.of(add_record()), 201)
        self.assertEqual(self.of(add_record("1", "CL_CALLBACK")), 202)
        self.assertEqual(self.of(add_record("1", GSW_CHAIN_ID=4)), 201)
        self.assertEqual(self.of(by_phone("RequestRecordCancel", "1", GSW_CALLING_LIST="CL_Second")), 211)
        self.assertEqual(self.of(add_record("1", "nowhere")), NO_LIST)
        nameless: KV = {"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_PHONE": "1"}
        self.assertEqual(self.of(nameless), NO_LIST)

    def test_groups(self) -> None:
        """A group whose campaign has one list; that with several may hand out from any."""
        self.assertEqual(self.of(preview_record(_SECOND_GROUP)), 211)
        self.assertEqual(self.of(preview_record(GROUP)), None)
        self.assertEqual(self.of(preview_record(999)), NO_LIST)
        asked: KV = {"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest", "GSW_CAMPAIGN_NAME": "Campaign2"}
        self.assertEqual(self.of(asked), 211)
        self.assertEqual(self.of(asked | {"GSW_CAMPAIGN_NAME": "nobody's"}), NO_LIST)

    def test_several(self) -> None:
        """What may concern any list, or all groups."""
        log_out: KV = {"GSW_AGENT_REQ_TYPE": "LogOut"}
        for each in (
            by_phone("DoNotCall", "1"),
            by_customer_id("DoNotCall", "1"),
            by_phone("RequestRecordCancel", "1"),
            by_customer_id("RequestRecordCancel", "1"),
            by_handle("DoNotCall", 1),
            of_group("LoadCampaign"),
            log_out,
        ):
            self.assertIsNone(self.of(each), each)
        goes_on = pending(preview_record(_SECOND_GROUP))
        goes_on.resume = lambda unit: Refusal("busy")
        self.assertIsNone(self.lists.of(goes_on))

    def test_none(self) -> None:
        """What only reads tables of our own."""
        for name in ("CampaignStatusRequest", "GetCampaignStatus", "EventsRequest"):
            self.assertEqual(self.of(of_group(name)), NO_LIST)

    def test_handles(self) -> None:
        """A handle is known once an answer has shown it, and so are those of its chain."""
        chain = self.add("1", "CL_Second")["GSW_CHAIN_ID"]
        self.add("2", "CL_Second", GSW_CHAIN_ID=chain)
        (shown,) = self.outcomes(preview_record(_SECOND_GROUP))
        assert isinstance(shown.reply, dict)
        handle = shown.reply["GSW_RECORD_HANDLE"]
        request = by_handle("RecordProcessed", handle)
        self.assertIsNone(self.of(request))
        self.lists.learn(shown.reply)
        self.assertEqual(self.of(request), 211)
        self.assertEqual(self.of({"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_RECORD_HANDLE": handle}), 211)
        self.assertIsNone(self.of(by_handle("DoNotCall", handle)))
        (chained,) = self.outcomes(by_handle("ChainedRecordRequest", handle))
        self.lists.learn(chained.reply)
        assert isinstance(chained.reply, dict)
        (other,) = cast("list[KV]", chained.reply["GSW_CHAINED_RECORDS"])
        self.assertEqual(self.of(by_handle("RecordProcessed", other["GSW_RECORD_HANDLE"])), 211)
        desktop = OneList(lambda: self.directory)
        (events,) = self.outcomes(pending(by_handle("ChainedRecordRequest", handle), client="third_party"))
        desktop.learn(events.reply)
        self.assertEqual(desktop.of(pending(by_handle("RecordProcessed", other["GSW_RECORD_HANDLE"]))), 211)

    def test_few_handles(self) -> None:
        """The handle that was used longest ago is forgotten."""
        self.patch(one_list, "_MOST_HANDLES", 2)

        def show(handle: int) -> None:
            self.lists.learn({"GSW_RECORD_HANDLE": handle, "GSW_CALLING_LIST": "CL_Test"})

        show(1)
        show(2)
        self.of(by_handle("RecordProcessed", 1))
        show(3)
        known = [self.of(by_handle("RecordProcessed", handle)) for handle in (1, 2, 3)]
        self.assertEqual(known, [201, None, 201])

    def test_answers_without_handles(self) -> None:
        """Refusals, and answers about nothing that has a handle."""
        self.lists.learn(Outcome(Refusal("busy")).reply)
        self.lists.learn({"GSW_CALLING_LIST": "CL_Test"})
        self.lists.learn({"GSW_RECORD_HANDLE": 1, "GSW_CALLING_LIST": "nowhere"})
        self.assertIsNone(self.of(by_handle("RecordProcessed", 1)))
