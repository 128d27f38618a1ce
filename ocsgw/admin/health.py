"""`/livez` and `/readyz`, for load balancers and for whoever restarts what hangs."""

from collections.abc import Iterator
from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import Request

from ocsgw.admin.view import AdminView
from ocsgw.control.health import health_of

# What `?role=` may ask for.
_ROLES = {b"primary": "primary", b"backup": "backup"}


class Live(Resource):
    """`/livez`: 200 as long as the loop of OCS turns."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        """Answer."""
        return _plain(request, 200, "ok\n")


class Ready(Resource):
    """`/readyz`: 200 while this server takes requests, else 503 with the reasons, one in a line.

    `?role=primary` and `?role=backup` ask whether it has that role and could do its work; `?verbose` lists each check.
    """

    isLeaf = True

    def __init__(self, view: AdminView) -> None:
        super().__init__()
        self._view = view

    def render_GET(self, request: Request) -> bytes:
        """Answer."""
        # Twisted passes over an argument without a value.
        query = request.uri.partition(b"?")[2].split(b"&")
        is_verbose = any(each.partition(b"=")[0] == b"verbose" for each in query)
        wanted = (request.args or {}).get(b"role", [b"primary"])[-1]
        if wanted not in _ROLES:
            return _plain(request, 400, "role must be primary or backup\n")
        checks = list(checks_of(self._view.status(), _ROLES[wanted]))
        failed = [f"{name}: {reason}" for name, reason in checks if reason]
        if is_verbose:
            lines = [f"[{'-' if reason else '+'}] {name}: {reason or 'ok'}" for name, reason in checks]
        else:
            lines = failed or ["ok"]
        return _plain(request, 503 if failed else 200, "".join(f"{line}\n" for line in lines))


def checks_of(status: dict[str, Any], role: str) -> Iterator[tuple[str, str]]:
    """Yield each check with the reason why it fails, empty if it does not."""
    yield "role", "" if status["role"] == role else f"this server is {status['role']}"
    wanted = {"active"} if role == "primary" else {"standby"}
    yield "state", "" if status["state"] in wanted else f"OCS is {status['state']}"
    health = health_of(status)
    yield "service", "; ".join(health.problems) if health.word == "down" else ""


def _plain(request: Request, code: int, text: str) -> bytes:
    request.setResponseCode(code)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return text.encode()
