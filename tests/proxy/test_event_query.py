"""Generated queries of event streams, and ids that clients repeat."""

from hypothesis import given
from hypothesis import strategies as st

from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.event_stream import EVENT_TYPES
from ocsgw.proxy.events.query import StreamQuery, query_of
from ocsgw.proxy.http.exchange import Exchange
from ocsgw.proxy.http.grammar import Head, RequestLine
from tests.support.event_streams import Outbox
from tests.support.http import HttpTestCase

_SHOWN = st.characters(codec="utf-8", exclude_characters=[chr(each) for each in (*range(32), 127)])


def exchange_of(target: bytes, *ids: bytes) -> Exchange:
    """Return an exchange of a request for a stream."""
    head = Head(minor=1, keep_alive=True, fields=tuple((b"last-event-id", each) for each in ids))
    return Exchange(RequestLine(b"GET", target, 1), head, "")


class QueryTests(HttpTestCase):
    """Generated queries."""

    @given(
        st.lists(st.text(_SHOWN, min_size=1, max_size=20), max_size=3),
        st.lists(st.integers(1, 2**31 - 1), max_size=3),
        st.lists(st.sampled_from(EVENT_TYPES), max_size=4),
        st.none() | st.integers(0, 2**63 - 1),
    )
    def test_round_trip(self, lists: list[str], groups: list[int], types: list[str], after: int | None) -> None:
        """What a client writes is what is read, in every spelling of percent-encoding."""
        written = [*(("list", each) for each in lists), *(("campaigngroup", str(each)) for each in groups)]
        written += [("type", each.upper()) for each in types]
        query = "&".join(
            f"{name}=" + "".join(f"%{byte:02x}" for byte in value.encode("utf-8")) for name, value in written
        )
        ids = () if after is None else (str(after).encode(),)
        found = query_of(exchange_of(b"/events?" + query.encode(), *ids))
        self.assertEqual(found, StreamQuery(tuple(lists), tuple(groups), frozenset(types), after))

    @given(st.binary(max_size=30), st.lists(st.binary(max_size=25), max_size=3))
    def test_anything(self, query: bytes, ids: list[bytes]) -> None:
        """Whatever is sent is a query or a refusal."""
        try:
            found = query_of(exchange_of(b"/events?list=%20" + query, *ids))
        except Refusal as refusal:
            self.assertEqual(refusal.status, 400)
        else:
            self.assertTrue(found.after is None or 0 <= found.after < 2**63)

    @given(st.binary(max_size=30))
    def test_any_bytes_of_a_client(self, query: bytes) -> None:
        """A server with any query answers, with a stream or an error, and never fails."""
        outbox = Outbox()
        server = self.serve(gateway=outbox)
        taken = server.connect().send(b"GET /events?" + query + b" HTTP/1.1\r\nHost: x\r\n\r\n").transport.taken
        self.assertIn(taken[9:12], (b"", b"200", b"400", b"505"))
