"""Event streams of web clients, as they see them: `GET /events` (docs/http.md) on connections in memory."""

import json

from ocsgw.counters import EVENT_STREAMS
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.event_stream import StreamedEvent
from ocsgw.protocol.messages import Event, KeySettings
from ocsgw.protocol.requests import OWN_PATHS
from ocsgw.proxy import openapi
from ocsgw.proxy.events.query import EventFilter
from ocsgw.proxy.events.route import SEGMENT
from tests.proxy.test_request_policy import api_key
from tests.support.event_streams import StreamTestCase, ask, body_of, events_of
from tests.support.http import request
from tests.support.settings import make_settings


class StreamTests(StreamTestCase):
    """One client."""

    def test_head(self) -> None:
        """The head of a stream: its type, no length, the end of the connection, and what every answer has."""
        self.begin()
        client = self.open("/events", "X-Request-Id: r-1")
        head = client.transport.taken.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        self.assertEqual(head[0], "HTTP/1.1 200 OK")
        expected = {
            "Content-Type: text/event-stream; charset=utf-8",
            "Cache-Control: no-store",
            "Connection: close",
            "Transfer-Encoding: chunked",
            "X-Accel-Buffering: no",
            "X-Request-Id: r-1",
        }
        self.assertLessEqual(expected, set(head))
        self.assertNotIn("Content-Length", "".join(head))

    def test_from_now_on(self) -> None:
        """Without an id a stream begins with what comes next; where that is stands at its beginning."""
        self.begin(events=4)
        client = self.open()
        self.assertEqual(body_of(client), "retry: 2000\nid: 4\n\n")
        self.commit("RecordProcessed")
        self.assertEqual(body_of(client), "retry: 2000\nid: 4\n\nid: 5\nevent: RecordProcessed\ndata: {}\n\n")

    def test_resume(self) -> None:
        """With the id of the last event, in the header or as an argument, everything behind it comes, in pages."""
        self.begin(events=8)
        for client in (self.open("/events", "Last-Event-ID: 1"), self.open("/events?lastEventId=1")):
            self.assertEqual([number for number, _ in events_of(client)], [2, 3, 4, 5, 6, 7, 8])
        self.commit()
        self.assertEqual(events_of(client)[-1], (9, "AddRecord"))

    def test_the_header_counts(self) -> None:
        """A browser that comes again sends the header by itself, beside an argument that is old by then."""
        self.begin(events=8)
        client = self.open("/events?lastEventId=1", "Last-Event-ID: 6")
        self.assertEqual([number for number, _ in events_of(client)], [7, 8])

    def test_missed(self) -> None:
        """An id that is older than what is kept: the first event says what is missing, the rest follows."""
        self.begin(events=8)
        self.outbox.forget(4)
        client = self.open("/events?type=RecordReject", "Last-Event-ID: 2")
        self.assertEqual(events_of(client), [(4, "EventsMissed")])
        data = json.loads(body_of(client).partition("data: ")[2].partition("\n")[0])
        self.assertEqual(
            data,
            {
                "GSW_USER_EVENT": "EventsMissed",
                "GSW_LAST_EVENT_ID": 2,
                "GSW_NEXT_EVENT_ID": 5,
                "GSW_REASON": "not kept any more",
            },
        )
        self.commit("RecordReject")
        self.assertEqual(events_of(client), [(4, "EventsMissed"), (9, "RecordReject")])

    def test_nothing_is_missing(self) -> None:
        """The event before the first that is kept was seen: nothing is missing."""
        self.begin(events=8)
        self.outbox.forget(4)
        self.assertEqual([number for number, _ in events_of(self.open("/events", "Last-Event-ID: 4"))], [5, 6, 7, 8])

    def test_all_forgotten(self) -> None:
        """Nothing is kept any more, and something was missed all the same."""
        self.begin(events=8)
        self.outbox.forget(8)
        client = self.open("/events", "Last-Event-ID: 7")
        self.assertEqual(events_of(client), [(8, "EventsMissed")])
        self.assertEqual(events_of(self.open("/events", "Last-Event-ID: 8")), [])

    def test_id_of_another_store(self) -> None:
        """An id that was never given: the client is told, and goes on from now."""
        self.begin(events=3)
        others = self.open()
        client = self.open("/events", "Last-Event-ID: 9999")
        self.assertEqual(events_of(client), [(3, "EventsMissed")])
        self.assertIn('"GSW_NEXT_EVENT_ID":4,"GSW_REASON":"not known"', body_of(client))
        self.commit()
        self.assertEqual((events_of(client)[1:], events_of(others)), ([(4, "AddRecord")],) * 2)

    def test_http_1_0(self) -> None:
        """A client without chunks gets the bytes until the connection ends."""
        self.begin(events=1)
        client = self.open("/events", "Last-Event-ID: 0", version="HTTP/1.0")
        head, _, body = client.transport.taken.partition(b"\r\n\r\n")
        self.assertNotIn(b"chunked", head)
        self.assertEqual(body, b"retry: 2000\nid: 0\n\nid: 1\nevent: AddRecord\ndata: {}\n\n")

    def test_alive(self) -> None:
        """A comment every 15 s of silence, with the place so far: what is filtered out is passed all the same."""
        self.begin()
        client = self.open("/events?type=DoNotCall")
        self.advance(10)
        self.commit("AddRecord")
        self.advance(6)
        self.commit("AddRecord", "RecordReject")
        self.assertEqual(body_of(client), "retry: 2000\nid: 0\n\n: alive\nid: 1\n\n")
        self.advance(16)
        self.server.work()
        self.assertIn(": alive\nid: 3\n\n", body_of(client))
        self.assertFalse(client.closed)

    def test_idle_limit(self) -> None:
        """No limit for idle connections or unfinished requests ends a stream."""
        self.begin(idle_timeout_ms=1000, header_timeout_ms=1000, request_timeout_ms=1000)
        client = self.open()
        client.send(b"GET ")
        self.advance(100)
        self.assertFalse(client.closed)
        self.assertTrue(client.transport.connected)

    def test_half_closed(self) -> None:
        """H12: a client that sends nothing more may go on reading."""
        self.begin()
        client = self.open().half_close()
        self.commit()
        self.assertEqual(events_of(client), [(1, "AddRecord")])

    def test_behind_other_requests(self) -> None:
        """H3: a stream begins when what was asked before it is answered; nothing comes after it."""
        self.begin()
        self.outbox.reply = lambda data: (
            self.outbox.answer(data) if str(data["GSW_AGENT_REQ_TYPE"])[:5] == "Event" else Refusal("busy")
        )
        client = self.server.connect().send(request() + ask() + request())
        self.commit()
        first, _, rest = client.transport.taken.partition(b"HTTP/1.1 200 OK")
        self.assertTrue(first.startswith(b"HTTP/1.1 503"))
        self.assertTrue(rest.endswith(b"id: 1\nevent: AddRecord\ndata: {}\n\n\r\n"))
        self.assertEqual([each["GSW_AGENT_REQ_TYPE"] for each in self.outbox.requests].count("AddRecord"), 1)


class FilterTests(StreamTestCase):
    """What is shown to whom."""

    def test_types(self) -> None:
        """`type` names types of events, in any case and by their aliases; several of them: any."""
        self.begin()
        client = self.open("/events?type=recordcancel&type=CampaignStarted")
        self.commit("RequestRecordCancel", "AddRecord", "CampaignStarted", "CampaignStopped")
        self.assertEqual(events_of(client), [(1, "RequestRecordCancel"), (3, "CampaignStarted")])

    def test_what_ocs_is_asked(self) -> None:
        """Names of lists and DBIDs of groups go to OCS, which says what they are and whether they are permitted."""
        self.begin(keys=[api_key("web", "secret")])
        self.open("/events?list=CL+1&list=%C3%A9t%C3%A9&campaigngroup=102", "Authorization: Bearer secret")
        self.assertEqual(
            self.outbox.requests[0],
            {
                "GSW_AGENT_REQ_TYPE": "EventStreamRequest",
                "GSW_CALLING_LISTS": ["CL 1", "été"],
                "GSW_CAMPAIGN_GROUP_DBIDS": [102],
            },
        )
        self.assertEqual(self.outbox.exchanges[0].principal, "web")

    def test_scope(self) -> None:
        """Only what OCS names is shown: a record needs its list and the group that has it; a group itself alone."""
        self.begin()
        self.outbox.scope = {"GSW_CALLING_LIST_DBIDS": [201], "GSW_CAMPAIGN_GROUP_DBIDS": [102]}
        client = self.open()
        for calling_list, group in ((201, 0), (202, 0), (201, 102), (201, 103), (0, 102), (0, 103), (0, 0), (202, 102)):
            self.outbox.commit("AddRecord", calling_list, group)
        self.tell()
        self.assertEqual([number for number, _ in events_of(client)], [1, 3, 5])

    def test_table_of_filters(self) -> None:
        """Each kind of limit alone."""
        of_list, of_group, other = frozenset({1}), frozenset({2}), StreamedEvent(1, "a", 9, 9, "")
        for wanted, event, passes in (
            (EventFilter(), other, True),
            (EventFilter(types=frozenset({"b"})), other, False),
            (EventFilter(lists=of_list), StreamedEvent(1, "a", 1, 9, ""), True),
            (EventFilter(lists=of_list), other, False),
            (EventFilter(lists=of_list), StreamedEvent(1, "a", 0, 9, ""), True),
            (EventFilter(lists=of_list), StreamedEvent(1, "a", 0, 0, ""), False),
            (EventFilter(groups=of_group), StreamedEvent(1, "a", 9, 2, ""), True),
            (EventFilter(groups=of_group), other, False),
            (EventFilter(groups=of_group), StreamedEvent(1, "a", 9, 0, ""), True),
            (EventFilter(lists=frozenset()), StreamedEvent(1, "a", 1, 2, ""), False),
        ):
            self.assertIs(wanted.passes(event), passes, (wanted, event))

    def test_refused(self) -> None:
        """A slip in the query is refused: it would show too much, or nothing."""
        self.begin()
        for query, status, text in (
            ("typ=AddRecord", 400, "Unknown argument typ; the nearest is type"),
            ("campaignGroup=102", 400, "Unknown argument campaignGroup; the nearest is campaigngroup"),
            ("=", 400, "Argument without a name"),
            ("=AddRecord&type=AddRecord", 400, "Argument without a name"),
            ("type=AddRecrod", 400, "Invalid value of attribute type"),
            ("type=", 400, "Invalid value of attribute type"),
            ("list=", 400, "Invalid value of attribute list"),
            (f"list={'x' * 256}", 400, "Invalid value of attribute list"),
            ("campaigngroup=x", 400, "Invalid value of attribute campaigngroup"),
            ("campaigngroup=2147483648", 400, "Invalid value of attribute campaigngroup"),
            ("lastEventId=-1", 400, "Invalid value of attribute lastEventId"),
            ("lastEventId=9223372036854775808", 400, "Invalid value of attribute lastEventId"),
            ("lastEventId=1&lastEventId=2", 400, "Invalid value of attribute lastEventId"),
            ("lastEventId=%D9%A1", 400, "Invalid value of attribute lastEventId"),
        ):
            (answer,) = self.open(f"/events?{query}").answers()
            self.assertEqual((answer.status, answer.error), (status, text), query)
        self.assertEqual(self.outbox.requests, [])

    def test_refused_header(self) -> None:
        """An id in the header that is none is named as the header."""
        self.begin()
        (answer,) = self.open("/events?lastEventId=1", "Last-Event-ID: x").answers()
        self.assertEqual((answer.status, answer.error), (400, "Invalid value of attribute Last-Event-ID"))

    def test_nothing_below(self) -> None:
        """A path below the stream is unknown: whoever asks for one thing would be shown everything."""
        self.begin()
        for path in ("/events/1", "/events/", "/events//", "/openapi.json/1"):
            (answer,) = self.open(path).answers()
            self.assertEqual((answer.status, answer.error), (404, "Unknown resource"), path)
        self.assertEqual(self.outbox.requests, [])

    def test_methods(self) -> None:
        """Only GET; `Allow` says so."""
        self.begin()
        for method in ("POST", "HEAD", "DELETE"):
            client = self.server.connect().send(request("/events", b"", method=method))
            (answer,) = client.answers(without_body=(0,) if method == "HEAD" else ())
            self.assertEqual((answer.status, answer.header("allow")), (405, "GET"))

    def test_what_ocs_refuses(self) -> None:
        """A refusal of OCS is the answer, as for every request."""
        self.begin()
        for refusal in (Refusal("list_not_found"), Refusal("forbidden", missing="calling_list"), Refusal("busy")):
            self.outbox.refused = refusal
            (answer,) = self.open().answers()
            self.assertEqual((answer.status, answer.error), (refusal.status, refusal.text))
        self.assertEqual(EVENT_STREAMS.cell().value, 0)


class AccessTests(StreamTestCase):
    """Who may have a stream."""

    def key(self, actions: list[str] | None = None, expires: int | None = None) -> KeySettings:
        """Return a key `secret` of `web`."""
        made = api_key("web", "secret")
        made.actions, made.expires = actions, expires
        return made

    def test_keys(self) -> None:
        """401 without a key, 403 with one that is not for streams, a stream with one that is."""
        self.begin(keys=[self.key(["AddRecord"])])
        (answer,) = self.open().answers()
        self.assertEqual(answer.status, 401)
        (answer,) = self.open("/events", "Authorization: Bearer secret").answers()
        self.assertEqual((answer.status, answer.json["GSW_MISSING_PERMISSION"]), (403, "action"))
        self.begin(keys=[self.key(["EventStreamRequest"])])
        self.assertIn(b"200 OK", self.open("/events", "Authorization: Bearer secret").transport.taken)

    def test_a_key_is_taken_back(self) -> None:
        """A reload: a stream whose key is gone, or is not for streams any more, ends; others are asked about anew."""
        for keys in ([api_key("web", "other")], [self.key(["AddRecord"])]):
            self.begin(keys=[self.key()])
            client = self.open("/events", "Authorization: Bearer secret")
            self.server.frontend.use(make_settings(keys=keys))
            self.server.work()
            self.assertTrue(client.closed)
            self.assertTrue(client.transport.taken.endswith(b"0\r\n\r\n"))

    def test_permissions_change(self) -> None:
        """A reload: OCS says anew what a stream shows, and ends it if what it asked for is not permitted any more."""
        self.begin()
        client = self.open("/events?list=CL")
        self.outbox.scope = {"GSW_CALLING_LIST_DBIDS": [202]}
        self.server.frontend.use(make_settings())
        self.commit(calling_list=201)
        self.commit(calling_list=202)
        self.assertEqual([number for number, _ in events_of(client)], [2])
        for code, is_closed in (("busy", False), ("unavailable", False), ("forbidden", True)):
            event = Event(ref=1, data={"GSW_USER_EVENT": "Error"}, code=code)
            self.outbox.reply = lambda _, event=event: event  # type: ignore[misc]  # a default is no parameter
            self.server.frontend.use(make_settings())
            self.server.work()
            self.assertIs(client.closed, is_closed, code)

    def test_a_key_expires(self) -> None:
        """A stream does not outlive its key by more than a minute."""
        begun = 1_774_103_400
        self.begin(keys=[self.key(expires=begun + 100)])
        client = self.open("/events", "Authorization: Bearer secret")
        self.advance(95)
        self.assertFalse(client.closed)
        self.advance(70)
        self.server.work()
        self.assertTrue(client.closed)

    def test_other_origins(self) -> None:
        """CORS as for requests: a browser may ask with a key and with the last id, and the page sees the events."""
        listener = make_settings().listener
        assert listener is not None
        listener.cors_origins = ["https://agents.example"]
        self.begin(listener=listener)
        fields = (
            "Origin: https://agents.example",
            "Access-Control-Request-Method: GET",
            "Access-Control-Request-Headers: authorization,last-event-id",
        )
        (answer,) = self.server.connect().send(request("/events", b"", *fields, method="OPTIONS")).answers()
        self.assertEqual(answer.status, 200)
        self.assertIn("Last-Event-ID", answer.header("access-control-allow-headers") or "")
        self.assertIn("GET", answer.header("access-control-allow-methods") or "")
        taken = self.open("/events", fields[0]).transport.taken
        self.assertIn(b"Access-Control-Allow-Origin: https://agents.example\r\n", taken)

    def test_own_paths(self) -> None:
        """What is mounted beside the resources is known as such, so that no alias hides behind it."""
        self.begin()
        self.assertEqual({SEGMENT, openapi.SEGMENT}, {each.encode() for each in OWN_PATHS})

    def test_limits_of_addresses(self) -> None:
        """A stream counts as a request and as a connection of its address."""
        self.begin(address_rate=1, address_burst=1)
        self.open()
        (answer,) = self.open().answers()
        self.assertEqual(answer.status, 429)

    def test_number_of_streams(self) -> None:
        """`event_streams`: one more gets 503 with `Retry-After`; 0 switches streams off."""
        self.begin(event_streams=2)
        first, _ = self.open(), self.open()
        (answer,) = self.open().answers()
        self.assertEqual((answer.status, answer.header("retry-after")), (503, "1"))
        self.assertIn("[limits] event_streams", answer.json["GSW_ERROR_HINT"])
        first.vanish()
        self.assertIn(b"200 OK", self.open().transport.taken)
        self.begin(event_streams=0)
        (answer,) = self.open().answers()
        self.assertEqual((answer.status, answer.error), (404, "Unknown resource"))

    def test_several_at_once(self) -> None:
        """Streams that OCS is asked about at the same time do not get past the limit together."""
        self.begin(event_streams=1)
        self.outbox.holds = True
        clients = [self.open() for _ in range(3)]
        for _ in clients:
            self.outbox.release()
        self.outbox.holds = False
        self.server.work()
        self.assertEqual([each.transport.taken[9:12] for each in clients], [b"200", b"503", b"503"])
