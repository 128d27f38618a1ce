"""Which route a request takes: by the first segment of its path, or by its whole path."""

import re

from ocsgw.proxy.http.exchange import Route
from ocsgw.proxy.http.grammar import Head, RequestLine
from ocsgw.proxy.policy.cross_origin import CrossOrigin

_AUTHORITY = re.compile(rb"[hH][tT][tT][pP][sS]?://[^/?]*")
_FIRST_SEGMENT = re.compile(rb"/([^/]*)").match

# Longer targets are looked up anew, and so are all when there are more than so many.
_LONGEST_KNOWN = 256
_MOST_KNOWN = 1024


def path_of(target: bytes) -> bytes:
    """Return a target without its query, and without the authority of the absolute form (H58)."""
    if not target.startswith(b"/"):
        authority = _AUTHORITY.match(target)
        target = target[authority.end() :] if authority else target
    return target.partition(b"?")[0]


class Router:
    """The classic surface, `default`, and what is mounted beside it."""

    def __init__(self, default: Route) -> None:
        self._default = default
        # Who may call from pages of other origins; it answers what browsers ask beforehand, for every target.
        self.cross_origin = CrossOrigin(())
        self._mounted: dict[bytes, Route] = {}
        self._documents: dict[bytes, Route] = {}
        # Targets that have been asked for; clients send the same ones again and again.
        self._known: dict[bytes, Route] = {}

    def mount(self, segment: bytes, route: Route) -> None:
        """Let a route answer all targets whose first segment, as it is sent, is `segment`."""
        self._mounted[segment] = route
        self._known.clear()

    def mount_document(self, name: bytes, route: Route) -> None:
        """Let a route answer targets whose path, as it is sent, is `name` after the slash; nothing is below it."""
        self._documents[b"/" + name] = route
        self._known.clear()

    def route_of(self, line: RequestLine, head: Head) -> Route:
        """Return the route of a request."""
        if head.asks_for_method and self.cross_origin.is_preflight(line, head):
            return self.cross_origin
        route = self._known.get(line.target)
        return route if route is not None else self._find(line.target)

    def _find(self, target: bytes) -> Route:
        path = path_of(target)
        found = _FIRST_SEGMENT(path)
        route = self._documents.get(path) or (self._mounted.get(found[1]) if found else None) or self._default
        if len(target) <= _LONGEST_KNOWN:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[target] = route
        return route
