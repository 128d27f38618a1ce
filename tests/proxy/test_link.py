"""Requests on the link to OCS (protocol.md sections 5 and 6; http.md H30, H33, H143, H160), as HTTP clients see it."""

from typing import Any

from ocsgw.protocol.messages import KV, Event, HttpLimits, KeySettings, Ping, Pong, Request, encode
from tests.support.http import HttpClient, parse_answers, request
from tests.support.proxy import ProxyInMemory, ProxyTestCase
from tests.support.settings import make_settings

ADD = "/lists/CL?req=AddRecord"
UNAVAILABLE = "Outbound Contact Server is not available"
BUSY = "Outbound Contact Server is busy"
NO_RESPONSE = "No response from Outbound Contact Server"


class LinkTestCase(ProxyTestCase):
    def assert_error(self, client: HttpClient, status: int, text: str, at: int = -1) -> None:
        """Check an answer of a client."""
        answer = client.answers()[at]
        self.assertEqual((answer.status, answer.error), (status, text))


class RequestTests(LinkTestCase):
    """What a request becomes."""

    def test_everything_that_belongs_to_it(self) -> None:
        """P70, P72, P74, section 5: one message with ref, data, deadline, key, principal, request id, and address."""
        salt, digest = "00", "d075f91b6c08ad25a0f7da9181f51b203d727edf709a8ff276b82279e1606429"
        proxy = self.start(keys=[KeySettings(name="ivr", salt=salt, hash=digest)], request_timeout_ms=12_000)
        fields = ("Authorization: Bearer let me in", "Idempotency-Key: k-1", "X-Request-Id: r-1")
        proxy.connect().send(request(ADD, b'{"GSW_PHONE":"1","own":"x"}', *fields))
        self.assertEqual(
            proxy.ocs.requests,
            [
                Request(
                    ref=1,
                    data={"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": "CL", "GSW_PHONE": "1", "own": "x"},
                    deadline_ms=12_000,
                    idempotency_key="k-1",
                    principal="ivr",
                    request_id="r-1",
                    peer="192.0.2.1",
                )
            ],
        )

    def test_refs_count_up(self) -> None:
        """P70: refs count up and are never used again."""
        proxy = self.start()
        clients = [proxy.connect().send(request()) for _ in range(5)]
        for sent in proxy.ocs.requests:
            proxy.ocs.acknowledge(sent)
        clients[0].send(request())
        self.assertEqual([sent.ref for sent in proxy.ocs.requests], [1, 2, 3, 4, 5, 6])

    def test_replies_in_any_order(self) -> None:
        """P71, P73: each event goes to the client of its ref, also when several come in one segment or in pieces."""
        proxy = self.start()
        clients = [proxy.connect().send(request()) for _ in range(4)]
        events = b"".join(
            encode(Event(ref=ref, data={"GSW_USER_EVENT": "AddRecordAcknowledge", "n": ref})) for ref in (3, 1, 4, 2)
        )
        for byte in events:
            proxy.ocs.send_bytes(bytes((byte,)))
        proxy.work()
        self.assertEqual([client.answers()[0].json["n"] for client in clients], [1, 2, 3, 4])

    def test_error_events(self) -> None:
        """H143, P75: an event with a code is an error; so is one that calls itself one, or nothing at all."""
        proxy = self.start()
        for event, status in (
            (Event(data={"GSW_USER_EVENT": "Error", "GSW_ERROR": "x"}, code="invalid_handle"), 404),
            (Event(data={"GSW_USER_EVENT": "Error", "GSW_ERROR": "x"}, code="of a later version"), 500),
            (Event(data={"GSW_USER_EVENT": "Error", "GSW_ERROR": "x"}), 500),
            (Event(data={}), 500),
            (Event(data={"GSW_USER_EVENT": "RecordRejectAcknowledge"}, replayed=True), 200),
        ):
            client = proxy.connect().send(request())
            event.ref = proxy.ocs.requests[-1].ref
            proxy.ocs.send(event)
            (answer,) = client.take().answers()
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.header("idempotency-replayed"), "true" if event.replayed else None)

    def test_lone_client(self) -> None:
        """A request of a lone client leaves at once; those of many leave together, with the turn of the reactor."""
        proxy = self.start()
        for ref in (1, 2):
            client = proxy.connect()
            client.channel.dataReceived(request())
            self.assertGreater(len(proxy.ocs.transport.dataBuffer), 0)
            proxy.work()
            proxy.ocs.acknowledge(proxy.ocs.requests[ref - 1])
        first, second = proxy.connect(), proxy.connect()
        for client in (first, second):
            client.channel.dataReceived(request())
        proxy.work()
        self.assertEqual(len(proxy.ocs.requests), 4)

    def test_events_for_nobody(self) -> None:
        """P71: an event with an unknown ref, a ref that has been answered, or none is dropped and counted."""
        proxy = self.start()
        client = proxy.connect().send(request())
        for ref in (99, 1, 1, None):
            proxy.ocs.send(Event(ref=ref, data={"GSW_USER_EVENT": "AddRecordAcknowledge"}))
        self.assertEqual(client.take().statuses(), [200])
        self.assertEqual(proxy.ocs.link.late_events, 3)
        self.assertEqual(proxy.statuses, [])

    def test_refused_requests_do_not_cross(self) -> None:
        """Section 4 of http.md: what fails in HTTP Proxy never crosses the link."""
        proxy = self.start()
        for raw in (
            b"x\r\n\r\n",
            request("/nowhere"),
            request(body=b"{"),
            request(ADD, b"", method="GET"),
            request()[:-1],
        ):
            proxy.connect().send(raw)
        self.assertEqual(proxy.ocs.requests, [])


class WindowTests(LinkTestCase):
    """H33, P77."""

    def test_window(self) -> None:
        """H33: what exceeds the window gets 503 with `Retry-After: 1`; each answer makes room for one."""
        proxy = self.start(in_flight=3)
        clients = [proxy.connect().send(request()) for _ in range(5)]
        self.assertEqual(len(proxy.ocs.requests), 3)
        for client in clients[3:]:
            self.assert_error(client, 503, BUSY)
            self.assertEqual(client.answers()[0].header("retry-after"), "1")
            self.assertFalse(client.closed)
        proxy.ocs.acknowledge(proxy.ocs.requests[1])
        self.assertEqual(clients[3].send(request()).statuses(), [503])
        self.assertEqual(len(proxy.ocs.requests), 4)
        self.assertEqual(clients[4].send(request()).statuses(), [503, 503])

    def test_the_smaller_of_two(self) -> None:
        """H33, P77, P100: the window is never larger than OCS has welcomed, and follows the settings below that."""
        for welcomed, in_flight, expected in ((2, 1024, 2), (1024, 3, 3)):
            proxy = self.child()
            proxy.welcome(in_flight=welcomed)
            proxy.use(make_settings(limits=HttpLimits(in_flight=in_flight)))
            for _ in range(6):
                proxy.connect().send(request())
            self.assertEqual(len(proxy.ocs.requests), expected)
            proxy.use(make_settings(limits=HttpLimits(in_flight=5)))
            for _ in range(6):
                proxy.connect().send(request())
            self.assertEqual(len(proxy.ocs.requests), max(expected, min(5, welcomed)))
            proxy.stop()

    def test_one_connection(self) -> None:
        """H3, H33: pipelined requests beyond the window are refused in their place."""
        proxy = self.start(in_flight=2)
        client = proxy.connect().send(request() * 4)
        self.assertEqual(client.statuses(), [])
        for sent in proxy.ocs.requests[::-1]:
            proxy.ocs.acknowledge(sent)
        self.assertEqual(client.take().statuses(), [200, 200, 503, 503])

    def test_ocs_does_not_read(self) -> None:
        """H33, P66: while OCS reads nothing and the socket is full, requests get 503 instead of filling memory."""
        proxy = self.start(in_flight=100_000)
        proxy.ocs.transport.stalled = True
        body = b'{"GSW_PHONE":"1","own":"' + b"x" * 900_000 + b'"}'
        clients = [proxy.connect().send(request(ADD, body)) for _ in range(40)]
        statuses = [client.statuses() for client in clients]
        self.assertIn([503], statuses)
        self.assertLess(len(proxy.ocs.transport.dataBuffer), 32 << 20)
        proxy.ocs.transport.stalled = False
        proxy.work()
        self.assertEqual(len(proxy.ocs.requests), statuses.count([]))
        self.assertEqual(clients[-1].send(request()).statuses(), [503])

    def test_too_large_for_the_link(self) -> None:
        """P64, H20: a body that fits into the body limit and not into a frame is 413, and the link stays."""
        proxy = self.start(frame=100_000)
        client = proxy.connect().send(request(ADD, b'{"GSW_PHONE":"1","own":"' + b"x" * 200_000 + b'"}'))
        self.assert_error(client, 413, "Request body too large")
        proxy.connect().send(request())
        self.assertEqual(len(proxy.ocs.requests), 1)


class BarrierTests(LinkTestCase):
    """One request that goes wrong concerns nobody else."""

    def broken(self, client: HttpClient) -> None:
        """Let everything raise that a client is given."""

        def answer(exchange: object, outcome: object) -> None:
            raise ZeroDivisionError

        self.patch(client.channel, "answer", answer)
        self.patch(client.channel, "answer_written", answer)
        # The compiled lane writes by itself.
        self.patch(client.channel.transport, "write", lambda data: answer(client, data))

    def three(self) -> tuple[ProxyInMemory, HttpClient, HttpClient]:
        """Return a proxy with three requests in the hands of OCS, and the first and last of their clients."""
        proxy = self.start(request_timeout_ms=5_000)
        first, middle, last = (proxy.connect() for _ in range(3))
        self.broken(middle)
        for client in (first, middle, last):
            client.send(request())
        return proxy, first, last

    def assert_logged(self) -> None:
        """Check that both attempts to answer are in the log."""
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_event(self) -> None:
        """An answer that cannot be given is logged; the events behind it, in the same segment, are given."""
        proxy, first, last = self.three()
        proxy.ocs.send(*(Event(ref=ref, data={"GSW_USER_EVENT": "X"}) for ref in (1, 2, 3)))
        proxy.work()
        self.assertEqual((first.statuses(), last.statuses()), ([200], [200]))
        self.assert_logged()

    def test_deadline(self) -> None:
        """The same when their time is over."""
        proxy, first, last = self.three()
        self.pass_time(proxy, 6)
        self.assertEqual((first.statuses(), last.statuses()), ([504], [504]))
        self.assert_logged()

    def test_loss(self) -> None:
        """The same when the link is lost."""
        proxy, first, last = self.three()
        proxy.ocs.lose()
        proxy.work()
        self.assertEqual((first.statuses(), last.statuses()), ([504], [504]))
        self.assert_logged()

    def test_owner_that_fails_at_the_loss(self) -> None:
        """P89: whoever waits is answered and the process ends, even if the proxy fails to close its port."""
        proxy = self.start()
        client = proxy.connect().send(request())

        def close_port() -> None:
            raise ZeroDivisionError

        self.patch(proxy.application, "_close_port", close_port)
        proxy.ocs.lose()
        self.assertEqual((client.take().statuses(), proxy.statuses), ([504], [75]))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_answer_in_parts(self) -> None:
        """P20, P22: several events with one ref are one answer; the reference id stands in it once."""
        proxy = self.start()
        client = proxy.connect().send(request())
        for handle in (1, 2):
            part: KV = {"GSW_USER_EVENT": "ChainedRecord", "GSW_RECORD_HANDLE": handle, "GSW_REFERENCE_ID": "r"}
            proxy.ocs.send(Event(ref=1, data=part, more=True))
        self.assertEqual(client.take().statuses(), [])
        proxy.ocs.send(Event(ref=1, data={"GSW_USER_EVENT": "ChainedRecordsDataEnd", "GSW_REFERENCE_ID": "r"}))
        (answer,) = client.take().answers()
        self.assertEqual(
            answer.json["GSW_CHAINED_RECORDS"],
            [{"GSW_USER_EVENT": "ChainedRecord", "GSW_RECORD_HANDLE": handle} for handle in (1, 2)],
        )
        self.assertEqual(answer.json["GSW_REFERENCE_ID"], "r")


class DeadlineTests(LinkTestCase):
    """H30, H161."""

    def test_no_answer(self) -> None:
        """H30: 504 after `request_timeout`, not before; the connection stays; the late event is dropped and counted."""
        proxy = self.start(request_timeout_ms=5_000)
        client = proxy.connect().send(request())
        self.pass_time(proxy, 4.75)
        self.assertEqual(client.statuses(), [])
        self.pass_time(proxy, 1)
        self.assert_error(client, 504, NO_RESPONSE)
        self.assertFalse(client.closed)
        proxy.ocs.acknowledge(proxy.ocs.requests[0])
        self.assertEqual(client.take().statuses(), [504])
        self.assertEqual(proxy.ocs.link.late_events, 1)
        client.send(request())
        proxy.ocs.acknowledge(proxy.ocs.requests[1])
        self.assertEqual(client.take().statuses(), [504, 200])

    def test_each_has_its_own(self) -> None:
        """H30: the time of each request begins with its own hand-over; an answer that came is no 504."""
        proxy = self.start(request_timeout_ms=5_000)
        clients = []
        for _ in range(4):
            clients.append(proxy.connect().send(request()))
            self.pass_time(proxy, 1)
        proxy.ocs.acknowledge(proxy.ocs.requests[1])
        for number, statuses in ((0, [504]), (1, [200]), (2, [504]), (3, [504])):
            if statuses == [504]:
                # Handed over at second `number`; looked at every half second.
                self.pass_time(proxy, number + 4.75 - self.clock.seconds())
                self.assertEqual(clients[number].statuses(), [])
                self.pass_time(proxy, 0.875)
            self.assertEqual(clients[number].take().statuses(), statuses)

    def test_makes_room(self) -> None:
        """H30, H33: what has got 504 no longer counts for the window."""
        proxy = self.start(in_flight=1, request_timeout_ms=2_000)
        proxy.connect().send(request())
        self.pass_time(proxy, 2.75)
        proxy.connect().send(request())
        self.assertEqual(len(proxy.ocs.requests), 2)


class AvailabilityTests(LinkTestCase):
    """H160, P89: 503 is surely not executed, 504 unknown."""

    def serving(self, **changes: Any) -> tuple[ProxyInMemory, HttpClient, HttpClient]:
        """Return a proxy, a client whose request is in the hands of OCS, and one without."""
        proxy = self.start(**changes)
        return proxy, proxy.connect().send(request()), proxy.connect()

    def test_link_lost(self) -> None:
        """P89: 504 for what was handed over, 503 for the rest; port closed at once, exit status 75 within 1 s."""
        proxy, waiting, other = self.serving(retry_after=7)
        half = proxy.connect().send(request()[:-1])
        lost_at = self.clock.seconds()
        proxy.ocs.lose()
        self.assertFalse(proxy.port_open)
        proxy.work()
        self.assert_error(waiting, 504, NO_RESPONSE)
        self.assertEqual(waiting.answers()[0].header("connection"), "close")
        self.assert_error(half.send(request()[-1:]), 503, UNAVAILABLE)
        self.assertEqual(half.answers()[0].header("retry-after"), "7")
        self.assertEqual(other.send(request()).statuses(), [])
        self.pass_time(proxy, 1)
        self.assertEqual(proxy.statuses, [75])
        self.assertLessEqual(proxy.ended_at or 1e9, lost_at + 1)

    def test_pipelined(self) -> None:
        """P89, H3: on one connection the answers stay in order: 504 for what was handed over, 503 behind it."""
        proxy = self.start(in_flight=2, pipeline=3)
        client = proxy.connect().send(request() * 6)
        proxy.ocs.lose()
        proxy.work()
        statuses = client.statuses()
        self.assertEqual(statuses, [504, 504, 503, 503, 503, 503])
        self.assertTrue(client.closed)

    def test_nothing_open(self) -> None:
        """P89: without connections the child is gone at once."""
        proxy = self.start()
        proxy.ocs.lose()
        proxy.work()
        self.assertEqual(proxy.statuses, [75])

    def test_while_it_says_goodbye(self) -> None:
        """H160: a request that comes after our own goodbye is not handed over."""
        proxy = self.start()
        client = proxy.connect().send(request()[:-1])
        proxy.ocs.transport.stalled = True
        proxy.ocs.send_bytes(b"\x00\x00\x00\x00")
        client.send(request()[-1:])
        self.assert_error(client, 503, UNAVAILABLE)


class HeartbeatTests(LinkTestCase):
    """P88."""

    def test_ping_and_pong(self) -> None:
        """P88: after 3 s without a byte a ping goes out; a ping of OCS is answered at once, with its ref."""
        proxy = self.start()
        self.pass_time(proxy, 2.5)
        self.assertEqual(proxy.ocs.all(Ping), [])
        self.pass_time(proxy, 1)
        self.assertEqual(len(proxy.ocs.all(Ping)), 1)
        proxy.ocs.send(Ping(ref=77))
        proxy.work()
        self.assertEqual(proxy.ocs.all(Pong), [Pong(ref=77)])

    def test_living(self) -> None:
        """P88: as long as OCS says anything the link stays."""
        proxy = self.start()

        def answer() -> None:
            pings, pongs = proxy.ocs.all(Ping), getattr(self, "answered", 0)
            for ping in pings[pongs:]:
                proxy.ocs.send(Pong(ref=ping.ref))
            self.answered = len(pings)

        self.pass_time(proxy, 60, answer)
        self.assertEqual(proxy.statuses, [])
        self.assertGreater(self.answered, 10)

    def test_frozen(self) -> None:
        """P88, P89: no byte within another interval: lost. What was handed over gets 504, nobody waits for long."""
        proxy = self.start()
        client = proxy.connect().send(request())
        self.pass_time(proxy, 5.5)
        self.assertEqual(client.statuses(), [])
        self.pass_time(proxy, 1.75)
        self.assert_error(client, 504, NO_RESPONSE)
        self.pass_time(proxy, 1)
        self.assertEqual(proxy.statuses, [75])

    def test_interval_of_ocs(self) -> None:
        """P88: the interval is that of the welcome."""
        proxy = self.child()
        proxy.welcome(heartbeat_ms=400)
        proxy.use()
        self.pass_time(proxy, 0.75)
        self.assertEqual(len(proxy.ocs.all(Ping)), 1)
        self.pass_time(proxy, 1.5)
        self.assertEqual(proxy.statuses, [75])


class BreachTests(LinkTestCase):
    """P66, P83: a link that breaks the rules."""

    def test_what_breaks_the_protocol(self) -> None:
        """P61, P66, P80: `bye` `protocol_error`, exit status 70, a log line that says why; open requests get 504."""
        for data in (
            b"\x00\x00\x00\x00",
            b"\xff\xff\xff\xff",
            b"\x00\x00\x00\x01\xc0",
            b"\x00\x00\x00\x02\x81\xa1",
            encode(Request(ref=1, data={})),
            encode(Event(ref=1, data={}))[:-1] + b"\xc1",
        ):
            proxy = self.start()
            client = proxy.connect().send(request())
            proxy.ocs.send_bytes(data)
            proxy.work()
            self.assertEqual(proxy.ocs.byes, ["protocol_error"], data)
            self.assert_error(client, 504, NO_RESPONSE)
            self.pass_time(proxy, 1)
            self.assertEqual(proxy.statuses, [70])
            proxy.stop()

    def test_before_the_welcome(self) -> None:
        """P80, P82: nothing but a welcome may come first."""
        proxy = self.child()
        proxy.ocs.send(make_settings())
        proxy.work()
        self.assertEqual(proxy.ocs.byes, ["protocol_error"])
        self.assertEqual(proxy.statuses, [70])

    def test_incomplete_frame(self) -> None:
        """P66: a frame that is not completed within 30 s of its first byte is a breach, though bytes go on coming."""
        proxy = self.start()
        frame = encode(Event(ref=99, data={"GSW_USER_EVENT": "x" * 2000}))
        pieces = iter(bytes((byte,)) for byte in frame)
        self.pass_time(proxy, 29.5, lambda: proxy.ocs.send_bytes(next(pieces)))
        self.assertEqual(proxy.ocs.byes, [])
        self.pass_time(proxy, 1.5, lambda: proxy.ocs.send_bytes(next(pieces)))
        self.assertEqual(proxy.ocs.byes, ["protocol_error"])

    def test_frames_that_overlap_segments(self) -> None:
        """P66, P67: each frame has its own time; a stream whose segments never end with a frame goes on for ever."""
        proxy = self.start()
        frame = encode(Event(ref=99, data={"GSW_USER_EVENT": "Nothing"}))
        proxy.ocs.send_bytes(frame[:5])
        self.pass_time(proxy, 65, lambda: proxy.ocs.send_bytes(frame[5:] + frame[:5]))
        self.assertEqual((proxy.ocs.byes, proxy.statuses), ([], []))


class StreamTests(LinkTestCase):
    """P60, P67: the child's own frames."""

    def test_well_formed(self) -> None:
        """P60: what a client reads is whole, whatever is on the link at the same time."""
        proxy = self.start()
        clients = [proxy.connect().send(request() * 3) for _ in range(20)]
        for sent in reversed(proxy.ocs.requests):
            proxy.ocs.acknowledge(sent, GSW_REFERENCE_ID=sent.ref)
        proxy.work()
        for at, client in enumerate(clients):
            answers = parse_answers(client.transport.taken)
            self.assertEqual([a.json["GSW_REFERENCE_ID"] for a in answers], [3 * at + 1, 3 * at + 2, 3 * at + 3])
