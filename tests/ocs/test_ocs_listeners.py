"""The `ocs` listeners of a running OCS, with connections in memory."""

import sqlite3
import struct
from contextlib import closing
from typing import Any, ClassVar

import msgspec
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from ocsgw.protocol.messages import (
    KV,
    Bye,
    Drain,
    Event,
    Hello,
    Message,
    Ping,
    Pong,
    Request,
    Welcome,
    encode,
)
from ocsgw.protocol.session import ClientSession
from tests.ocs.service import FakeProxy, ServiceTestCase
from tests.support.processes import LinkTransport

LISTENER = """
[[listener]]
id = "desktops"
protocol = "ocs"
interface = "127.0.0.1"
port = 7200
"""


class Transport(LinkTransport):
    """A TCP connection in memory."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """There is no TCP."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """There is no TCP."""


class FakeClient:
    """A client at the other end of a connection in memory."""

    def __init__(self, protocol: Any, client: Any = "desktop") -> None:
        self.protocol = protocol
        self.transport = Transport()
        self.session = ClientSession(client, 1 << 22)
        self.refs = 0
        protocol.makeConnection(self.transport)

    def send(self, *messages: Message) -> None:
        self.protocol.dataReceived(b"".join(map(encode, messages)))

    def raw(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def read(self) -> list[Message]:
        data = self.transport.value()
        self.transport.clear()
        return list(self.session.receive(data))

    def lose(self) -> None:
        self.protocol.connectionLost(_DONE)


_DONE = Failure(ConnectionDone())


class ListenerTestCase(ServiceTestCase):
    """A test of one OCS with an `ocs` listener."""

    listener: ClassVar[str] = LISTENER

    def setUp(self) -> None:
        super().setUp()
        self.configure(listener=self.listener)
        self.clients: list[FakeClient] = []

    def connect(self, client: Any = "desktop", address: str = "192.0.2.1") -> FakeClient:
        """Open a connection."""
        (found,) = [each for each in self.reactor.tcpServers if each[0] == 7200]
        protocol = found[1].buildProtocol(IPv4Address("TCP", address, 4000))
        made = FakeClient(protocol, client)
        self.clients.append(made)
        return made

    def desktop(self, agent_id: str = "5001", **hello: Any) -> FakeClient:
        """Return a desktop that has been welcomed, and has read what it was shown."""
        client = self.connect()
        client.send(Hello(versions=[1], client="desktop", agent_id=agent_id, **hello))
        self.settle()
        (welcome, *_) = client.read()
        self.assertIsInstance(welcome, Welcome)
        return client

    def settle(self) -> None:
        """Let batches be carried out."""
        for _ in range(6):
            self.reactor.advance(0)

    def pass_time(self, seconds: float, proxy: FakeProxy) -> None:
        """Let time pass; the proxy shows that it lives."""
        for _ in range(int(seconds * 4)):
            self.reactor.advance(0.25)
            proxy.send(Ping(ref=1))

    def ask(self, client: FakeClient, name: str, **keys: Any) -> list[KV]:
        """Send a request and return the events that come."""
        client.refs += 1
        client.send(Request(ref=client.refs, data={"GSW_AGENT_REQ_TYPE": name, **keys}))
        self.settle()
        events = client.read()
        return [each.data for each in events if isinstance(each, Event)]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of a table."""
        with closing(sqlite3.connect(self.folder / "var" / "ocsgw.sqlite")) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]

    def finish(self, *proxies: FakeProxy) -> None:
        """Stop OCS."""
        for client in self.clients:
            if not client.transport.disconnected:
                client.lose()
        self.stop(*proxies)


class AdmissionTests(ListenerTestCase):
    """Who comes in (P80, P81, P85 to P87)."""

    def test_not_primary(self) -> None:
        """P87: a server that is not active says so, and the port is open all the same."""
        proxy = self.start()
        self.service.life_cycle.deactivate()
        client = self.connect()
        client.send(Hello(versions=[1], client="desktop", agent_id="5001"))
        (bye,) = client.read()
        self.assertEqual((type(bye), bye.code), (Bye, "not_primary"))  # type: ignore[attr-defined]  # it is a bye
        self.finish(proxy)

    def test_refused_hellos(self) -> None:
        """Each hello that cannot be served gets its goodbye, and no other client is concerned."""
        proxy = self.start()
        good = self.desktop()
        table: list[tuple[Hello, str]] = [
            (Hello(versions=[2], client="desktop", agent_id="1"), "version"),
            (Hello(versions=[1], client="http_proxy", pid=1), "refused"),
            (Hello(versions=[1], client="desktop"), "protocol_error"),
            (Hello(versions=[1], client="desktop", agent_id="x" * 33), "refused"),
            (Hello(versions=[1], client="third_party", tenant="Nobody"), "refused"),
        ]
        for hello, code in table:
            client = self.connect("third_party" if hello.client == "http_proxy" else hello.client)
            client.send(hello)
            (bye,) = client.read()
            self.assertEqual((type(bye), bye.code), (Bye, code), hello)  # type: ignore[attr-defined]  # it is a bye
            self.assertTrue(client.transport.disconnecting)
            client.lose()
        self.assertEqual(self.ask(good, "ReadyTime")[0]["GSW_USER_EVENT"], "ReadyTimeAcknowledge")
        self.finish(proxy)

    def test_silent(self) -> None:
        """P80: without a hello within 5 s the connection is closed; P88: a silent client is cut."""
        proxy = self.start()
        silent, desktop = self.connect(), self.desktop()
        self.pass_time(5.25, proxy)
        self.assertTrue(silent.transport.disconnecting)
        self.pass_time(2, proxy)
        self.assertIsInstance(desktop.read()[0], Ping)
        self.assertTrue(desktop.transport.aborted)
        self.finish(proxy)

    def test_heartbeat(self) -> None:
        """A desktop that answers stays, however long nothing is said."""
        proxy = self.start()
        desktop = self.desktop()
        for _ in range(200):
            self.pass_time(0.25, proxy)
            desktop.send(*(Pong(ref=each.ref) for each in desktop.read() if isinstance(each, Ping)))
        self.assertFalse(desktop.transport.disconnecting)
        self.finish(proxy)

    def test_address_limit(self) -> None:
        """Connections of one address are limited as for HTTP; others come in."""
        self.configure(listener=self.listener, more="[limits]\naddress_connections = 1\n")
        proxy = self.start()
        self.desktop()
        (found,) = [each for each in self.reactor.tcpServers if each[0] == 7200]
        self.assertIsNone(found[1].buildProtocol(IPv4Address("TCP", "192.0.2.1", 4001)))
        self.assertIsNotNone(found[1].buildProtocol(IPv4Address("TCP", "192.0.2.2", 4001)))
        self.assertIn("enough connections", self.log.text(93232))
        self.finish(proxy)

    def test_rate(self) -> None:
        """Requests beyond the rate of an address get Error, and the connection stays."""
        self.configure(listener=self.listener, more="[limits]\naddress_rate = 1\naddress_burst = 2\n")
        proxy = self.start()
        desktop = self.desktop()
        codes = [self.ask(desktop, "ReadyTime")[0].get("GSW_ERROR_CODE") for _ in range(3)]
        self.assertEqual(codes, [None, None, "too_many_requests"])
        self.finish(proxy)


class WireTests(ListenerTestCase):
    """Breaches end their own connection and no other (P61 to P66)."""

    def test_breaches(self) -> None:
        """Each gets `protocol_error`; the others go on."""
        proxy = self.start()
        good = self.desktop()
        hello = encode(Hello(versions=[1], client="desktop", agent_id="5002"))
        request = {"kind": "request", "ref": 1, "data": {"GSW_AGENT_REQ_TYPE": "ReadyTime"}}
        breaches: dict[str, bytes] = {
            "empty frame": b"\0\0\0\0",
            "too long": b"\xff\0\0\0",
            "no map": _frame(b"\x01"),
            "trailing bytes": _frame(msgspec.msgpack.encode({"kind": "ping", "ref": 1}) + b"\0"),
            "float": _pack({**request, "data": {"a": 1.5}}),
            "binary": _pack({**request, "data": {"a": b"x"}}),
            "unknown kind": _pack({"kind": "nonsense"}),
            "no ref": _pack({"kind": "request", "data": {}}),
            "kind of a proxy": _pack({"kind": "ready", "port": 1, "interface": ""}),
            "second hello": hello,
            "ref 0": _pack({**request, "ref": 0}),
            "data is no map": _pack({**request, "data": "x"}),
        }
        for name, data in breaches.items():
            client = self.connect()
            client.raw(hello)
            self.settle()
            client.read()
            client.raw(data)
            self.assertEqual([each.code for each in client.read() if isinstance(each, Bye)], ["protocol_error"], name)
            client.lose()
        before = self.connect()
        before.raw(_pack(request))
        self.assertEqual([each.code for each in before.read() if isinstance(each, Bye)], ["protocol_error"])
        self.assertEqual(self.ask(good, "ReadyTime")[0]["GSW_USER_EVENT"], "ReadyTimeAcknowledge")
        self.finish(proxy)

    def test_pieces(self) -> None:
        """P67: byte by byte is the same as at once."""
        proxy = self.start()
        client = self.connect()
        for byte in encode(Hello(versions=[1], client="desktop", agent_id="5001")):
            client.raw(bytes([byte]))
        self.assertIsInstance(client.read()[0], Welcome)
        self.finish(proxy)

    def test_refs(self) -> None:
        """P70, P71: an open ref that comes again is a breach; one that was answered is free."""
        proxy = self.start()
        desktop = self.desktop()
        data: KV = {"GSW_AGENT_REQ_TYPE": "CampaignStatusRequest"}
        desktop.send(Request(ref=1, data=data))
        self.settle()
        desktop.send(Request(ref=1, data=data))
        self.settle()
        self.assertEqual([each.ref for each in desktop.read() if isinstance(each, Event)], [1, 1])
        desktop.send(Request(ref=2, data=data), Request(ref=2, data=data))
        self.assertEqual([each.code for each in desktop.read() if isinstance(each, Bye)], ["protocol_error"])
        self.finish(proxy)

    def test_slow_reader(self) -> None:
        """P93: a client that does not read is closed when too much waits for it; the others are shown everything."""
        self.configure(listener=self.listener, more='[limits]\nsend_buffer = "64KiB"\n')
        proxy = self.start()
        slow, good = self.desktop(), self.desktop("5002")
        slow.protocol.pauseProducing()
        slow.transport.dataBuffer = b"x" * 70_000
        self.ask(slow, "ReadyTime")
        self.assertTrue(slow.transport.aborted)
        self.assertEqual(self.ask(good, "ReadyTime")[0]["GSW_USER_EVENT"], "ReadyTimeAcknowledge")
        self.finish(proxy)


class RequestTests(ListenerTestCase):
    """Requests of desktops and third-party applications (section 3)."""

    def test_errors(self) -> None:
        """Each bad request gets Error with its code and its reference id; the connection stays (P2 to P4)."""
        proxy = self.start()
        desktop = self.desktop()
        table: list[tuple[dict[str, Any], str]] = [
            ({"GSW_AGENT_REQ_TYPE": "Nonsense"}, "unknown_request"),
            ({"GSW_AGENT_REQ_TYPE": "recordprocessed"}, "unknown_request"),
            ({"GSW_AGENT_REQ_TYPE": 5}, "unknown_request"),
            ({"GSW_AGENT_REQ_TYPE": ["x"]}, "unknown_request"),
            ({}, "unknown_request"),
            ({"GSW_AGENT_REQ_TYPE": "LoadCampaign", "GSW_CAMPAIGN_GROUP_DBID": 102}, "forbidden"),
            ({"GSW_AGENT_REQ_TYPE": "RecordProcessed"}, "missing_attribute"),
            ({"GSW_AGENT_REQ_TYPE": "RecordProcessed", "GSW_RECORD_HANDLE": "x"}, "invalid_handle"),
            ({"GSW_AGENT_REQ_TYPE": "RecordProcessed", "GSW_RECORD_HANDLE": 99}, "invalid_handle"),
            ({"GSW_AGENT_REQ_TYPE": "RecordProcessed", "GSW_RECORD_HANDLE": [1]}, "invalid_handle"),
            (
                {"GSW_AGENT_REQ_TYPE": "RecordProcessed", "GSW_RECORD_HANDLE": 99, "GSW_CALL_RESULT": 99},
                "invalid_attribute",
            ),
            ({"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": "CL_Test"}, "missing_attribute"),
            ({"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_PHONE": "1"}, "missing_attribute"),
            ({"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": "None", "GSW_PHONE": "1"}, "list_not_found"),
            ({"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": "CL_Test", "GSW_PHONE": {}}, "invalid_attribute"),
            (
                {"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": "CL_Test", "GSW_PHONE": "1", "x": "\0"},
                "invalid_attribute",
            ),
            ({"GSW_AGENT_REQ_TYPE": "DoNotCall"}, "missing_attribute"),
            ({"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest"}, "missing_attribute"),
            ({"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest", "GSW_CAMPAIGN_GROUP_DBID": 5}, "group_not_found"),
            ({"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest", "GSW_CAMPAIGN_GROUP_DBID": "x"}, "group_not_found"),
            (
                {"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest", "GSW_CAMPAIGN_GROUP_DBID": 102, "GSW_AGENT_ID": "7"},
                "invalid_attribute",
            ),
            ({"GSW_AGENT_REQ_TYPE": "PreviewDialingModeStart", "GSW_CAMPAIGN_NAME": "None"}, "invalid_attribute"),
            ({"GSW_AGENT_REQ_TYPE": "CampaignStatusRequest", "GSW_CAMPAIGN_NAME": "None"}, "group_not_found"),
        ]
        for ref, (data, code) in enumerate(table, 1):
            desktop.send(Request(ref=ref, data={**data, "GSW_REFERENCE_ID": ref}))
            self.settle()
            (event,) = desktop.read()
            self.assertIsInstance(event, Event)
            assert isinstance(event, Event)
            self.assertEqual((event.code, event.ref, event.more), (code, ref, False), data)
            self.assertEqual(event.data["GSW_USER_EVENT"], "Error")
            self.assertEqual((event.data["GSW_ERROR_CODE"], event.data["GSW_REFERENCE_ID"]), (code, ref))
        self.finish(proxy)

    def test_principal_of_the_connection(self) -> None:
        """P79: what a client says about its principal and address is not believed."""
        proxy = self.start()
        desktop = self.desktop()
        data: KV = {"GSW_AGENT_REQ_TYPE": "DoNotCall", "GSW_PHONE": "6505550199"}
        desktop.send(Request(ref=1, data=data, principal="boss", peer="10.0.0.1"))
        self.settle()
        self.assertEqual(desktop.read()[0].data["GSW_USER_EVENT"], "DoNotCallAcknowledge")  # type: ignore[attr-defined]
        self.finish(proxy)

    def test_idempotency(self) -> None:
        """P78: a repetition under the same key is answered as the first one."""
        proxy = self.start()
        desktop = self.desktop()
        data: KV = {"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": "CL_Test", "GSW_PHONE": "6505550100"}
        answers = []
        for ref in (1, 2):
            desktop.send(Request(ref=ref, data=data, idempotency_key="k"))
            self.settle()
            answers += desktop.read()
        self.assertEqual([each.replayed for each in answers if isinstance(each, Event)], [False, True])
        desktop.send(Request(ref=3, data=data, idempotency_key="\n"))
        self.assertEqual([each.code for each in desktop.read() if isinstance(each, Event)], ["invalid_key"])
        self.finish(proxy)

    def test_stop(self) -> None:
        """P91: the stop is announced, and everybody is told that this server is not primary any more."""
        proxy = self.start()
        desktop = self.desktop()
        stopped = self.service.stopService()
        self.assertEqual([type(each) for each in desktop.read()], [Drain, Bye])
        desktop.lose()
        proxy.leave()
        self.reactor.lose_link(0)
        self.reactor.advance(0)
        self.successResultOf(stopped)


def _frame(payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + payload


def _pack(message: object) -> bytes:
    return _frame(msgspec.msgpack.encode(message))
