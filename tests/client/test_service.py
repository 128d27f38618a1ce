"""`OcsClient`: requests, events, and connections that break."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.client import Answer, NotConnectedError, OcsClient, OutcomeUnknownError, RefusedError, RequestError
from ocsgw.protocol.messages import Bye, Drain, Event, Ping, Pong, Request
from tests.client.server import PlayedConnection, PlayedEndpoint, acknowledgement


class ClientCase(SynchronousTestCase):
    """A client on a played endpoint."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.endpoint = PlayedEndpoint()
        self.client = self.make()

    def make(self, *more: PlayedEndpoint, **options: Any) -> OcsClient:
        """Return a client that is started, and stopped with the test."""
        client = OcsClient(self.clock, [self.endpoint, *more], **{"agent_id": "1001", **options})
        client.startService()
        self.addCleanup(client.stopService)
        return client

    @property
    def server(self) -> PlayedConnection:
        """The other side of the newest connection."""
        return self.endpoint.connections[-1]

    def answered(self, deferred: "Deferred[Answer]", *, parts: int = 0) -> Answer:
        """Answer the one request that has been sent, and return what the client gets."""
        (request,) = self.server.read()
        assert isinstance(request, Request)
        for number in range(parts):
            self.server.send(Event(ref=request.ref, data={"GSW_USER_EVENT": "ChainedRecord", "n": number}, more=True))
        self.server.send(acknowledgement(request))
        return self.successResultOf(deferred)


class RequestTests(ClientCase):
    """Requests and answers."""

    def test_hello(self) -> None:
        """P80: a desktop says who it is; without an agent it is a third-party application."""
        hello = self.server.greet()
        self.assertEqual((hello.client, hello.agent_id, hello.versions), ("desktop", "1001", [1]))
        self.make(agent_id=None, key="secret", name="dialer")
        hello = self.server.greet()
        self.assertEqual(
            (hello.client, hello.agent_id, hello.key, hello.name), ("third_party", None, "secret", "dialer")
        )

    def test_answer(self) -> None:
        """The answer to a request reaches who has asked, with the events before it."""
        self.server.greet()
        answer = self.answered(self.client.processed(7, 33))
        self.assertEqual((answer.event, answer.handle), ("RecordProcessedAcknowledge", 7))
        self.assertEqual(answer.data["GSW_CALL_RESULT"], 33)
        answer = self.answered(self.client.chained_records(7), parts=2)
        self.assertEqual([part["n"] for part in answer.parts], [0, 1])

    def test_answers_in_another_order(self) -> None:
        """P42: answers are matched by their ref."""
        self.server.greet()
        first, second = self.client.update(1), self.client.update(2)
        requests = [each for each in self.server.read() if isinstance(each, Request)]
        self.server.send(*map(acknowledgement, reversed(requests)))
        self.assertEqual([self.successResultOf(each).handle for each in (first, second)], [1, 2])

    def test_error(self) -> None:
        """P3: an Error event is a `RequestError` with code, text and keys."""
        self.server.greet()
        asked = self.client.reject(7)
        (request,) = self.server.read()
        assert isinstance(request, Request)
        data = {"GSW_USER_EVENT": "Error", "GSW_ERROR": "Invalid Record Handle", "GSW_ERROR_CODE": "invalid_handle"}
        self.server.send(Event(ref=request.ref, data={**data}, code="invalid_handle"))
        error = self.failureResultOf(asked, RequestError).value
        self.assertEqual((error.code, error.text), ("invalid_handle", "Invalid Record Handle"))

    def test_time_out(self) -> None:
        """A request without an answer fails after its time, and says that the outcome is unknown."""
        client = self.make(timeout=2.0)
        self.server.greet()
        asked = client.ready()
        self.clock.pump([0.5] * 5)
        self.failureResultOf(asked, OutcomeUnknownError)

    def test_heartbeat(self) -> None:
        """P88: a ping is answered."""
        self.server.greet()
        self.server.send(Ping(ref=5))
        self.assertEqual(self.server.read(), [Pong(ref=5)])

    def test_idempotency_key(self) -> None:
        """P78: a key goes along with its request, and only with that."""
        self.server.greet()
        self.client.add_record("CL_Test", "6505550100", GSW_PHONE_TYPE=4, idempotency_key="k1")
        (request,) = self.server.read()
        assert isinstance(request, Request)
        self.assertEqual(request.idempotency_key, "k1")
        self.assertEqual(
            request.data,
            {
                "GSW_AGENT_REQ_TYPE": "AddRecord",
                "GSW_CALLING_LIST": "CL_Test",
                "GSW_PHONE": "6505550100",
                "GSW_PHONE_TYPE": 4,
            },
        )

    def test_every_request(self) -> None:
        """Each method sends the request of its name with the keys of protocol.md section 3."""
        self.server.greet()
        client = self.client
        group = {"GSW_CAMPAIGN_GROUP_DBID": 102}
        campaign = {"GSW_CAMPAIGN_NAME": "Campaign1"}
        handle = {"GSW_RECORD_HANDLE": 7}
        table: list[tuple[Deferred[Answer], str, dict[str, object]]] = [
            (client.preview(102), "PreviewRecordRequest", {**group}),
            (client.preview("Campaign1"), "PreviewRecordRequest", {**campaign}),
            (client.processed(7), "RecordProcessed", {**handle}),
            (client.update(7, GSW_ATTEMPTS=2), "UpdateCallCompletionStats", {**handle, "GSW_ATTEMPTS": 2}),
            (
                client.reschedule(7, "11/28/2026 09:30", "Personal"),
                "RecordReschedule",
                {**handle, "GSW_DATE_TIME": "11/28/2026 09:30", "GSW_CALLBACK_TYPE": "Personal"},
            ),
            (client.reject(7), "RecordReject", {**handle}),
            (client.cancel(7), "RequestRecordCancel", {**handle}),
            (client.cancel(phone="650"), "RequestRecordCancel", {"GSW_PHONE": "650"}),
            (client.do_not_call(customer_id="C1"), "DoNotCall", {"GSW_CUSTOMER_ID": "C1"}),
            (client.chained_records(7), "ChainedRecordRequest", {**handle}),
            (
                client.share(7, "Transfer", "1002"),
                "RecordShare",
                {**handle, "GSW_SHARE_MODE": "Transfer", "GSW_AGENT_ID": "1002"},
            ),
            (client.preview_mode_start("Campaign1"), "PreviewDialingModeStart", {**campaign}),
            (client.preview_mode_over(), "PreviewDialingModeOver", {}),
            (client.ready(), "ReadyTime", {}),
            (client.log_out(), "LogOut", {}),
            (client.campaign_status(), "CampaignStatusRequest", {}),
            (client.campaign_status(102), "CampaignStatusRequest", {**group}),
            (client.load_campaign(102), "LoadCampaign", {**group}),
            (client.start_dialing("Campaign1"), "StartDialing", {**campaign}),
            (client.stop_dialing(102), "StopDialing", {**group}),
            (client.unload_campaign(102), "UnloadCampaign", {**group}),
            (client.force_unload_campaign(102), "ForceUnloadCampaign", {**group}),
            (client.set_dialing_mode(102, "Preview"), "SetDialingMode", {**group, "GSW_CAMPAIGN_MODE": "Preview"}),
        ]
        sent = [each.data for each in self.server.read() if isinstance(each, Request)]
        self.assertEqual(sent, [{"GSW_AGENT_REQ_TYPE": name, **keys} for _, name, keys in table])

    def test_nothing_named(self) -> None:
        """A request by handle, phone or customer id needs one of them."""
        self.assertRaises(ValueError, self.client.cancel)

    def test_caller_that_raises(self) -> None:
        """What one caller does with its answer concerns no other."""
        self.server.greet()
        first, second = self.client.update(1), self.client.update(2)
        first.addCallback(lambda _: 1 / 0)
        requests = [each for each in self.server.read() if isinstance(each, Request)]
        self.server.send(*map(acknowledgement, requests))
        self.failureResultOf(first, ZeroDivisionError)
        self.assertEqual(self.successResultOf(second).handle, 2)


class EventTests(ClientCase):
    """Events that OCS sends by itself."""

    def test_handlers(self) -> None:
        """Handlers get the events of their name, or all."""
        seen: list[tuple[str, str]] = []
        self.client.on("ScheduledCall", lambda answer: seen.append(("call", answer.event)))
        self.client.on(None, lambda answer: seen.append(("all", answer.event)))
        self.server.greet()
        for name in ("CampaignStarted", "ScheduledCall"):
            self.server.send(Event(data={"GSW_USER_EVENT": name, "GSW_RECORD_HANDLE": 3, "GSW_PHONE": "650"}))
        self.assertEqual(seen, [("all", "CampaignStarted"), ("call", "ScheduledCall"), ("all", "ScheduledCall")])

    def test_handler_that_raises(self) -> None:
        """A handler that raises is logged; the next one gets its event."""
        seen: list[Answer] = []
        self.client.on(None, lambda _: 1 / 0)
        self.client.on(None, seen.append)
        self.server.greet()
        self.server.send(Event(data={"GSW_USER_EVENT": "RecordCancel", "GSW_RECORD_HANDLE": 3}))
        self.assertEqual([(each.event, each.handle, each.is_record) for each in seen], [("RecordCancel", 3, False)])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class ConnectionTests(ClientCase):
    """Connections that break, and servers that do not take the client."""

    def test_reconnect(self) -> None:
        """P92: after a break the client connects again; what was in flight is unknown, the next request goes on."""
        self.server.greet()
        asked = self.client.update(7)
        self.server.lose()
        self.failureResultOf(asked, OutcomeUnknownError)
        self.assertFalse(self.client.is_connected)
        again = self.client.update(7)
        self.clock.advance(1)
        self.assertEqual(len(self.endpoint.connections), 2)
        self.server.greet()
        self.assertEqual(self.answered(again).handle, 7)

    def test_no_connection(self) -> None:
        """A request waits for a connection, and fails with nothing sent when none comes."""
        self.endpoint.refuses = True
        client = self.make(timeout=5.0)
        asked = client.ready()
        self.clock.pump([0.5] * 9)
        self.assertNoResult(asked)
        self.clock.advance(1)
        self.failureResultOf(asked, NotConnectedError)

    def test_refused(self) -> None:
        """A client that is not admitted hears why, and does not try again."""
        asked = self.client.ready()
        self.server.read()
        self.server.send(Bye(code="unauthorized", text="no API key"))
        self.server.lose()
        error = self.failureResultOf(asked, RefusedError).value
        self.assertEqual(error.code, "unauthorized")
        self.clock.pump([5.0] * 5)
        self.assertEqual(len(self.endpoint.connections), 1)
        self.failureResultOf(self.client.ready(), RefusedError)

    def test_backup(self) -> None:
        """P87: a server that is not the primary sends the client to the other one of the pair."""
        other = PlayedEndpoint()
        client = self.make(other)
        self.server.read()
        self.server.send(Bye(code="not_primary"))
        self.server.lose()
        self.clock.pump([1.0] * 3)
        other.connections[-1].greet()
        self.assertTrue(client.is_connected)

    def test_drain(self) -> None:
        """P91: while OCS drains, what is open gets its answer and new requests wait for the next connection."""
        self.server.greet()
        first = self.client.update(1)
        self.server.send(Drain(timeout_ms=5000))
        second = self.client.update(2)
        self.assertEqual(self.answered(first).handle, 1)
        self.server.send(Bye(code="done"))
        self.server.lose()
        self.clock.pump([1.0] * 2)
        self.server.greet()
        self.assertEqual(self.answered(second).handle, 2)

    def test_stop(self) -> None:
        """A client that is stopped says goodbye; who waits for a connection hears it."""
        self.server.greet()
        self.client.stopService()
        self.assertEqual([each.code for each in self.server.read() if isinstance(each, Bye)], ["done"])
        waiting = self.make()
        asked = waiting.ready()
        waiting.stopService()
        self.failureResultOf(asked, NotConnectedError)

    def test_when_connected(self) -> None:
        """Who waits for the connection is reported, also when there is one already."""
        waiting = self.client.when_connected()
        self.assertNoResult(waiting)
        self.server.greet()
        self.assertIsNone(self.successResultOf(waiting))
        self.assertIsNone(self.successResultOf(self.client.when_connected()))
