"""Every message of protocol.md on a real socket, read as plain MessagePack and compared with its table."""

import os
import signal
import socket
import struct
import subprocess
import sys
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from ocsgw.protocol.messages import ListenerSettings, encode
from tests.integration.receiver import receive
from tests.integration.server import PATIENCE, ROOT
from tests.integration.test_desktops import DesktopTestCase, ocs_port_of
from tests.support.settings import make_settings

# Section 5 and 8: keys with their types, those behind `?` need not be there.
TABLE: dict[str, dict[str, type]] = {
    "hello": {"versions": list, "client": str, "?software": str, "?pid": int},
    "welcome": {"version": int, "application_id": int, "application": str, "session": int, "limits": dict},
    "ready": {"port": int, "interface": str},
    "request": {"ref": int, "data": dict, "?deadline_ms": int, "?principal": str, "?request_id": str, "?peer": str},
    "event": {"data": dict, "?ref": int, "?more": bool, "?code": str, "?replayed": bool},
    "log": {"lines": list, "?dropped": int},
    "ping": {"ref": int},
    "pong": {"ref": int},
    "verdict": {"ref": int, "outcome": str, "?status": int, "data": dict, "?reason": str, "?text": str},
    "drain": {"timeout_ms": int, "?reason": str},
    "bye": {"code": str, "?text": str},
}
LINE = {"time": int, "level": str, "id": int, "text": str, "?fields": dict}
# Between OCS and its own child; not in the table.
OWN = {"stats", "access"}


class Wire:
    """One end of a connection of frames."""

    def __init__(self, test: SynchronousTestCase, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        test.addCleanup(connection.close)
        self._test = test
        self._connection = connection
        self._bytes = connection.makefile("rb")
        test.addCleanup(self._bytes.close)

    def send(self, kind: str, **keys: Any) -> None:
        """Send a message."""
        self.send_payload(msgspec.msgpack.encode({"kind": kind, **keys}))

    def send_payload(self, payload: bytes) -> None:
        """Send one MessagePack map."""
        self._connection.sendall(struct.pack(">I", len(payload)) + payload)

    def read(self) -> dict[str, Any] | None:
        """Return the next message, compared with its table; None at the end."""
        head = self._bytes.read(4)
        if not head:
            return None
        message: dict[str, Any] = msgspec.msgpack.decode(self._bytes.read(struct.unpack(">I", head)[0]))
        if message["kind"] not in OWN:
            compare(self._test, {key: value for key, value in message.items() if key != "kind"}, TABLE[message["kind"]])
        return message

    def expect(self, kind: str) -> dict[str, Any]:
        """Return the next message of a kind; a ping meanwhile is answered, lines and counts are passed over."""
        while True:
            message = self.read()
            assert message is not None, f"the connection ended before {kind}"
            if message["kind"] == kind:
                return message
            if message["kind"] == "ping":
                self.send("pong", ref=message["ref"])
            self._test.assertIn(message["kind"], {"ping", "log", *OWN}, message)


def compare(test: SynchronousTestCase, found: dict[str, Any], table: dict[str, type]) -> None:
    """Compare keys and types with a table; an optional key may be nil."""
    known = {key.lstrip("?"): kind for key, kind in table.items()}
    test.assertEqual(found.keys() - known.keys(), set(), found)
    test.assertEqual({key for key in table if not key.startswith("?")} - found.keys(), set(), found)
    optional = {key[1:] for key in table if key.startswith("?")}
    for key, value in found.items():
        if not (value is None and key in optional):
            test.assertIs(type(value), known[key], f"{key} of {found}")


class ApplicationTests(DesktopTestCase):
    """A third-party application on an `ocs` listener."""

    def test_messages(self) -> None:
        """P2, P20, P30, P60, P70, P72, P76, P82, P88, P91: welcome, events of every form, ping, pong, drain, bye."""
        self.serve(more='[limits]\nheartbeat = "2s"\n')
        wire = Wire(self, socket.create_connection(("127.0.0.1", ocs_port_of(self.server))))
        wire.send("hello", versions=[1], client="third_party", name="crm", software="test")
        welcome = wire.expect("welcome")
        self.assertEqual((welcome["version"], welcome["application_id"], welcome["application"]), (1, 134, "OCS"))
        compare(self, welcome["limits"], {"frame": int, "in_flight": int, "heartbeat_ms": int})
        self.assertEqual(welcome["limits"]["heartbeat_ms"], 2000)
        shown = wire.expect("event")
        self.assertEqual((shown["data"]["GSW_USER_EVENT"], shown.get("ref")), ("CampaignStarted", None))
        add = {"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": "CL_Test", "GSW_PHONE": "6505550101"}
        for ref, replayed in ((5, None), (6, True)):
            wire.send("request", ref=ref, data=add, idempotency_key="k", deadline_ms=20000)
            event = wire.expect("event")
            self.assertEqual((event["ref"], event.get("replayed"), event.get("more")), (ref, replayed, None))
        chain = event["data"]["GSW_CHAIN_ID"]
        wire.send("request", ref=7, data={**add, "GSW_PHONE": "6505550102", "GSW_CHAIN_ID": chain})
        wire.expect("event")
        wire.send("request", ref=8, data={"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest", "GSW_CAMPAIGN_GROUP_DBID": 102})
        handle = wire.expect("event")["data"]["GSW_RECORD_HANDLE"]
        wire.send("request", ref=9, data={"GSW_AGENT_REQ_TYPE": "ChainedRecordRequest", "GSW_RECORD_HANDLE": handle})
        events = [wire.expect("event") for _ in range(2)]
        self.assertEqual([(each["ref"], each.get("more")) for each in events], [(9, True), (9, None)])
        wire.send("request", ref=10, data={"GSW_AGENT_REQ_TYPE": "Nonsense", "GSW_REFERENCE_ID": 3})
        error = wire.expect("event")
        self.assertEqual((error["ref"], error["code"], error["data"]["GSW_REFERENCE_ID"]), (10, "unknown_request", 3))
        self.assertEqual(error["data"]["GSW_ERROR_CODE"], "unknown_request")
        wire.send("ping", ref=77)
        self.assertEqual(wire.expect("pong")["ref"], 77)
        ping = wire.read()
        assert ping is not None
        self.assertEqual(ping["kind"], "ping")
        wire.send("pong", ref=ping["ref"])
        os.kill(self.server.pid, signal.SIGTERM)
        self.assertGreater(wire.expect("drain")["timeout_ms"], 0)
        self.assertEqual(wire.expect("bye")["code"], "not_primary")
        self.assertIsNone(wire.read())


# The link of an HTTP Proxy is descriptor 3.
_AS_PROXY = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.execv(sys.executable, [sys.executable, "-m", "ocsgw.proxy"])
"""


class ProxyTests(SynchronousTestCase):
    """A real HTTP Proxy, with the test in the place of OCS."""

    def begin(self, encoding: str | None = None) -> None:
        """Start the process and greet it; its listener has a port of the system's choice."""
        ours, theirs = socket.socketpair()
        self.wire = Wire(self, ours)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _AS_PROXY, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        self.addCleanup(self.process.wait, PATIENCE)
        hello = self.wire.expect("hello")
        self.assertEqual((hello["versions"], hello["client"], hello["pid"]), ([1], "http_proxy", self.process.pid))
        limits = {"frame": 2 << 20, "in_flight": 1024, "heartbeat_ms": 3000}
        self.wire.send("welcome", version=1, application_id=134, application="OCS", session=1, limits=limits)
        listener = ListenerSettings(id="default", interface="127.0.0.1", port=0, public_host="ocs.example")
        self.settings = make_settings(listener=listener, encoding=encoding)
        self.wire.send_payload(encode(self.settings)[4:])

    def test_messages(self) -> None:
        """P82, P110, P91, section 8: hello, ready, request, log, ping, a verdict on each kind of call, bye."""
        self.begin()
        ready = self.wire.expect("ready")
        self.assertEqual(ready["interface"], "127.0.0.1")
        with socket.create_connection(("127.0.0.1", ready["port"]), timeout=PATIENCE) as client:
            body = b'{"GSW_PHONE":"6505550100"}'
            head = b"POST /lists/CL_Test?req=AddRecord HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
            client.sendall(head % len(body) + body)
            request = self.wire.expect("request")
            self.assertEqual(
                (request["ref"], request["data"]),
                (1, {"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": "CL_Test", "GSW_PHONE": "6505550100"}),
            )
            self.wire.send("event", ref=1, data={"GSW_USER_EVENT": "AddRecordAcknowledge"}, replayed=True)
            answer = client.recv(65536)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
        self.assertIn(b"Idempotency-Replayed: true\r\n", answer)
        self.check_calls()
        self.wire.send("ping", ref=9)
        self.assertEqual(self.wire.expect("pong")["ref"], 9)
        self.wire.send("drain", timeout_ms=5000)
        self.assertEqual(self.wire.expect("bye")["code"], "done")
        self.assertEqual(self.process.wait(PATIENCE), 0)

    def check_calls(self) -> None:
        """Order a call of each kind, with each outcome."""
        ledger = receive(self)
        answers = {"/yes": (200, b'{"a":"1"}'), "/no": (409, b'{"GSW_CALL_RESULT":40}'), "/what": (500, b'{"a":"1"}')}
        ledger.answer = lambda sent: answers[sent.path]
        yes = {"outcome": "positive", "status": 200, "data": {"a": "1"}}
        no = {"outcome": "negative", "status": 409, "data": {"GSW_CALL_RESULT": 40}}
        what = {"outcome": "failed", "status": 500, "data": {}, "reason": "status"}
        ref = 0
        for purpose in ("validation", "campaign_group_state", "history", "contact_processed"):
            for path, expected in (("/yes", yes), ("/no", no), ("/what", what)):
                ref += 1
                data = {"GSW_PHONE": str(ref)}
                order = {"purpose": purpose, "uri": ledger.uri(path), "data": data, "timeout_ms": 20000}
                self.wire.send("validate", ref=ref, **order)
                verdict = self.wire.expect("verdict")
                self.assertEqual(verdict["ref"], ref)
                self.assertEqual({key: verdict[key] for key in expected}, expected)
                self.assertEqual(ledger.calls[-1].body, data)
        gone = socket.create_server(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{gone.getsockname()[1]}/"
        gone.close()
        self.wire.send("validate", ref=99, purpose="history", uri=uri, data={}, timeout_ms=20000)
        verdict = self.wire.expect("verdict")
        self.assertEqual((verdict["outcome"], verdict.get("status"), verdict["reason"]), ("failed", None, "connect"))

    def test_unusable_settings(self) -> None:
        """P83, P120: log lines that say why, then bye, and the exit status 78."""
        self.begin("no such code page")
        lines = self.wire.expect("log")["lines"]
        for line in lines:
            compare(self, line, LINE)
        self.assertTrue([each for each in lines if "no such code page" in each["text"]], lines)
        self.assertEqual(self.wire.expect("bye")["code"], "settings")
        self.assertEqual(self.process.wait(PATIENCE), 78)
