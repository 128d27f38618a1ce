"""What desktops and applications on `ocs` listeners are shown without asking (protocol.md section 3.2)."""

from typing import Any

from ocsgw.protocol.messages import KV, Bye, Drain, Event, Hello, Request, Validate, Verdict
from tests.ocs.service import FakeProxy
from tests.ocs.test_ocs_listeners import FakeClient, ListenerTestCase


class ScheduledCallTests(ListenerTestCase):
    """Personal callbacks come by themselves (P23, P34)."""

    def callback(self, client: FakeClient, phone: str) -> None:
        keys: dict[str, Any] = {"GSW_RECORD_TYPE": 5, "GSW_DATE_TIME": "01/01/2020 00:00", "GSW_AGENT_ID": "5001"}
        (event,) = self.ask(client, "AddRecord", GSW_CALLING_LIST="CL_Test", GSW_PHONE=phone, **keys)
        self.assertEqual(event["GSW_USER_EVENT"], "AddRecordAcknowledge")

    def phones(self, client: FakeClient) -> list[Any]:
        """Return the phones of the scheduled calls that have come within a second."""
        self.reactor.advance(1)
        self.settle()
        events = [each.data for each in client.read() if isinstance(each, Event) and each.ref is None]
        return [each["GSW_PHONE"] for each in events if each["GSW_USER_EVENT"] == "ScheduledCall"]

    def test_without_a_start(self) -> None:
        """P23: a desktop is eligible from its welcome on; Over ends that, and a start begins it again."""
        proxy = self.start()
        first, second = self.desktop(), self.desktop()
        self.callback(first, "6505550101")
        self.assertEqual((self.phones(first), self.phones(second)), ([], ["6505550101"]))
        self.ask(first, "PreviewDialingModeStart")
        self.callback(first, "6505550102")
        self.assertEqual(self.phones(first), ["6505550102"])
        for client, request in ((first, "LogOut"), (second, "PreviewDialingModeOver")):
            self.ask(client, request)
        self.callback(first, "6505550103")
        self.assertEqual((self.phones(first), self.phones(second)), ([], []))
        (_, call) = self.ask(second, "PreviewDialingModeStart", GSW_CAMPAIGN_NAME="Campaign1")
        self.assertEqual(call["GSW_PHONE"], "6505550103")
        self.finish(proxy)

    def test_with_a_start(self) -> None:
        """P23: with the option neither calls nor previews before a start."""
        self.configure(listener=self.listener, more="[desktop]\nagent_preview_mode_start = true\n")
        proxy = self.start()
        desktop = self.desktop()
        self.callback(desktop, "6505550101")
        self.assertEqual(self.phones(desktop), [])
        (error,) = self.ask(desktop, "PreviewRecordRequest", GSW_CAMPAIGN_GROUP_DBID=102)
        self.assertEqual(error["GSW_ERROR_CODE"], "invalid_state")
        self.ask(desktop, "PreviewDialingModeStart")
        self.assertEqual(self.phones(desktop), [])
        self.assertEqual(
            [row["record_status"] for row in self.rows("CL_Test")], [2], "the start itself has brought the call"
        )
        (empty,) = self.ask(desktop, "PreviewRecordRequest", GSW_CAMPAIGN_GROUP_DBID=102)
        self.assertEqual(empty["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.finish(proxy)

    def test_ready_time(self) -> None:
        """P24: ReadyTime looks at once."""
        proxy = self.start()
        desktop = self.desktop()
        self.callback(desktop, "6505550101")
        events = self.ask(desktop, "ReadyTime")
        self.assertEqual([each["GSW_USER_EVENT"] for each in events], ["ReadyTimeAcknowledge", "ScheduledCall"])
        self.finish(proxy)


class StartOverTests(ListenerTestCase):
    """Clients that may have missed something have to come again."""

    def test_start_over(self) -> None:
        """P35, P91: they are asked to leave once, may come again at once, and are shown how things are then."""
        proxy = self.start()
        desktop = self.desktop()
        for _ in range(2):
            self.service.getServiceNamed("while active").parts.getServiceNamed("applications").start_over("gone by")
        self.assertEqual([type(each) for each in desktop.read()], [Drain, Bye])
        desktop.lose()
        again = self.connect()
        again.send(Hello(versions=[1], client="desktop", agent_id="5001"))
        self.settle()
        _, shown = again.read()
        assert isinstance(shown, Event)
        self.assertEqual(shown.data["GSW_USER_EVENT"], "CampaignStarted")
        self.finish(proxy)


class ValidatedCallTests(ListenerTestCase):
    """Personal callbacks of which a server is asked first are brought to their agents all the same (O21, P135)."""

    def begin(self) -> tuple[FakeProxy, FakeClient, Validate]:
        """Return a proxy, a desktop, and the order to ask about its callback."""
        more = '[pre_dial_validation]\npre_dial_validation = true\nvalidation_uri = "http://rules.example/"\n'
        self.configure(listener=self.listener, more=more)
        proxy = self.start()
        desktop = self.desktop()
        keys: dict[str, Any] = {"GSW_RECORD_TYPE": 5, "GSW_DATE_TIME": "01/01/2020 00:00", "GSW_AGENT_ID": "5001"}
        self.ask(desktop, "AddRecord", GSW_CALLING_LIST="CL_Test", GSW_PHONE="6505550101", **keys)
        self.pass_time(1, proxy)
        self.settle()
        (order,) = [each for each in proxy.received() if isinstance(each, Validate)]
        return proxy, desktop, order

    def answer(self, proxy: FakeProxy, order: Validate) -> None:
        """The server agrees."""
        proxy.send(Verdict(ref=order.ref, outcome="positive", status=200, data={}))
        self.settle()

    def calls(self, client: FakeClient) -> list[Any]:
        """Return the phones of the calls that have come."""
        events = [each.data for each in client.read() if isinstance(each, Event) and each.ref is None]
        return [each["GSW_PHONE"] for each in events if each["GSW_USER_EVENT"] == "ScheduledCall"]

    def state(self) -> tuple[Any, ...]:
        """Return status and call result of the record."""
        ((status, result),) = [(row["record_status"], row["call_result"]) for row in self.rows("CL_Test")]
        return status, result

    def test_call(self) -> None:
        """The call comes with the verdict, and no other one meanwhile."""
        proxy, desktop, order = self.begin()
        self.assertEqual((order.purpose, order.data["GSW_PHONE"]), ("validation", "6505550101"))
        self.pass_time(2, proxy)
        self.assertEqual((self.calls(desktop), self.state()), ([], (2, 28)))
        self.answer(proxy, order)
        self.assertEqual(self.calls(desktop), ["6505550101"])
        self.assertEqual(len([each for each in proxy.received() if isinstance(each, Validate)]), 1)
        self.finish(proxy)

    def test_agent_gone(self) -> None:
        """O56: after a logout, or without a connection, the record is released, and goes out at the next start."""
        proxy, desktop, order = self.begin()
        self.ask(desktop, "LogOut")
        self.answer(proxy, order)
        self.assertEqual((self.calls(desktop), self.state()), ([], (1, 3)))
        self.ask(desktop, "PreviewDialingModeStart")
        self.pass_time(1, proxy)
        order = [each for each in proxy.received() if isinstance(each, Validate)][-1]
        desktop.lose()
        self.answer(proxy, order)
        self.assertEqual(self.state(), (1, 3))
        again = self.desktop()
        self.pass_time(1, proxy)
        self.settle()
        self.answer(proxy, [each for each in proxy.received() if isinstance(each, Validate)][-1])
        self.assertEqual(self.calls(again), ["6505550101"])
        self.finish(proxy)

    def test_stop(self) -> None:
        """A stop waits for the verdict; the record is released."""
        proxy, _, order = self.begin()
        stopped = self.service.stopService()
        self.settle()
        self.answer(proxy, order)
        self.pass_time(1, proxy)
        proxy.leave()
        for at in range(len(self.reactor.links)):
            self.reactor.lose_link(at)
        self.reactor.advance(0)
        self.successResultOf(stopped)
        self.assertEqual(self.state(), (1, 3))


class NoticeTests(ListenerTestCase):
    """What happens to a record that an agent holds reaches the agent's desktops (P32 to P34, P92)."""

    def names(self, client: FakeClient) -> list[Any]:
        return [each.data["GSW_USER_EVENT"] for each in client.read() if isinstance(each, Event)]

    def test_cancel(self) -> None:
        """All desktops of all holders are shown a cancel, the requester its acknowledgement alone."""
        proxy = self.start()
        first, second, other = self.desktop(), self.desktop(), self.desktop("5002")
        self.ask(first, "AddRecord", GSW_CALLING_LIST="CL_Test", GSW_PHONE="6505550100")
        (record,) = self.ask(first, "PreviewRecordRequest", GSW_CAMPAIGN_GROUP_DBID=102)
        handle = record["GSW_RECORD_HANDLE"]
        shared = self.ask(first, "RecordShare", GSW_RECORD_HANDLE=handle, GSW_SHARE_MODE="consult", GSW_AGENT_ID="5002")
        self.assertEqual([each["GSW_USER_EVENT"] for each in shared], ["RecordShareAcknowledge"])
        self.assertEqual(self.names(other), ["RecordShared"])
        events = self.ask(first, "RequestRecordCancel", GSW_PHONE="6505550100")
        self.assertEqual([each["GSW_USER_EVENT"] for each in events], ["RecordCancelAcknowledge"])
        self.assertEqual((self.names(second), self.names(other)), (["RecordCancel"], ["RecordCancel"]))
        self.finish(proxy)

    def test_broken_connection(self) -> None:
        """P92: the agent goes on with the same handle after another hello."""
        proxy = self.start()
        desktop = self.desktop()
        self.ask(desktop, "AddRecord", GSW_CALLING_LIST="CL_Test", GSW_PHONE="6505550100")
        (record,) = self.ask(desktop, "PreviewRecordRequest", GSW_CAMPAIGN_GROUP_DBID=102)
        desktop.lose()
        again = self.desktop()
        (event,) = self.ask(again, "RecordProcessed", GSW_RECORD_HANDLE=record["GSW_RECORD_HANDLE"])
        self.assertEqual(event["GSW_USER_EVENT"], "RecordProcessedAcknowledge")
        self.finish(proxy)


class UnsolicitedTests(ListenerTestCase):
    """Events that answer no request (protocol.md section 3.2)."""

    def events(self, client: FakeClient) -> list[Event]:
        """Return the events that have come."""
        return [each for each in client.read() if isinstance(each, Event)]

    def test_at_the_welcome(self) -> None:
        """P35, P30: one event for each group that is not unloaded, without a reference id and a ref."""
        proxy = self.start()
        client = self.connect("third_party")
        client.send(Hello(versions=[1], client="third_party"))
        self.settle()
        (event,) = self.events(client)
        self.assertEqual((event.ref, event.data["GSW_USER_EVENT"]), (None, "CampaignStarted"))
        self.assertNotIn("GSW_REFERENCE_ID", event.data)
        self.ask(client, "ForceUnloadCampaign", GSW_CAMPAIGN_GROUP_DBID=102)
        other = self.connect("third_party")
        other.send(Hello(versions=[1], client="third_party"))
        self.settle()
        self.assertEqual(self.events(other), [])
        self.finish(proxy)

    def test_order(self) -> None:
        """P31, P32, P33: the requester's acknowledgement comes first; each client gets the event once, HTTP none."""
        proxy = self.start()
        third, desktop = self.connect("third_party"), self.desktop()
        third.send(Hello(versions=[1], client="third_party"))
        self.settle()
        third.read()
        desktop.read()
        for name, event in (("StopDialing", "CampaignStopped"), ("StartDialing", "CampaignStarted")):
            third.refs += 1
            keys: KV = {"GSW_CAMPAIGN_GROUP_DBID": 102, "GSW_REFERENCE_ID": "r"}
            third.send(Request(ref=third.refs, data={"GSW_AGENT_REQ_TYPE": name, **keys}))
            self.settle()
            answer, unsolicited = self.events(third)
            self.assertEqual((answer.ref, unsolicited.ref), (third.refs, None))
            self.assertEqual([each.data["GSW_USER_EVENT"] for each in (answer, unsolicited)], [event, event])
            self.assertEqual(unsolicited.data, {k: v for k, v in answer.data.items() if k != "GSW_REFERENCE_ID"})
            self.assertEqual([each.data for each in self.events(desktop)], [unsolicited.data])
        self.assertEqual([each for each in proxy.received() if isinstance(each, Event)], [])
        late = self.desktop("5009")
        self.assertEqual([each.data["GSW_USER_EVENT"] for each in self.events(late)], [], "it was shown at the welcome")
        self.finish(proxy)
