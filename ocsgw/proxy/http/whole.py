"""Whole requests in one segment: the short cut of the reader.

Most clients send a request in one piece, and the same head again and again. Such a head is read by the reader once.
"""

from collections.abc import Callable
from dataclasses import replace

from ocsgw.proxy.http.grammar import FramingError, Head, RequestLine
from ocsgw.proxy.http.reader import LONGEST_KNOWN, ReadingRules, RequestHead, RequestReader
from ocsgw.proxy.policy.prepared import Prepared

# More heads than these are read anew.
_MOST = 1024


class WholeRequests:
    """Knows heads by their bytes.

    `prepare` says what a head is good for; `forget` is for when the rules have changed.
    """

    def __init__(self, rules: ReadingRules, prepare: Callable[[RequestLine, Head], Prepared | None]) -> None:
        self._rules = rules
        self._prepare = prepare
        self._heads: dict[bytes, RequestHead] = {}
        # The one that came last: most come again at once.
        self._last: tuple[bytes, RequestHead | None] = b"", None
        # For readers: heads whose bodies come in segments of their own are known as well.
        self.known = self._heads.get

    def split(self, data: bytes) -> tuple[RequestHead, bytes] | None:
        """Return head and content of a segment that is one request of the usual kind, else None.

        Usual is a body of a given length that is admitted, and a connection that stays.
        """
        raw, request = self._last
        if request is None or not data.startswith(raw):
            end = data.find(b"\r\n\r\n", 0, LONGEST_KNOWN) + 4
            if end == 3:
                return None
            raw = data[:end]
            request = self._heads.get(raw) or self._learn(raw)
            if request is None:
                return None
            self._last = raw, request
        else:
            end = len(raw)
        if len(data) - end != request.head.content_length:
            return None
        return request, data[end:]

    def forget(self) -> None:
        """Read every head anew."""
        self._heads.clear()
        self._last = b"", None

    def _learn(self, raw: bytes) -> RequestHead | None:
        reader = RequestReader(self._rules)
        reader.receive(raw)
        try:
            request = reader.next()
        except FramingError:
            return None
        if not isinstance(request, RequestHead) or raw.startswith(b"\r\n") or request.line.method == b"CONNECT":
            return None
        head = request.head
        if (
            head.expects_continue
            or not head.keep_alive
            or not 0 < (head.content_length or 0) <= self._rules.limits.body
        ):
            return None
        if len(self._heads) >= _MOST:
            self._heads.clear()
        prepared = self._prepare(request.line, head)
        request = self._heads[raw] = replace(request, prepared=prepared)
        return request
