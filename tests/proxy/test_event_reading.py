"""How one HTTP Proxy reads the outbox for all its event streams, and what becomes of those that do not keep up."""

import json

from ocsgw.counters import EVENT_STREAMS, EVENT_STREAMS_ENDED
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.event_stream import EventPage, StreamedEvent, page_text
from ocsgw.protocol.messages import Event, News, Request
from tests.support.event_streams import StreamTestCase, ask, events_of
from tests.support.proxy import ProxyTestCase


class ManyTests(StreamTestCase):
    """Many clients of one HTTP Proxy."""

    def test_one_reading(self) -> None:
        """What is committed is read once for all that are at the end, whatever they show."""
        self.begin(events=5)
        clients = [self.open(f"/events?type={'AddRecord' if at % 2 else 'DoNotCall'}") for at in range(50)]
        before = len(self.outbox.reads)
        self.commit("AddRecord", "DoNotCall")
        self.assertEqual(len(self.outbox.reads) - before, 1)
        for at, client in enumerate(clients):
            self.assertEqual(events_of(client), [(6, "AddRecord")] if at % 2 else [(7, "DoNotCall")])

    def test_idle(self) -> None:
        """While nothing is committed nothing is read; OCS is asked once to say when."""
        self.begin(events=5)
        for _ in range(5):
            self.open()
        reads = len(self.outbox.reads)
        self.advance(120)
        self.assertEqual((len(self.outbox.reads), self.outbox.asked), (reads, 1))

    def test_no_stream(self) -> None:
        """Without a stream nothing is read and nothing is asked for, also after the last one has gone."""
        self.begin(events=5)
        self.assertEqual((self.outbox.requests, self.outbox.asked), ([], 0))
        self.open().vanish()
        reads = len(self.outbox.reads)
        self.commit()
        self.assertEqual((len(self.outbox.reads), self.outbox.asked), (reads, 1))

    def test_who_comes_again_holds_up_nobody(self) -> None:
        """A stream that has much to catch up with, and those at the end, are read for in turns."""
        self.begin(events=60)
        live = self.open()
        self.outbox.holds = True
        late = self.open("/events", "Last-Event-ID: 0")
        self.outbox.release()
        self.outbox.commit("DoNotCall")
        self.tell()
        for _ in range(6):
            self.outbox.release()
            self.server.work()
        self.assertEqual(events_of(live), [(61, "DoNotCall")])
        self.assertLess(len(events_of(late)), 20)
        self.outbox.holds = False
        self.outbox.release()
        self.server.work()
        self.assertEqual([number for number, _ in events_of(late)], list(range(1, 62)))

    def test_reading_fails(self) -> None:
        """What OCS cannot answer is read again; nothing is left out."""
        self.begin()
        client = self.open()
        self.outbox.refused = Refusal("busy")
        self.commit()
        self.outbox.refused, self.outbox.refusal = None, Refusal("unavailable")
        self.advance(1)
        self.outbox.refusal = None
        self.advance(1)
        self.server.work()
        self.assertEqual(events_of(client), [(1, "AddRecord")])

    def test_rest(self) -> None:
        """Between two readings is a rest as long as the first took: requests come first."""
        self.begin(events=9)
        self.outbox.holds = True
        self.open("/events", "Last-Event-ID: 0")
        self.outbox.release()
        self.clock.advance(0.5)
        self.outbox.release()
        self.assertEqual(self.outbox.reads, [0])
        self.clock.advance(0.4)
        self.assertEqual(self.outbox.reads, [0])
        self.clock.advance(0.2)
        self.assertEqual(self.outbox.reads, [0, 3])


class SlowTests(StreamTestCase):
    """Clients that do not take what is written."""

    def test_slow(self) -> None:
        """For who takes nothing nothing is read and kept; others go on; taking again, nothing is missing."""
        self.begin()
        slow, quick = self.open(), self.open()
        slow.stall()
        self.outbox.commit(data=json.dumps("x" * 70_000))
        self.tell()
        unsent = slow.transport.unsent
        for _ in range(20):
            self.commit()
        self.assertEqual(slow.transport.unsent, unsent)
        self.assertEqual(len(events_of(quick)), 21)
        slow.take()
        self.assertEqual([number for number, _ in events_of(slow)], list(range(1, 22)))

    def test_cut(self) -> None:
        """Who takes nothing for `write_timeout` is cut, and counted; it can resume behind what it has seen."""
        self.begin(write_timeout_ms=5000)
        EVENT_STREAMS_ENDED.clear()
        client = self.open().stall()
        self.outbox.commit(data=json.dumps("x" * 70_000))
        self.tell()
        self.advance(4)
        self.assertTrue(client.transport.connected)
        self.advance(3)
        self.assertFalse(client.transport.connected)
        self.assertEqual(EVENT_STREAMS_ENDED.cell(reason="slow").value, 1)
        self.assertEqual([number for number, _ in events_of(self.open("/events", "Last-Event-ID: 0"))], [1])

    def test_counted(self) -> None:
        """Open streams are a gauge; each end has its reason."""
        self.begin()
        EVENT_STREAMS_ENDED.clear()
        before = EVENT_STREAMS.cell().value
        clients = [self.open() for _ in range(3)]
        self.assertEqual(EVENT_STREAMS.cell().value - before, 3)
        clients[0].vanish()
        self.server.frontend.drain(lambda: None)
        self.server.work()
        self.assertEqual(EVENT_STREAMS.cell().value, before)
        self.assertEqual(
            {labels[0]: value for labels, value in EVENT_STREAMS_ENDED.samples() if value}, {"client": 1, "server": 2}
        )

    def test_drain(self) -> None:
        """When HTTP Proxy ends its work streams end cleanly: a last chunk, and the end of the connection."""
        self.begin()
        client = self.open()
        self.outbox.holds = True
        late = self.open()
        self.server.frontend.drain(lambda: None)
        self.outbox.release()
        self.server.work()
        for each in (client, late):
            self.assertTrue(each.transport.taken.endswith(b"\r\n0\r\n\r\n"), each.transport.taken)
            self.assertTrue(each.closed)


class LinkTests(ProxyTestCase):
    """A whole HTTP Proxy: what goes over the link."""

    def test_over_the_link(self) -> None:
        """Asked for news before it reads; told, it reads; without the link streams end."""
        proxy = self.start()
        client = proxy.connect().send(ask())
        (opening,) = proxy.ocs.requests
        proxy.ocs.send(Event(ref=opening.ref, data={"GSW_USER_EVENT": "EventStream", "GSW_EVENT_ID": 7}))
        proxy.work()
        kinds = [type(each) for each in proxy.ocs.received if isinstance(each, News | Request)]
        self.assertEqual(kinds, [Request, News, Request])
        self.assertEqual(proxy.ocs.requests[-1].data, {"GSW_AGENT_REQ_TYPE": "EventsRequest", "GSW_EVENT_ID": 7})
        self.assertIsNone(proxy.ocs.requests[-1].principal)
        empty = page_text(EventPage(8, 7, more=False, events=[]))
        proxy.ocs.send(
            Event(ref=proxy.ocs.requests[-1].ref, data={"GSW_USER_EVENT": "Events", "GSW_EVENTS": empty}), News()
        )
        proxy.work()
        self.assertEqual(len(proxy.ocs.requests), 3)
        one = page_text(EventPage(8, 8, more=False, events=[StreamedEvent(8, "AddRecord", 201, 0, "{}")]))
        proxy.ocs.send(Event(ref=proxy.ocs.requests[-1].ref, data={"GSW_USER_EVENT": "Events", "GSW_EVENTS": one}))
        proxy.work()
        self.assertEqual(events_of(client), [(8, "AddRecord")])
        proxy.ocs.lose()
        proxy.work()
        self.assertTrue(client.closed)
        self.assertTrue(client.transport.taken.endswith(b"\r\n0\r\n\r\n"))

    def test_a_page_that_is_none(self) -> None:
        """What OCS says in a form that is not understood is asked for again."""
        proxy = self.start()
        proxy.connect().send(ask())
        proxy.ocs.send(Event(ref=1, data={"GSW_USER_EVENT": "EventStream", "GSW_EVENT_ID": 7}))
        proxy.work()
        proxy.ocs.send(Event(ref=2, data={"GSW_USER_EVENT": "Events", "GSW_EVENTS": "["}))
        proxy.work()
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.pass_time(proxy, 1.5)
        self.assertEqual(len(proxy.ocs.requests), 3)
