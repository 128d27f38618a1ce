"""One event stream: where its client is, what it is shown, and the bytes that go out."""

from collections.abc import Callable

import msgspec

from ocsgw.counters import EVENT_STREAMS, EVENT_STREAMS_ENDED, EVENTS_SENT
from ocsgw.protocol.event_stream import MISSED, EventPage
from ocsgw.proxy.events.query import EventFilter, StreamQuery
from ocsgw.proxy.http.exchange import Exchange, Outlet

# After what time a browser comes again when a stream has ended; in milliseconds.
_RETRY = 2000
_OPEN = EVENT_STREAMS.cell()
_SENT = EVENTS_SENT.cell()

_encode = msgspec.json.Encoder().encode


class Page:
    """A page of events; what streams of the same filter get of it is made once."""

    def __init__(self, page: EventPage) -> None:
        self.first, self.last, self.more = page.first, page.last, page.more
        self._events = page.events
        self._made: dict[tuple[EventFilter, int], tuple[bytes, int]] = {}

    def shown(self, wanted: EventFilter, after: int) -> tuple[bytes, int]:
        """Return the events behind a number that a filter passes, as they go out, and how many they are."""
        key = wanted, after
        made = self._made.get(key)
        if made is None:
            shown = [each for each in self._events if each.number > after and wanted.passes(each)]
            text = "".join(f"id: {each.number}\nevent: {each.type}\ndata: {each.data}\n\n" for each in shown)
            made = self._made[key] = text.encode("utf-8"), len(shown)
        return made


class EventStream:
    """A stream of one client.

    `position` is the number of the last event that it has passed, shown or not. `changed` is called with the stream
    when it is open, when its client takes events again, and when it is gone.
    """

    def __init__(self, exchange: Exchange, query: StreamQuery, changed: "Callable[[EventStream], None]") -> None:
        self.exchange = exchange
        self.query = query
        self.position = 0
        self.filter = EventFilter()
        self.is_paused = False
        self._changed = changed
        self._outlet: Outlet | None = None
        self._is_chunked = exchange.head.minor > 0

    @property
    def is_open(self) -> bool:
        """Whether it can be written to."""
        return self._outlet is not None

    def beginning(self) -> bytes:
        """Return what stands at its beginning: where a client goes on that sees no event at all."""
        return self._framed(b"retry: %d\nid: %d\n\n" % (_RETRY, self.position))

    def take(self, page: Page) -> bool:
        """Show what a page has behind the position, or what is missing there; return whether there was anything."""
        pieces = []
        if self.position > page.last or self.position + 1 < page.first:
            pieces.append(_missed(self.position, page))
        shown, count = page.shown(self.filter, self.position)
        pieces.append(shown)
        self.position = page.last
        _SENT.add(count)
        data = b"".join(pieces)
        self._send(data)
        return bool(data)

    def beat(self) -> None:
        """Show that the stream lives, and how far it is: entries that are not shown are not kept for ever either."""
        if not self.is_paused:
            self._send(b": alive\nid: %d\n\n" % self.position)

    def finish(self, reason: str) -> None:
        """End it."""
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            self._count_out(reason)
            outlet.finish(b"0\r\n\r\n" if self._is_chunked else b"")

    # What the connection calls.

    def opened(self, outlet: Outlet) -> None:
        """The head is written."""
        self._outlet = outlet
        _OPEN.add(1)
        self._changed(self)

    def pause(self) -> None:
        """The client does not take what is written."""
        self.is_paused = True

    def resume(self) -> None:
        """The client has taken everything."""
        self.is_paused = False
        self._changed(self)

    def end(self) -> None:
        """HTTP Proxy ends its work."""
        self.finish("server")

    def lost(self) -> None:
        """The connection is gone."""
        if self._outlet is not None:
            self._outlet = None
            self._count_out("slow" if self.is_paused else "client")

    def _count_out(self, reason: str) -> None:
        _OPEN.add(-1)
        EVENT_STREAMS_ENDED.add(reason=reason)
        self._changed(self)

    def _send(self, data: bytes) -> None:
        if self._outlet is not None and data:
            self._outlet.send(self._framed(data))

    def _framed(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data


def _missed(position: int, page: Page) -> bytes:
    """Return the event that says what is missing: entries that are not kept any more, or an id that is not known."""
    is_unknown = position > page.last
    members = {
        "GSW_USER_EVENT": MISSED,
        "GSW_LAST_EVENT_ID": position,
        "GSW_NEXT_EVENT_ID": page.last + 1 if is_unknown else page.first,
        "GSW_REASON": "not known" if is_unknown else "not kept any more",
    }
    goes_on_behind = page.last if is_unknown else page.first - 1
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (goes_on_behind, MISSED.encode(), _encode(members))
