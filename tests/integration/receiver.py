"""A receiver of outgoing calls, in a thread of the test; what it was sent is the ledger."""

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Sent:
    """One call that has arrived."""

    path: str
    headers: dict[str, str]
    raw: bytes
    body: dict[str, Any]


@dataclass
class Ledger:
    """All calls; `answer` says status and body for each."""

    calls: list[Sent] = field(default_factory=list)
    answer: Callable[[Sent], tuple[int, bytes]] = lambda sent: (200, b"")
    port: int = 0

    def uri(self, path: str) -> str:
        """Return the URI of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def of(self, path: str) -> list[dict[str, Any]]:
        """Return the bodies that came to a path, in their order."""
        return [each.body for each in list(self.calls) if each.path == path]


def receive(test: Any, port: int = 0) -> Ledger:
    """Listen until the end of a test."""
    ledger = Ledger()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            sent = Sent(self.path, dict(self.headers), raw, json.loads(raw))
            ledger.calls.append(sent)
            status, body = ledger.answer(sent)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Nothing is logged."""

    class Receiver(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that is killed breaks its connections."""
            if not isinstance(sys.exc_info()[1], ConnectionError):
                super().handle_error(request, client_address)

    server = Receiver(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    ledger.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    test.addCleanup(stop)
    return ledger
