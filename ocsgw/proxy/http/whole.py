"""Whole requests in one segment: the short cut of the reader.

Most clients send a request in one piece, and the same head again and again. Such a head is read by the reader once.
Heads that differ in the number of what they name alone, a record handle as a rule, count as the same.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from ocsgw.proxy.http.grammar import FramingError, Head, RequestLine
from ocsgw.proxy.http.reader import LONGEST_KNOWN, ReadingRules, RequestHead, RequestReader
from ocsgw.proxy.policy.prepared import Prepared

# More heads than these are read anew.
_MOST = 1024
# A request line with a number as the identifier in its target. Every such number is well formed, in every place.
_NUMBERED = re.compile(rb"POST (/[A-Za-z_]{1,32}/)([1-9][0-9]{0,14})(\?[!-~]{0,100}) HTTP/1\.1\r\n").match


class WholeRequests:
    """Knows heads by their bytes.

    `prepare` says what a head is good for; `forget` is for when the rules have changed.
    """

    def __init__(self, rules: ReadingRules, prepare: Callable[[RequestLine, Head], Prepared | None]) -> None:
        self._rules = rules
        self._prepare = prepare
        self._heads: dict[bytes, RequestHead] = {}
        # The one that came last: most come again at once.
        self.last: tuple[bytes, RequestHead | None] = b"", None
        # Those with a number in their target, by their bytes with NUL in the place of its digits.
        self._numbered: dict[bytes, RequestHead] = {}

    def known(self, raw: bytes) -> RequestHead | None:
        """Return a head that has been read before; for readers, when its body comes in a segment of its own."""
        return self._heads.get(raw) or self._with_number(raw)

    def split(self, data: bytes) -> tuple[RequestHead, bytes] | None:
        """Return head and content of a segment that is one request of the usual kind, else None.

        Usual is a body of a given length that is admitted, and a connection that stays.
        """
        raw, request = self.last
        if request is None or not data.startswith(raw):
            end = data.find(b"\r\n\r\n", 0, LONGEST_KNOWN) + 4
            if end == 3:
                return None
            raw = data[:end]
            request = self._heads.get(raw) or self._with_number(raw) or self._learn(raw)
            if request is None:
                return None
            self.last = raw, request
        else:
            end = len(raw)
        if len(data) - end != request.head.content_length:
            return None
        return request, data[end:]

    def forget(self) -> None:
        """Read every head anew."""
        self._heads.clear()
        self.last = b"", None
        self._numbered.clear()

    def _with_number(self, raw: bytes) -> RequestHead | None:
        """Return a head of which one with another number of as many digits has been read."""
        found = _NUMBERED(raw)
        if found is None:
            return None
        path, number, query = found.groups()
        request = self._numbered.get(_shape(raw, found))
        if request is None:
            return None
        line = RequestLine(request.line.method, path + number + query, request.line.minor)
        prepared = request.prepared
        return RequestHead(line, request.head, prepared.with_number(number.decode()) if prepared is not None else None)

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
        if len(self._heads) + len(self._numbered) >= _MOST:
            self.forget()
        prepared = self._prepare(request.line, head)
        request = replace(request, prepared=prepared)
        found = _NUMBERED(raw)
        if found is None or (prepared is not None and not prepared.takes_numbers):
            self._heads[raw] = request
        else:
            self._numbered[_shape(raw, found)] = request
        return request


def _shape(raw: bytes, found: re.Match[bytes]) -> bytes:
    begin, end = found.span(2)
    return raw[:begin] + bytes(end - begin) + raw[end:]
