"""`/livez` and `/readyz`, for load balancers and for whoever restarts what hangs."""

from twisted.web.resource import Resource
from twisted.web.server import Request

from ocsgw.admin.view import StatusView
from ocsgw.control.health import ROLES, Check, readiness_of


class Live(Resource):
    """`/livez`: 200 as long as the loop of OCS turns."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        """Answer."""
        return _plain(request, 200, ["ok"])


class Ready(Resource):
    """`/readyz`: 200 while this server takes requests, else 503 with the reasons, one in a line.

    `?role=primary` and `?role=backup` ask whether it has that role and could do its work; `?verbose` lists each check.
    """

    isLeaf = True

    def __init__(self, view: StatusView) -> None:
        super().__init__()
        self._view = view

    def render_GET(self, request: Request) -> bytes:
        """Answer."""
        # Twisted passes over an argument without a value.
        query = request.uri.partition(b"?")[2].split(b"&")
        is_verbose = any(each.partition(b"=")[0] == b"verbose" for each in query)
        wanted = (request.args or {}).get(b"role", [b"primary"])[-1].decode("ascii", "replace")
        if wanted not in ROLES:
            return _plain(request, 400, ["role must be primary or backup"])
        checks = readiness_of(self._view.status(), wanted)
        failed = [f"{check.name}: {'; '.join(check.problems)}" for check in checks if check.is_fatal and check.problems]
        lines = [_line(check) for check in checks] if is_verbose else failed or ["ok"]
        return _plain(request, 503 if failed else 200, lines)


def _line(check: Check) -> str:
    """Return a check as one line; `~` marks what needs the operator and keeps no request from being carried out."""
    mark = "+" if not check.problems else "-" if check.is_fatal else "~"
    return f"[{mark}] {check.name}: {'; '.join(check.problems) or 'ok'}"


def _plain(request: Request, code: int, lines: list[str]) -> bytes:
    request.setResponseCode(code)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return "".join(f"{line}\n" for line in lines).encode()
