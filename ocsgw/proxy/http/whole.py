"""Whole requests in one segment: the short cut of the reader.

Most clients send a request in one piece, and the same head again and again. Such a head is read by the reader once.
Heads that differ in the number of what they name alone, a record handle as a rule, count as the same.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ocsgw import speedups
from ocsgw.proxy.http.grammar import FramingError, Head, RequestLine
from ocsgw.proxy.http.reader import LONGEST_KNOWN, ReadingRules, RequestHead, RequestReader
from ocsgw.proxy.policy.prepared import Prepared

# More heads than these are read anew.
_MOST = 1024
# With so many the lane compares a segment.
_MOST_RECENT = 16
# A request line with a number as the identifier in its target. Every such number is well formed, in every place.
_NUMBERED = re.compile(rb"POST /[A-Za-z_]{1,32}/([1-9][0-9]{0,14})\?[!-~]{0,100} HTTP/1\.1\r\n").match
_TARGET = len(b"POST ")

if TYPE_CHECKING or not speedups.is_used():

    class HeadFields:
        """What a compiled lane needs of a head is an attribute of its class there."""

        def __init__(self, raw: bytes, begin: int, end: int, request: RequestHead) -> None:
            self.raw = raw
            self.begin = begin
            self.end = end
            self.request = request

else:
    from ocsgw.speedups.lane import HeadFields


class KnownHead(HeadFields):
    """A head that has been read, from its bytes.

    If `begin` and `end` differ, what stands between them may be another number of as many digits.
    """

    def with_number(self, number: bytes) -> RequestHead:
        """Return the head with another number; `request` is that with the number of `raw`, empty for this one."""
        request = self.request
        if not number:
            return request
        target = request.line.target
        target = target[: self.begin - _TARGET] + number + target[self.end - _TARGET :]
        prepared = request.prepared
        return RequestHead(
            RequestLine(request.line.method, target, request.line.minor),
            request.head,
            prepared.with_number(number.decode("ascii")) if prepared is not None else None,
        )


class WholeRequests:
    """Knows heads by their bytes.

    `prepare` says what a head is good for; `forget` is for when the rules have changed. `recent` are those that have
    come again not long ago; it stays the same list.
    """

    def __init__(self, rules: ReadingRules, prepare: Callable[[RequestLine, Head], Prepared | None]) -> None:
        self._rules = rules
        self._prepare = prepare
        self._heads: dict[bytes, KnownHead] = {}
        # Those with a number in their target, by their bytes with NUL in the place of its digits.
        self._numbered: dict[bytes, KnownHead] = {}
        self.recent: list[KnownHead] = []

    def known(self, raw: bytes) -> RequestHead | None:
        """Return a head that has been read before; for readers, when its body comes in a segment of its own."""
        known, number = self._find(raw)
        return known.with_number(number) if known is not None else None

    def split(self, data: bytes) -> tuple[KnownHead, bytes, bytes] | None:
        """Return head, number in its target and content of a segment that is one request of the usual kind, else None.

        Usual is a body of a given length that is admitted, and a connection that stays.
        """
        end = data.find(b"\r\n\r\n", 0, LONGEST_KNOWN) + 4
        if end == 3:
            return None
        raw = data[:end]
        known, number = self._find(raw)
        if known is not None:
            self._note(known)
        else:
            known, number = self._learn(raw), b""
        if known is None or len(data) - end != known.request.head.content_length:
            return None
        return known, number, data[end:]

    def forget(self) -> None:
        """Read every head anew."""
        self._heads.clear()
        self._numbered.clear()
        self.recent.clear()

    def _find(self, raw: bytes) -> tuple[KnownHead | None, bytes]:
        """Return a head that has been read, or one with another number of as many digits, and its own number."""
        known = self._heads.get(raw)
        if known is not None:
            return known, b""
        found = _NUMBERED(raw)
        return (self._numbered.get(_shape(raw, found)), found[1]) if found is not None else (None, b"")

    def _note(self, known: KnownHead) -> None:
        """A head has come again; those that differ each time never do."""
        if known not in self.recent:
            self.recent.insert(0, known)
            del self.recent[_MOST_RECENT:]

    def _learn(self, raw: bytes) -> KnownHead | None:
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
            known = self._heads[raw] = KnownHead(raw, 0, 0, request)
        else:
            known = self._numbered[_shape(raw, found)] = KnownHead(raw, *found.span(1), request)
        return known


def _shape(raw: bytes, found: re.Match[bytes]) -> bytes:
    begin, end = found.span(1)
    return raw[:begin] + bytes(end - begin) + raw[end:]
