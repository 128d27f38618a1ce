"""The course of a connection (protocol.md sections 4 to 6): who may send what, when."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.protocol import session as wire_session
from ocsgw.protocol.frames import frame
from ocsgw.protocol.messages import (
    Bye,
    Event,
    Hello,
    Message,
    Ping,
    Pong,
    Ready,
    Request,
    Welcome,
    WireLimits,
    encode,
)
from ocsgw.protocol.requests import ClientKind
from ocsgw.protocol.session import ClientSession, ServerSession, WireError
from ocsgw.speedups.back import requests
from tests.support.settings import make_settings
from tests.support.wire import SAMPLES, WELCOME, message_map

LIMIT = 2 << 20
EVERYONE: frozenset[ClientKind] = frozenset({"http_proxy", "desktop", "third_party"})
HELLOS: dict[ClientKind, Hello] = {
    "http_proxy": Hello(versions=[1], client="http_proxy", pid=3),
    "desktop": Hello(versions=[1], client="desktop", agent_id="agent1"),
    "third_party": Hello(versions=[1], client="third_party"),
}

# Section 5, columns "direction" and "keys": what OCS takes from each client, and each client from OCS.
TO_OCS: dict[ClientKind, set[str]] = {
    "http_proxy": {"ready", "request", "log", "access", "stats", "ping", "pong", "verdict", "port", "bye"},
    "desktop": {"request", "ping", "pong", "bye"},
    "third_party": {"request", "ping", "pong", "bye"},
}
FROM_OCS: dict[ClientKind, set[str]] = {
    "http_proxy": {"settings", "event", "ping", "pong", "validate", "drain", "port", "bye"},
    "desktop": {"event", "ping", "pong", "drain", "bye"},
    "third_party": {"event", "ping", "pong", "drain", "bye"},
}


def kind_of(message: Message) -> str:
    return str(type(message).__struct_config__.tag)


def stream(messages: Iterable[Message]) -> bytes:
    return b"".join(map(encode, messages))


def greeted_server(client: ClientKind = "http_proxy") -> ServerSession:
    session = ServerSession(EVERYONE, LIMIT)
    list(session.receive(encode(HELLOS[client])))
    return session


def greeted_client(client: ClientKind = "http_proxy") -> ClientSession:
    session = ClientSession(client, LIMIT)
    list(session.receive(encode(WELCOME)))
    return session


class SessionTestCase(SynchronousTestCase):
    """How a breach looks."""

    def breach(
        self, session: ServerSession | ClientSession, data: bytes, code: str = "protocol_error"
    ) -> list[Message]:
        """Assert that data break the protocol; return the messages that came before."""
        got: list[Message] = []

        def take() -> None:
            for message in session.receive(data):
                got.append(message)  # noqa: PERF402 - the error comes after some of them

        error: WireError = self.assertRaises(WireError, take)
        self.assertEqual(error.code, code, error.text)
        self.assertNotEqual(error.text, "")
        self.assertTrue(session.ended)
        return got


class ServerSessionTests(SessionTestCase):
    """The end of OCS: P66, P70, P71, P80, P81, P85."""

    def test_kinds_of_each_client(self) -> None:
        """Section 5: each client may send its kinds and no other (P66)."""
        for client, allowed in TO_OCS.items():
            for sample in SAMPLES:
                session = greeted_server(client)
                if kind_of(sample) in allowed:
                    self.assertEqual(list(session.receive(encode(sample))), [sample])
                else:
                    self.breach(session, encode(sample))

    def test_hello_comes_first(self) -> None:
        """P80: anything before hello is a protocol error."""
        for sample in SAMPLES:
            if kind_of(sample) != "hello":
                self.breach(ServerSession(EVERYONE, LIMIT), encode(sample))

    def test_greeting(self) -> None:
        """P80, P85: a hello of a kind that is served greets."""
        for client, hello in HELLOS.items():
            session = ServerSession(frozenset({client}), LIMIT)
            self.assertFalse(session.greeted)
            self.assertEqual(list(session.receive(encode(hello))), [hello])
            self.assertTrue(session.greeted)
            self.assertEqual(session.client, client)

    def test_second_hello(self) -> None:
        """P66: a second hello is a protocol error."""
        for client, hello in HELLOS.items():
            self.breach(greeted_server(client), encode(hello))

    def test_version(self) -> None:
        """P81: version 1 among those of the client is taken; without it bye `version`."""
        for versions in ([1], [1, 2], [9, 1, 0]):
            list(ServerSession(EVERYONE, LIMIT).receive(encode(Hello(versions=versions, client="third_party"))))
        for versions in ([], [2], [0, -1, 2**40]):
            self.breach(
                ServerSession(EVERYONE, LIMIT), encode(Hello(versions=versions, client="third_party")), "version"
            )

    def test_client_of_another_carrier(self) -> None:
        """P85: http_proxy only on the inherited socket, the others only on listeners; else bye `refused`."""
        listener: frozenset[ClientKind] = frozenset({"desktop", "third_party"})
        self.breach(ServerSession(listener, LIMIT), encode(HELLOS["http_proxy"]), "refused")
        inherited: frozenset[ClientKind] = frozenset({"http_proxy"})
        for client in listener:
            self.breach(ServerSession(inherited, LIMIT), encode(HELLOS[client]), "refused")

    def test_desktop_names_its_agent(self) -> None:
        """Section 5: agent_id is mandatory for a desktop."""
        for hello in (Hello(versions=[1], client="desktop"), Hello(versions=[1], client="desktop", agent_id="")):
            self.breach(ServerSession(EVERYONE, LIMIT), encode(hello))

    def test_refs(self) -> None:
        """P71: a ref that is in use again is a protocol error; after its final event it is free."""
        session = greeted_server()
        list(session.receive(stream([Request(ref=1, data={}), Request(ref=2, data={})])))
        self.assertEqual(session.open_requests, {1, 2})
        session.close_request(2)
        list(session.receive(encode(Request(ref=2, data={}))))
        self.breach(session, encode(Request(ref=1, data={})))

    def test_ref_that_is_answered_within_a_segment(self) -> None:
        """P67, P71: a ref is free as soon as it is answered, also if its next use is in the same segment."""
        session = greeted_server()
        for message in session.receive(stream([Request(ref=1, data={}), Request(ref=1, data={})])):
            assert isinstance(message, Request)
            session.close_request(message.ref)
        self.assertEqual(session.open_requests, set())

    def test_requests_that_come_together(self) -> None:
        """P67, P71: usual requests may be taken as a list, and each is judged when its turn comes."""
        session = greeted_server()
        sent = [Request(ref=1, data={"a": 1}), Request(ref=1, data={})]
        data = stream([*sent, Ping(ref=3)])
        with mock.patch.object(wire_session, "_usual", requests):
            self.assertEqual(session.usual_requests(data[:5]), ([], data[:5]))
            self.assertEqual(list(session.receive(data[:5])), [])
            taken, left = session.usual_requests(data[5:])
        self.assertEqual((taken, list(session.receive(left))), (sent, [Ping(ref=3)]))
        session.open_request(1)
        self.assertEqual(self.assertRaises(WireError, session.open_request, 1).code, "protocol_error")
        self.assertTrue(session.ended)

    def test_nothing_is_usual(self) -> None:
        """Before a client has said hello, and without compiled parts, all is left; a frame that is none is a breach."""
        data = stream([Request(ref=1, data={})])
        with mock.patch.object(wire_session, "_usual", requests):
            self.assertEqual(ServerSession(EVERYONE, LIMIT).usual_requests(data), ([], data))
            session = greeted_server()
            self.assertEqual(list(session.receive(b"\xff\xff\xff")), [])
            self.assertRaises(WireError, session.usual_requests, b"\xff")
            self.assertTrue(session.ended)
        with mock.patch.object(wire_session, "_usual", None):
            self.assertEqual(greeted_server().usual_requests(data), ([], data))

    def test_nothing_follows_the_bye(self) -> None:
        """Section 5: bye is the last message."""
        session = greeted_server()
        self.assertEqual(
            self.breach(session, stream([Ping(ref=1), Bye(code="done"), Ping(ref=2)])), [Ping(ref=1), Bye(code="done")]
        )

    def test_frames_and_payloads(self) -> None:
        """P61, P64, P66: a bad frame and a bad payload are protocol errors of the session."""
        for data in (b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", frame(b"\xc0"), frame(message_map("nope"))):
            got = self.breach(greeted_server(), encode(Ping(ref=1)) + data)
            self.assertEqual(got, [Ping(ref=1)])

    def test_limit(self) -> None:
        """P64: the limit is that of the session."""
        session = ServerSession(EVERYONE, 100)
        self.breach(session, encode(Hello(versions=[1], client="third_party", name="x" * 100)))

    def test_incomplete(self) -> None:
        """P66: the session tells that a frame was begun and not completed."""
        session = greeted_server()
        data = encode(Ping(ref=1))
        for at in range(1, len(data)):
            self.assertEqual(list(session.receive(data[at - 1 : at])), [])
            self.assertTrue(session.incomplete)
        list(session.receive(data[-1:]))
        self.assertFalse(session.incomplete)


class ClientSessionTests(SessionTestCase):
    """The end of a client: P81, P82."""

    def test_kinds_from_ocs(self) -> None:
        """Section 5: each client takes its kinds and no other (P66)."""
        for client, allowed in FROM_OCS.items():
            for sample in SAMPLES:
                session = greeted_client(client)
                if kind_of(sample) in allowed:
                    self.assertEqual(list(session.receive(encode(sample))), [sample])
                else:
                    self.breach(session, encode(sample))

    def test_welcome_comes_first(self) -> None:
        """P82: before welcome only bye may come, as after a hello that is refused."""
        for sample in SAMPLES:
            session = ClientSession("http_proxy", LIMIT)
            if kind_of(sample) in ("welcome", "bye"):
                self.assertEqual(list(session.receive(encode(sample))), [sample])
            else:
                self.breach(session, encode(sample))

    def test_version(self) -> None:
        """P81: a version that was not offered is refused."""
        welcome = Welcome(version=2, application_id=1, application="a", session=1, limits=WELCOME.limits)
        self.breach(ClientSession("http_proxy", LIMIT), encode(welcome), "version")

    def test_limit_is_that_of_the_welcome(self) -> None:
        """P64: the largest frame is reported in welcome and counts for what follows it, also in the same segment."""
        limits = WireLimits(frame=50, in_flight=1, heartbeat_ms=3000)
        small = Welcome(version=1, application_id=1, application="a", session=1, limits=limits)
        event = Event(data={"GSW_USER_EVENT": "x" * 100})
        self.assertEqual(self.breach(ClientSession("desktop", LIMIT), stream([small, event])), [small])


class SplitTests(SessionTestCase):
    """P67: how the stream is cut makes no difference."""

    CONVERSATION: tuple[Message, ...] = (
        HELLOS["http_proxy"],
        Ready(port=8080, interface="127.0.0.1"),
        Request(ref=1, data={"GSW_PHONE": "1"}),
        Pong(ref=4),
        Request(ref=2, data={"GSW_PHONE": "2", "list": [1, "é"]}),
        Bye(code="done"),
    )

    def test_every_offset(self) -> None:
        """P67: every cut of a whole conversation gives the same messages."""
        data = stream(self.CONVERSATION)
        for at in range(len(data) + 1):
            session = ServerSession(EVERYONE, LIMIT)
            got = [*session.receive(data[:at]), *session.receive(data[at:])]
            self.assertEqual(tuple(got), self.CONVERSATION)

    def test_breach_at_every_offset(self) -> None:
        """P66, P67: what came before a breach is given, wherever the stream is cut."""
        good = self.CONVERSATION[:-1]
        data = stream(good) + encode(make_settings())
        for at in range(len(data)):
            session = ServerSession(EVERYONE, LIMIT)
            got = list(session.receive(data[:at]))
            got += self.breach(session, data[at:])
            self.assertEqual(tuple(got), good)

    @given(st.lists(st.integers(0, 400), max_size=10))
    def test_any_split(self, cuts: list[int]) -> None:
        """P67: any number of cuts."""
        data = stream(self.CONVERSATION)
        edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        session = ServerSession(EVERYONE, LIMIT)
        got = [message for begin, end in pairwise(edges) for message in session.receive(data[begin:end])]
        self.assertEqual(tuple(got), self.CONVERSATION)

    @given(st.lists(st.binary(max_size=50), max_size=5))
    def test_any_bytes(self, pieces: list[bytes]) -> None:
        """P66: no bytes raise anything but the documented error."""
        for session in (ServerSession(EVERYONE, LIMIT), ClientSession("http_proxy", LIMIT), greeted_server()):
            if not self.survives(session, (frame(piece) if piece else b"" for piece in pieces)):
                continue
            self.survives(session, iter(pieces))

    @staticmethod
    def survives(session: ServerSession | ClientSession, pieces: Iterator[bytes]) -> bool:
        try:
            for piece in pieces:
                list(session.receive(piece))
        except WireError:
            return False
        return True
