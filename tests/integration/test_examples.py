"""Every example of the interface, over a real socket, request and answer as printed."""

import json
import re
import socket
import sqlite3
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import TestCase

from tests.integration.examples import EXAMPLES
from tests.integration.server import PATIENCE, make_server, shared_server

_GUID = re.compile(r'"GSW_CALL_ATTEMPT_GUID":"([^"]*)"')
# What every answer has besides the headers that an example shows.
_IN_EVERY_ANSWER = {"Date", "X-Content-Type-Options", "Keep-Alive"}


def parse_answer(raw: bytes) -> tuple[str, dict[str, str], bytes]:
    """Return status line, header fields and body of one answer."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return first, {name: value for name, _, value in (line.partition(": ") for line in lines)}, body


class ExampleTests(TestCase):
    """One server for all examples; its tables are cleared before each."""

    def setUp(self) -> None:
        self.server = shared_server(listener="public_port = 8080")
        for table in ("CL_Test", "CL_CALLBACK", "liste_ete", "gsw_donotcall_list", "ocsgw_handle", "ocsgw_handout"):
            self.server.write(f"DELETE FROM {table}")

    # What an example takes for granted.

    def add(self, chain_id: int, chain_n: int = 0, phone: str = "6505550199", **columns: object) -> None:
        """Put a row into CL_Test, as another program does."""
        values = {
            "record_id": chain_id * 100 + chain_n,
            "contact_info": phone,
            "contact_info_type": 0,
            "record_type": 2,
            "record_status": 1,
            "call_result": 28,
            "attempt": 0,
            "dial_sched_time": 0,
            "call_time": 0,
            "daily_from": 0,
            "daily_till": 86399,
            "tz_dbid": 101,
            "campaign_id": 301,
            "chain_id": chain_id,
            "chain_n": chain_n,
            **columns,
        }
        names = ", ".join(values)
        self.server.write(f"INSERT INTO CL_Test ({names}) VALUES ({', '.join('?' * len(values))})", *values.values())

    def next_handle(self, handle: int) -> None:
        """Let the next hand-out have this handle."""
        self.server.write("INSERT OR REPLACE INTO ocsgw_counter (name, value) VALUES ('handle', ?)", handle - 1)

    def hand_out(self, handle: int) -> None:
        """Hand the only chain out."""
        self.next_handle(handle)
        event = self.server.post("/campaigngroups/102?req=PreviewRecordRequest").json
        self.assertEqual(event["GSW_RECORD_HANDLE"], handle)

    def record(self, record_id: int, *columns: str) -> tuple[Any, ...]:
        """Return columns of a row."""
        return self.server.rows(f"SELECT {', '.join(columns)} FROM CL_Test WHERE record_id = ?", record_id)[0]

    # The comparison.

    def play(self, name: str, part: int = 0) -> dict[str, Any]:
        """Send the request of an example as printed and compare the answer with the printed one; return its members."""
        request, expected = EXAMPLES[name][part]
        head, _, body = request.partition("\n\n")
        raw = head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body.strip("\n").encode()
        status, headers, answer = parse_answer(self.server.exchange(raw))
        wanted_status, wanted_headers, wanted = parse_answer(
            expected.partition("\n\n")[0].replace("\n", "\r\n").encode()
            + b"\r\n\r\n"
            + expected.partition("\n\n")[2].strip("\n").encode()
        )
        self.assertEqual(status, wanted_status)
        shown = {key: value for key, value in headers.items() if key not in _IN_EVERY_ANSWER}
        shown.pop("Connection", None)
        self.assertEqual(shown, wanted_headers)
        self.assertTrue(headers["Date"])
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        if headers["Content-Type"].startswith("text/html"):
            self.assertEqual(answer, wanted)
            return {}
        self.assertEqual(len(answer), len(wanted))
        self.assertTrue(answer.startswith(b'{"GSW_USER_EVENT":'))
        got, want = _without_guids(answer.decode()), _without_guids(wanted.decode())
        self.assertEqual(json.loads(got), json.loads(want))
        self.assertTrue(all(re.fullmatch("[A-Z0-9]{32}", guid) for guid in _GUID.findall(answer.decode())))
        members: dict[str, Any] = json.loads(answer)
        return members

    # The examples.

    def test_e01(self) -> None:
        """E1: AddRecord, minimal; one row with the defaults."""
        self.add(1000)
        self.play("E1")
        row = self.server.rows(
            "SELECT contact_info, chain_n, record_type, record_status, call_result, attempt, tz_dbid, campaign_id"
            " FROM CL_Test WHERE chain_id = 1001"
        )
        self.assertEqual(row, [("6505550100", 0, 2, 1, 28, 0, 101, 301)])

    def test_e02(self) -> None:
        """E2: AddRecord as a Java callback client sends it."""
        self.play("E2")
        self.assertEqual(self.server.rows("SELECT dial_sched_time FROM CL_CALLBACK"), [(1774103400,)])

    def test_e03(self) -> None:
        """E3: a list name with a blank, UTF-8 data."""
        self.play("E3")
        self.assertEqual(self.server.rows("SELECT nom FROM liste_ete"), [("Hélène",)])

    def test_e04(self) -> None:
        """E4: AddRecord into an existing chain."""
        self.add(1001)
        self.play("E4")

    def test_e05(self) -> None:
        """E5: an HTML error, because Accept admits no JSON."""
        self.play("E5")

    def test_e06(self) -> None:
        """E6: the same in JSON, whatever Accept admits it."""
        self.play("E6")
        variants: list[dict[str, str]] = [{}, {"Accept": "*/*"}, {"Accept": "text/plain, */*;q=0.1"}]
        for headers in variants:
            answer = self.server.post("/lists/CL_Test?req=AddRecord", {"GSW_CAMPAIGN_NAME": "Campaign1"}, headers)
            self.assertEqual(answer.json, {"GSW_USER_EVENT": "Error", "GSW_ERROR": "Missing attribute GSW_PHONE"})

    def test_e07(self) -> None:
        """E7: an unknown list."""
        self.play("E7")

    def test_e08(self) -> None:
        """E8: a body that is not JSON changes nothing; the handle stays alive."""
        self.add(1001)
        self.hand_out(15)
        self.play("E8")
        self.assertEqual(self.record(100100, "record_status"), (2,))
        self.assertEqual(self.server.post("/records/15?req=RecordReject").status, 200)

    def test_e09(self) -> None:
        """E9: RecordProcessed; the record is done, its chain too."""
        self.add(1001)
        self.add(1001, 1)
        self.hand_out(15)
        self.play("E9")
        call_result, status, attempt, call_time = self.record(
            100100, "call_result", "record_status", "attempt", "call_time"
        )
        self.assertEqual((call_result, status, attempt), (33, 3, 1))
        self.assertGreater(call_time, 1_700_000_000)
        self.assertEqual(self.record(100101, "record_status"), (7,))

    def test_e10(self) -> None:
        """E10: the same handle again is unknown; with the key of the first request the first answer comes back."""
        self.add(1001)
        self.hand_out(15)
        body = json.loads(EXAMPLES["E9"][0][0].partition("\n\n")[2])
        headers = {"Idempotency-Key": "e10"}
        first = self.server.post("/records/15?req=RecordProcessed", body, headers)
        self.play("E10")
        again = self.server.post("/records/15?req=RecordProcessed", body, headers)
        self.assertEqual((again.status, again.body), (200, first.body))
        self.assertEqual(again.headers["Idempotency-Replayed"], "true")

    def test_e11(self) -> None:
        """E11: UpdateCallCompletionStats with a custom field."""
        self.add(1002, 0, "6505550102")
        self.hand_out(16)
        self.play("E11")
        self.assertEqual(self.record(100200, "call_result", "disposition"), (9, "left message"))
        self.assertEqual(self.server.post("/records/16?req=ChainedRecordRequest").status, 200)

    def test_e12(self) -> None:
        """E12: RecordReschedule; RecordProcessed then leaves the record ready."""
        self.add(1002, 0, "6505550102")
        self.hand_out(16)
        self.play("E12")
        self.assertEqual(
            self.record(100200, "record_type", "dial_sched_time", "remarks"), (6, 1798103100, "call again")
        )
        self.assertEqual(self.server.post("/records/16?req=RecordProcessed").status, 200)
        self.assertEqual(self.record(100200, "record_status"), (1,))

    def test_e13(self) -> None:
        """E13: a date in another form."""
        self.add(1002, 0, "6505550102")
        self.hand_out(16)
        self.play("E13")

    def test_e14(self) -> None:
        """E14: ScheduledRecordReschedule."""
        self.add(990, 0, "6505550109")
        self.hand_out(9)
        self.play("E14")

    def test_e15(self) -> None:
        """E15: RecordReject without a body; the record is ready, the handle dead."""
        self.add(1003)
        self.hand_out(17)
        self.play("E15")
        self.assertEqual(self.record(100300, "record_status"), (1,))
        self.assertEqual(self.server.post("/records/17?req=RecordReject").status, 404)

    def test_e16(self) -> None:
        """E16: cancel by handle; the reference id comes back."""
        self.add(1004)
        self.add(1004, 1)
        self.hand_out(18)
        self.play("E16")

    def test_e17(self) -> None:
        """E17: cancel by phone with an alias; a plus sign in a path is a plus sign."""
        self.play("E17")

    def test_e18(self) -> None:
        """E18: cancel by customer id."""
        self.add(1, 0, cust_id="C-4711")
        self.add(1, 1)
        self.play("E18")
        self.assertEqual(self.record(100, "record_status", "call_result"), (5, 52))
        self.assertEqual(self.record(101, "record_status"), (1,))

    def test_e19(self) -> None:
        """E19: do not call by handle, for the whole chain; one RecordProcessed may follow."""
        self.add(998, 0, "6505550113")
        self.add(998, 1, "6505550114")
        self.hand_out(13)
        self.play("E19")
        blocked = {row[0] for row in self.server.rows("SELECT phone FROM gsw_donotcall_list")}
        self.assertEqual(blocked, {"3001", "6505550113", "6505550114"})
        marked = self.server.rows("SELECT record_type, call_result FROM CL_Test")
        self.assertEqual(marked, [(7, 51), (7, 51)])
        self.assertEqual(self.server.post("/records/13?req=RecordReject").status, 404)
        self.assertEqual(self.server.post("/records/13?req=RecordProcessed", {"GSW_CALL_RESULT": 33}).status, 200)
        self.assertEqual(self.server.post("/records/13?req=RecordProcessed").status, 404)
        self.assertEqual(self.server.rows("SELECT record_type, call_result FROM CL_Test"), marked)
        added = self.server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "3001"}).json
        self.assertEqual((added["GSW_RECORD_TYPE"], added["GSW_CALL_RESULT"]), (7, 51))

    def test_e20(self) -> None:
        """E20: do not call by phone, no record known."""
        self.play("E20")
        self.assertEqual(self.server.rows("SELECT phone FROM gsw_donotcall_list"), [("3002",)])

    def test_e21(self) -> None:
        """E21: do not call by an e-mail address."""
        self.play("E21")

    def test_e22(self) -> None:
        """E22: preview of a record; it and its chain are in process."""
        self.add(1004, 0, "+33647000", contact_info_type=1, cust_id="C-19", segment="Private")
        self.add(1004, 1, record_status=9)
        self.next_handle(19)
        self.play("E22")
        self.assertEqual(self.server.rows("SELECT record_status FROM CL_Test"), [(2,), (2,)])

    def test_e23(self) -> None:
        """E23: no record at the moment is a success."""
        self.play("E23")

    def test_e24(self) -> None:
        """E24: chained records."""
        self.add(2, 0, "12345")
        self.add(2, 1, "12346", contact_info_type=4)
        self.hand_out(7)
        self.play("E24")

    def test_e25(self) -> None:
        """E25: a wrong method."""
        self.play("E25")

    def test_e26(self) -> None:
        """E26: a misspelt request, as one desktop client sends it."""
        self.play("E26")

    def test_e27(self) -> None:
        """E27: an action on the wrong resource; no req."""
        self.play("E27", 0)
        self.play("E27", 1)

    def test_e32(self) -> None:
        """E32: the way in which a script library takes GSW_RECORD_URI apart leads to the record."""
        self.add(1, 0)
        uri = self.server.post("/campaigngroups/102?req=PreviewRecordRequest").json["GSW_RECORD_URI"]
        base = uri[: uri.index("/", uri.index("://") + 3)]
        handle = uri[len(base + "/records/") :]
        self.assertEqual((base, uri), ("http://ocs.example:8080", f"{base}/records/{handle}"))
        self.assertEqual(self.server.post(f"/records/{handle}?req=RecordProcessed").status, 200)

    def test_e33(self) -> None:
        """E33: RecordProcessed with a treatment; the column of earlier versions is overwritten."""
        for before in (None, "busy;busy;"):
            self.server.write("DELETE FROM CL_Test")
            self.add(1006, treatments=before)
            self.add(1006, 1)
            self.hand_out(21)
            self.play("E33")
            columns = ("record_status", "record_type", "call_result", "attempt", "treatments")
            self.assertEqual(self.record(100600, *columns), (1, 3, 6, 1, "401@1@0@1"))
            ((wait,),) = self.server.rows("SELECT dial_sched_time - call_time FROM CL_Test WHERE record_id = 100600")
            self.assertEqual(wait, 900)
            self.assertEqual(self.record(100601, "record_status"), (9,))
        self.server.write("UPDATE CL_Test SET dial_sched_time = 1 WHERE record_id = 100600")
        self.hand_out(21)
        self.play("E33")
        self.assertEqual(self.record(100600, "treatments"), ("401@2@0@1",))

    def test_e34(self) -> None:
        """E34: a chain out of range is refused by its form, an unknown one by the list."""
        self.play("E34")
        self.play("E34", 1)
        for chain in ("-1", '"0"', "2147483648", "99999999999999999999", "true", '"-5"'):
            body = f'{{"GSW_PHONE":"6505550107","GSW_CHAIN_ID":{chain}}}'.encode()
            answer = self.server.post("/lists/CL_Test?req=AddRecord", body)
            expected = (404, "Chain not found") if chain == "true" else (400, "Invalid value of attribute GSW_CHAIN_ID")
            self.assertEqual((answer.status, answer.json["GSW_ERROR"]), expected, chain)
        self.assertEqual(self.server.rows("SELECT count(*) FROM CL_Test"), [(0,)])

    def test_e35(self) -> None:
        """E35: a request line of HTTP/0.9 is answered at once, and the connection is closed, whatever follows."""
        for more in (b"", b"Accept: text/html\r\n"):
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE) as client:
                client.sendall(b"GET /\r\n" + more)
                raw = b"".join(iter(lambda: client.recv(65536), b""))
            status, headers, body = parse_answer(raw)
            self.assertEqual(status, "HTTP/1.1 400 Bad Request")
            shown = {key: value for key, value in headers.items() if key not in _IN_EVERY_ANSWER}
            wanted = {
                "Content-Type": "application/json; charset=utf-8",
                "Content-Length": "52",
                "Cache-Control": "no-store",
                "Connection": "close",
            }
            self.assertEqual(shown, wanted)
            self.assertEqual(body, b'{"GSW_USER_EVENT":"Error","GSW_ERROR":"Bad request"}')


class UnavailableTests(TestCase):
    """What clients see when the store, or OCS, cannot serve."""

    def test_e28(self) -> None:
        """E28, C41: another program holds the store; the request is surely not executed and gets 503."""
        limits = '[limits]\nrequest_timeout = "2s"\n'
        calls = '[pre_dial_validation]\nhttp_response_timeout = "1s"\n[notifications]\nhttp_response_timeout = "1s"'
        server = make_server(self, more=limits + calls).start()
        other = sqlite3.connect(server.folder / "var" / "ocsgw.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        request, expected = EXAMPLES["E28"][0]
        head, _, body = request.partition("\n\n")
        raw = server.exchange(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body.strip("\n").encode())
        status, headers, answer = parse_answer(raw)
        wanted_status, wanted_headers, wanted = parse_answer(expected.replace("\n", "\r\n").encode())
        self.assertEqual((status, answer), (wanted_status, wanted.strip()))
        for name, value in wanted_headers.items():
            self.assertEqual(headers[name], value)
        other.execute("ROLLBACK")
        other.close()
        self.assertEqual(server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "1"}).status, 200)
        self.assertEqual(len(server.rows("SELECT 1 FROM CL_Test")), 1)

    def test_e29(self) -> None:
        """E29: the five headers of http_custom_headers in every kind of answer."""
        server = make_server(self, application="http_custom_headers = true").start()
        wanted = {
            "X-Frame-Options": "SAMEORIGIN",
            "X-XSS-Protection": "1; mode=block",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "script-src 'self'; object-src 'self'",
            "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        }
        kinds: list[Callable[[], bytes]] = [
            lambda: server.exchange(
                b'POST /lists/CL_Test?req=AddRecord HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n{"GSW_PHONE":"1"}'
            ),
            lambda: server.exchange(b"POST /lists/CL_Test?req=AddRecord HTTP/1.1\r\nHost: x\r\n\r\n"),
            lambda: server.exchange(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\n\r\n"),
            lambda: server.exchange(b"rubbish\r\n\r\n"),
        ]
        for kind in kinds:
            _, headers, _ = parse_answer(kind())
            self.assertEqual({name: headers.get(name) for name in wanted}, wanted)


def _without_guids(text: str) -> str:
    return _GUID.sub('"GSW_CALL_ATTEMPT_GUID":""', text)
