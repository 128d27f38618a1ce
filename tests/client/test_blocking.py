"""`BlockingClient`, against a server on a socket."""

import threading
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.client import BlockingClient, NotConnectedError, OutcomeUnknownError, RefusedError, RequestError
from ocsgw.protocol.messages import Bye, Event, Hello, Message, Ping, Pong, Request
from tests.client.server import SocketServer, acknowledgement, welcome


class BlockingTests(SynchronousTestCase):
    """Requests that wait for their answer; `serve` says what OCS does."""

    def setUp(self) -> None:
        self.ponged = threading.Event()
        # What the server says instead of an acknowledgement, by the name of the request; None: nothing.
        self.answers: dict[str, list[Event] | None] = {}
        self.greeting: list[Message] = [welcome()]
        self.server = SocketServer(self.serve)
        self.addCleanup(self.server.close)

    def serve(self, message: Message) -> Iterator[Message]:
        """Answer one message."""
        if isinstance(message, Hello):
            yield from self.greeting
        elif isinstance(message, Pong):
            self.ponged.set()
        elif isinstance(message, Request):
            name = str(message.data["GSW_AGENT_REQ_TYPE"])
            said = self.answers.get(name, [acknowledgement(message)])
            for event in said or ():
                event.ref = message.ref
                yield event

    def client(self, timeout: float = 20.0) -> BlockingClient:
        """Return a client; it is closed with the test."""
        client = BlockingClient([self.server.address], agent_id="1001", timeout=timeout)
        self.addCleanup(client.close)
        return client

    def test_answer(self) -> None:
        """A request returns its answer, with the events before it."""
        client = self.client()
        self.assertEqual(client.processed(7, 33).event, "RecordProcessedAcknowledge")
        part = Event(data={"GSW_USER_EVENT": "ChainedRecord", "GSW_RECORD_HANDLE": 8}, more=True)
        self.answers["ChainedRecordRequest"] = [part, Event(data={"GSW_USER_EVENT": "ChainedRecordsDataEnd"})]
        answer = client.chained_records(7)
        self.assertEqual(
            (answer.event, [each["GSW_RECORD_HANDLE"] for each in answer.parts]), ("ChainedRecordsDataEnd", [8])
        )
        self.assertEqual([(hello.client, hello.agent_id) for hello in self.server.hellos], [("desktop", "1001")])

    def test_error(self) -> None:
        """An Error event is raised."""
        data = {"GSW_USER_EVENT": "Error", "GSW_ERROR": "Invalid Record Handle"}
        self.answers["RecordReject"] = [Event(data={**data}, code="invalid_handle")]
        with self.assertRaises(RequestError) as caught:
            self.client().reject(7)
        self.assertEqual(caught.exception.code, "invalid_handle")

    def test_events(self) -> None:
        """Events that OCS sends by itself are kept until they are asked for."""
        self.greeting.append(Event(data={"GSW_USER_EVENT": "CampaignStarted"}))
        client = self.client()
        event = client.next_event(timeout=20)
        self.assertEqual(event.event if event is not None else None, "CampaignStarted")
        self.assertIsNone(client.next_event(timeout=0))

    def test_heartbeat(self) -> None:
        """A ping is answered while nobody asks for anything."""
        self.greeting.append(Ping(ref=1))
        self.client()
        self.assertTrue(self.ponged.wait(20))

    def test_lost(self) -> None:
        """A request whose connection breaks has an unknown outcome; the next one finds a new connection."""
        self.answers["ReadyTime"] = None
        client = self.client()
        self.assertEqual(client.update(1).handle, 1)
        failures: list[Exception] = []

        def ask() -> None:
            try:
                client.ready()
            except OutcomeUnknownError as error:
                failures.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        while not client._waiting:
            thread.join(0.001)
        self.server.cut()
        thread.join(20)
        self.assertEqual(len(failures), 1)
        self.assertEqual(client.update(2).handle, 2)
        self.assertEqual(len(self.server.hellos), 2)

    def test_no_answer(self) -> None:
        """Without an answer in time the outcome is unknown."""
        self.answers["ReadyTime"] = None
        client = self.client(timeout=0.2)
        self.assertRaises(OutcomeUnknownError, client.ready)

    def test_refused(self) -> None:
        """A client that is not admitted hears why."""
        self.greeting = [Bye(code="unauthorized", text="no API key")]
        with self.assertRaises(RefusedError) as caught:
            self.client().ready()
        self.assertEqual(caught.exception.code, "unauthorized")

    def test_closed(self) -> None:
        """A closed client sends nothing more."""
        with self.client() as client:
            client.ready()
        self.assertRaises(NotConnectedError, client.ready)

    def test_several_threads(self) -> None:
        """Answers reach the thread that has asked."""
        client = self.client()
        handles: list[tuple[int, int | None]] = []

        def ask(first: int) -> None:
            handles.extend((handle, client.update(handle).handle) for handle in range(first, first + 50))

        threads = [threading.Thread(target=ask, args=(first,)) for first in (1000, 2000, 3000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(handles), 150)
        self.assertEqual([pair for pair in handles if pair[0] != pair[1]], [])
