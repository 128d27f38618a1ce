"""What must hold for every input, however broken: for generated tests and for `make fuzz`.

A target takes bytes that anybody may send and raises `AssertionError` if what must hold does not; any other exception
is a fault as well. `cuts` are the places where the bytes are cut in two for a second reading, which has to have the
same result.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar, cast
from unittest import mock

from twisted.internet.task import Clock

from ocsgw import speedups
from ocsgw.protocol import session
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.frames import HEADER_SIZE, frame
from ocsgw.protocol.messages import KV, Event, Hello, Message, MessageError, Request, decode, encode, payload_of
from ocsgw.protocol.session import ClientSession, ServerSession, WireError
from ocsgw.proxy.frontend import HttpFrontend
from ocsgw.proxy.http.answers import Answers
from ocsgw.proxy.http.exchange import Exchange
from ocsgw.proxy.http.factory import ChannelFactory
from ocsgw.proxy.http.grammar import NO_HEAD, NO_LINE, Head
from ocsgw.proxy.policy.request_policy import RequestPolicy
from ocsgw.proxy.policy.target import parse_target
from ocsgw.proxy.translation.in_one_pass import translator_for
from ocsgw.proxy.translation.jsonbody import read_fast, read_strictly
from ocsgw.proxy.translation.translate import to_members
from tests.support.http import HOST, PEER, FakeGateway, chunked, request
from tests.support.settings import make_settings
from tests.support.wire import SAMPLES, WELCOME

if speedups.is_used():
    from ocsgw.speedups.events import answer

_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) [A-Za-z -]+\r\n").findall
# What a client can bring about by itself; never 500.
_STATUSES = frozenset(b"100 200 400 404 405 408 413 414 415 417 431 501 505".split())

TARGETS_OF_REQUESTS = (
    "/lists/CL?req=AddRecord",
    "/records/15?req=RecordProcessed",
    "/records/15?req=UpdateCallCompletionStats",
    "/records/15?req=RecordReschedule",
    "/records/15?req=ScheduledRecordReschedule",
    "/records/15?req=RecordReject",
    "/phones/3001?req=RequestRecordCancel",
    "/customer_ids/C-1?req=DoNotCall",
    "/records/15?req=ChainedRecordRequest",
    "/campaigngroups/102?req=PreviewRecordRequest",
)


class Target(ABC):
    """Something that reads bytes of others; `seeds` are well-formed inputs, `tokens` pieces that matter in them."""

    seeds: ClassVar[tuple[bytes, ...]]
    tokens: ClassVar[tuple[bytes, ...]]

    @abstractmethod
    def check(self, data: bytes, cuts: Sequence[int]) -> None:
        """Read `data`. Raises `AssertionError`."""


def pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Return `data` in pieces."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start < end]


class _Sink:
    """As much of a transport as a channel needs; what comes while it is paused is not delivered."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.reading = True
        self.closed = False

    def write(self, data: bytes) -> None:
        self.taken.append(data)

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        pass

    def unregisterProducer(self) -> None:
        pass

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    def loseConnection(self) -> None:
        self.closed = True

    def loseWriteConnection(self) -> None:
        self.closed = True

    def getPeer(self) -> Any:
        return PEER

    def getHost(self) -> Any:
        return HOST


class HttpTarget(Target):
    """An HTTP connection (http.md sections 1 to 8)."""

    seeds = (
        request(),
        request() * 3,
        request("/lists/CL?req=AddRecord", b"", "Transfer-Encoding: chunked")
        + chunked(b'{"GSW_PHONE":', b'"1"}')
        + request(),
        request("/records/15?req=RecordReject", b"{}", "Expect: 100-continue", "X-Request-Id: 1") + request(),
        request(
            "/phones/%2B1%20650?x=1&req=DoNotCall", b"", "Accept: text/html;q=0.5, */*;q=0", 'Idempotency-Key: "k"'
        ),
        request("/nowhere", b"", "Transfer-Encoding: chunked")
        + chunked(b"abc", ending=b"0;a=b\r\nA: b\r\n\r\n")
        + request(version="HTTP/1.0"),
        request(body=b"{}", method="GET") + request("*", b"", method="OPTIONS") + request(version="HTTP/1.0"),
        b"\r\n\r\n"
        + request("http://h/lists/%C3%A9?req=AddRecord", b"{}", "Connection: keep-alive", version="HTTP/1.0"),
        request(body=b"{}").replace(b"{}", b'{"GSW_PHONE":"\xe9"}')[:-11] + b'{"a":"\xe9"}',
        request(
            "/lists/CL?req=AddRecord", b"{}", "Content-Type: text/plain; charset=latin1", "Content-Encoding: identity"
        ),
    )
    tokens = (
        b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\x00", b" ", b"\t", b":", b",", b";", b"%", b"%00", b"%ff", b"?", b"&req=", b"#",
        b"0\r\n\r\n", b"1\r\n", b"ffffffffffffffff\r\n", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"POST ", b"HEAD ", b"CONNECT ",
        b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: x\r\n",
        b"Host: h\r\n", b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"A: b\r\n" * 101, b"x" * 9000, b"\xe2\x82\xac", b"\xff",
        request(),
    )  # fmt: skip

    def __init__(self) -> None:
        clock = Clock()
        self._gateway = FakeGateway()
        self._frontend = HttpFrontend(make_settings(), self._gateway, clock, lambda: 1_774_103_400.0)
        self._site = ChannelFactory(self._frontend)

    def check(self, data: bytes, cuts: Sequence[int]) -> None:
        """Whole and in pieces: the same answers; 200 for what was handed over and nothing else; no 500."""
        whole = self._read([data])
        _expect(self._read(pieces(data, cuts)) == whole, "the answers depend on how the stream is cut")
        answers, handed, _ = whole
        statuses = _STATUS(answers)
        _expect(_STATUSES.issuperset(statuses), "a status that no client can bring about")
        _expect(statuses.count(b"200") == handed, "what was handed over is not what was acknowledged")

    def _read(self, parts: list[bytes]) -> tuple[bytes, int, bool]:
        self._gateway.requests.clear()
        self._gateway.exchanges.clear()
        channel = self._site.buildProtocol(PEER)
        transport = _Sink()
        channel.makeConnection(transport)
        try:
            for part in parts:
                if not transport.reading:
                    break
                channel.dataReceived(part)
        finally:
            channel.connectionLost()
        _expect(not self._frontend.connections, "something of the connection is left")
        return b"".join(transport.taken), len(self._gateway.requests), transport.closed


class BodyTarget(Target):
    """A body of a request (http.md sections 6, 7 and 10): the first byte chooses the action and the encoding."""

    _attributes = (
        b"GSW_PHONE", b"GSW_PHONE_TYPE", b"GSW_RECORD_TYPE", b"GSW_RECORD_STATUS", b"GSW_CALL_RESULT", b"GSW_ATTEMPTS",
        b"GSW_DATE_TIME", b"GSW_CALL_TIME", b"GSW_FROM", b"GSW_UNTIL", b"GSW_TZ_NAME", b"GSW_AGENT_ID", b"GSW_CHAIN_ID",
        b"GSW_CHAIN_ATTR", b"GSW_CALLBACK_TYPE", b"GSW_REFERENCE_ID", b"GSW_AGENT_REQ_TYPE", b"GSW_CALLING_LIST",
        b"GSW_RECORD_HANDLE", b"GSW_CUSTOMER_ID", b"GSW_TREATMENT", b"GSW_UNKNOWN", b"own",
    )  # fmt: skip
    seeds = (
        b'\x00{"GSW_PHONE":"5551234","GSW_PHONE_TYPE":4,"GSW_RECORD_TYPE":"Campaign Callback","GSW_DATE_TIME":"12/24/2026 09:05"}',
        b'\x01{"GSW_CALL_RESULT":"Answer","GSW_CALL_TIME":1700000000,"own":[1,{"a":null}],"b":1.5,"c":true}',
        b'\x02{"GSW_ATTEMPTS":"-3","GSW_TREATMENT":"RecordTreatCampaign","x":"\\ud83d\\ude00\\u0041"}',
        b'\x03{"GSW_CALLBACK_TYPE":"Campaign","GSW_DATE_TIME":"1/2/2030 3:04","GSW_REFERENCE_ID":7}',
        b'\x04{"GSW_CALLBACK_TYPE":"Personal","GSW_DATE_TIME":"12/24/2026 09:05","GSW_AGENT_ID":"a"}',
        b"\x05",
        b'\x06{"GSW_CHAIN_ATTR":"AllChain","GSW_TENANT_DBID":1,"n":null}',
        b'\x07 { "GSW_CUSTOMER_ID" : "C-1" , "GSW_CUSTOMER_ID" : "C-1" } ',
        b'\x0a{"GSW_PHONE":"\xe9","Disposition":"\xfc\x80"}',
        b'\x0b\xef\xbb\xbf{"GSW_REFERENCE_ID":"\xc3\xa9"}',
        # What the compiled part takes.
        b'\x00{"GSW_PHONE":"+15551234","GSW_PHONE_TYPE":"4","GSW_RECORD_TYPE":5,"GSW_DATE_TIME":"2/29/2028 9:05"}',
        b'\x00 {"GSW_PHONE":" a@b.example" ,"GSW_FROM":0, "GSW_UNTIL":86399,"own":"\\u00e9\\n\\u20ac","n":-70000,"GSW_TZ_NAME":"PST"}',
        b'\x00{"GSW_PHONE":"650-555","Name":"J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x98\x80","GSW_ATTEMPTS":null,"t":true,"f":false,"e":""}',
        b'\x01{"GSW_CALL_RESULT":33,"GSW_CALL_TIME":1700000000,"GSW_TREATMENT":"RecordTreatPersonal","GSW_CHAIN_ID":"7"}',
        b'\x02{"GSW_ATTEMPTS":1,"GSW_RECORD_STATUS":3,"GSW_REFERENCE_ID":"r-1","GSW_PHONE":6505550100}',
        b'\x03{"GSW_CALLBACK_TYPE":"campaign","GSW_DATE_TIME":"12/31/2037 23:59","GSW_REFERENCE_ID":-9000000000}',
        b'\x06{"GSW_CHAIN_ATTR":"RECORDONLY","GSW_TENANT_NAME":"Environment","GSW_APPLICATION_ID":134}',
        b"\x08{}",
        b'\x09{"GSW_AGENT_ID":"agent","GSW_CAMPAIGN_NAME":"Campaign1"}',
    )
    tokens = (
        *(b'"%b":' % name for name in _attributes),
        b"null", b"true", b"1e400", b"-0", b"1.0", b"99999999999999999999", b"NaN", b"Infinity", b"\\u0000", b"\\ud800",
        b"\\", b'"', b"{", b"}", b"[", b"]", b",", b":", b'""', b'"1"', b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf",
        b"[" * 40, b"{}", b" ", b"\n", b'"a":1,' * 1001, b"//", b"'", b"\xe2\x80\xa8",
    )  # fmt: skip

    def __init__(self) -> None:
        self._judges = (RequestPolicy(make_settings()), RequestPolicy(make_settings(encoding="windows-1252")))
        self._targets = tuple(parse_target(target.encode(), None) for target in TARGETS_OF_REQUESTS)
        # How many bodies the compiled part has translated.
        self.in_one_pass = 0

    def check(self, data: bytes, cuts: Sequence[int]) -> None:
        """A refusal of the table, or key-values that cross the link unchanged; both readers of JSON agree."""
        choice, body = (data[0] if data else 0), data[1:]
        policy = self._judges[choice // 10 % 2]
        exchange = Exchange(NO_LINE, NO_HEAD, "", policy.encoding)
        exchange.target = self._targets[choice % 10]
        sent: Request | None = None
        try:
            values = policy.read_body(exchange, body)
        except Refusal as refusal:
            _expect(refusal.status in (400, 404), f"a body is refused with {refusal.status}")
        else:
            sent = Request(ref=1, data=values, deadline_ms=30000)
            _expect(decode(encode(sent)[HEADER_SIZE:]) == sent, "the key-values do not cross the link")
        if policy.encoding is None:
            self._compare(exchange, body, sent)
        _expect(
            exchange.reference is None or type(exchange.reference) in (int, str), "the reference id has another type"
        )
        fast = read_fast(body, 32, 1000)
        if fast is not None:
            # What the strict reader refuses, or reads otherwise, the fast one has to leave to it.
            _expect(read_strictly(body.decode(), 32, 1000) == fast, "the two readers of JSON do not agree")

    def _compare(self, exchange: Exchange, body: bytes, sent: Request | None) -> None:
        """The compiled part declines, or does the same."""
        translator = translator_for(exchange.target, self._judges[0].limits)
        if translator is None:
            return
        done = translator.action.frame(body, translator.pairs, 1, 30000, None, None, None, None, 1 << 20)
        if done is not None:
            self.in_one_pass += 1
            wanted = (encode(sent), exchange.reference) if sent is not None else None
            _expect(done == wanted, "the compiled part translates otherwise")


class EventTarget(Target):
    """The payload of an event of OCS: answered with what it holds; the compiled part declines, or does the same."""

    seeds = tuple(
        payload_of(Event(ref=ref, data=cast("KV", {"GSW_USER_EVENT": "AddRecordAcknowledge", **data})))
        for ref, data in (
            (1, {"GSW_RECORD_HANDLE": 17, "GSW_CALLING_LIST": "CL", "GSW_TZ_NAME": "PST", "GSW_ATTEMPTS": 0}),
            (
                200,
                {
                    "a": "x" * 40,
                    "b": -1,
                    "c": True,
                    "d": False,
                    "e": 2**40,
                    "f": -(2**40),
                    "g": "\u00e9\u20ac\U0001f600",
                },
            ),
            (70000, {"a": 'quoted "text" \\ \n\r\t\b\f\x01\x7f', "b": "y" * 300, "c": None}),
            (2**40, {f"member{number}": number * 1000 for number in range(20)}),
        )
    )
    tokens = (
        b"\xa5Error", b"\xaeGSW_USER_EVENT", b"\xa1a", b"\xa0", b"\xc0", b"\xc1", b"\xc2", b"\xc3", b"\xd9\x01a", b"\xda\x00\x01a",
        b"\xdb\x00\x00\x00\x01a", b"\xcc\x01", b"\xcf" + b"\xff" * 8, b"\xd3" + b"\x80" + bytes(7), b"\xd0\xff", b"\xd1\x80\x00",
        b"\xde\x00\x02", b"\x80", b"\x90", b"\x91\x01", b"\xa3ref", b"\xa4more\xc3", b"\xff", b"\xc3\xa9", b"\xed\xa0\x80", b'"', b"\\",
    )  # fmt: skip

    def __init__(self) -> None:
        self._answers = Answers(make_settings())
        self._answers.set_date(b"now")
        self._exchange = Exchange(NO_LINE, Head(minor=1, keep_alive=True), "")
        # How many payloads the compiled part has answered.
        self.in_one_pass = 0

    def check(self, data: bytes, cuts: Sequence[int]) -> None:
        """An answer shows the event; a compiled one is the same, wherever the event begins and whatever follows."""
        event = _usual_event(data)
        written = None
        if event is not None:
            written = self._answers.render(self._exchange, event, close=False)
            shown = json.loads(written.partition(b"\r\n\r\n")[2])
            _expect(shown == to_members(event.data), "the answer is not what the event holds")
        if speedups.is_used():
            self._compare(data, bytes(sum(cuts) % 50), event, written)

    def _compare(self, data: bytes, before: bytes, event: Event | None, written: bytes | None) -> None:
        """The compiled part declines, or does the same, and reads nothing beyond the end of what has come."""
        sent = frame(data)
        done = answer(before + sent + b"\xa1a" * 9, len(before), 1 << 16, self._answers.ok)
        _expect(answer(sent[:-1], 0, 1 << 16, b"") is None, "a frame that is cut off is answered")
        if done is not None:
            self.in_one_pass += 1
            if event is None:
                raise AssertionError("what is answered is no usual event")
            _expect(done == (event.ref, written, len(before) + len(sent)), "the compiled part answers otherwise")


def _usual_event(data: bytes) -> Event | None:
    """Return the event in a payload, None if it is none or one of an unusual kind."""
    try:
        event = decode(data)
    except MessageError:
        return None
    if not isinstance(event, Event) or event.code is not None or event.more or event.replayed:
        return None
    return event


class LinkTarget(Target):
    """A stream of frames (protocol.md sections 4 to 6), from OCS if its first byte is even, from a client otherwise."""

    seeds = (
        b"\x00" + b"".join(encode(sample) for sample in (WELCOME, *SAMPLES)),
        *(b"\x00" + encode(WELCOME) + encode(sample) for sample in SAMPLES if not isinstance(sample, Hello)),
        *(b"\x01" + encode(Hello(versions=[1], client="http_proxy")) + encode(sample) * 2 for sample in SAMPLES),
    )
    tokens = (
        b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x00\x00\x00\x01\xc0", b"\x80", b"\x81", b"\x90", b"\xc0", b"\xc1", b"\xc2", b"\xc3",
        b"\xc4\x01a", b"\xca\x00\x00\x00\x00", b"\xcb" + bytes(8), b"\xcf" + b"\xff" * 8, b"\xd3" + b"\x80" + bytes(7), b"\xd4\x01\x01",
        b"\xd9\x01a", b"\xda\x00\x01a", b"\xdb\x00\x00\x00\x01a", b"\xdc\x00\x01\x01", b"\xdd\xff\xff\xff\xff", b"\xde\x00\x01\xa1a\x01",
        b"\xdf\xff\xff\xff\xff", b"\xa4kind", b"\xa3ref", b"\xa4data", b"\xa1\xff", b"\x91" * 9, b"\x81\xa1a" * 9, encode(WELCOME),
    )  # fmt: skip

    def check(self, data: bytes, cuts: Sequence[int]) -> None:
        """Whole and in pieces: the same messages, each of which is what it says, and the same breach."""
        from_ocs, stream = not (data and data[0] % 2), data[1:]
        whole = self._read(from_ocs, [stream])
        _expect(self._read(from_ocs, pieces(stream, cuts)) == whole, "the messages depend on how the stream is cut")
        with mock.patch.object(session, "_usual", None):
            _expect(self._read(from_ocs, [stream]) == whole, "compiled parts read something else")
        for message in whole[0]:
            _expect(decode(payload_of(message)) == message, "a message is not what it says")

    def _read(self, from_ocs: bool, parts: list[bytes]) -> tuple[list[Message], str | None]:
        end = ClientSession("http_proxy", 1 << 16) if from_ocs else ServerSession(frozenset({"http_proxy"}), 1 << 16)
        messages: list[Message] = []
        try:
            for part in parts:
                left = part
                if isinstance(end, ServerSession):
                    requests, left = end.usual_requests(part)
                    for request in requests:
                        end.open_request(request.ref)
                        messages.append(request)
                messages.extend(end.receive(left))
        except WireError as error:
            return messages, error.code
        return messages, None


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
