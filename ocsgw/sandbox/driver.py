"""Driving a sandbox from tests, with the standard library alone."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

_START_TIMEOUT = 30.0


@dataclass(frozen=True)
class Reply:
    """The answer to one request: status, header fields in lower case, the JSON object of the body, {} without one."""

    status: int
    headers: dict[str, str]
    json: dict[str, Any]


class SandboxError(Exception):
    """The sandbox could not be started, or refused an order; the text says why."""


class NoSandboxError(SandboxError):
    """No sandbox answers."""


class SandboxClient:
    """A sandbox that runs at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    # Requests.

    def post(self, target: str, body: dict[str, Any] | None = None, **headers: str) -> Reply:
        """Send a request as a client would; `Idempotency_Key="k"` becomes the header field of that name."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._request("POST", self.url + target, body, {"Content-Type": "application/json", **fields})

    # Orders.

    def advance(self, seconds: float) -> float:
        """Put the clock forward; everything that is due by then has been done afterwards. Returns the new time."""
        time: float = self._order("POST", "clock", {"advance": seconds})["time"]
        return time

    def set_time(self, time: float | str) -> float:
        """Put the clock to a time: seconds since 1970 UTC, or ISO 8601."""
        now: float = self._order("POST", "clock", {"set": time})["time"]
        return now

    def now(self) -> float:
        """Return the time of the clock, in seconds since 1970 UTC."""
        time: float = self._order("GET", "clock")["time"]
        return time

    def fault(self, kind: str, **options: Any) -> None:
        """Order a fault for a coming request (docs/sandbox.md)."""
        self._order("POST", "faults", {"kind": kind, **options})

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults that are still to come."""
        due: list[dict[str, Any]] = self._order("GET", "faults")
        return due

    def forget_faults(self) -> None:
        """Forget the faults that are still to come."""
        self._order("DELETE", "faults")

    def traffic(self) -> list[dict[str, Any]]:
        """Return the requests that came since the last reset, the oldest first."""
        entries: list[dict[str, Any]] = self._order("GET", "traffic")
        return entries

    def forget_traffic(self) -> None:
        """Forget the requests that came."""
        self._order("DELETE", "traffic")

    def examples(self, records: int = 25) -> int:
        """Add example records to the first calling list, for tests that want something to be there; return how many."""
        added: int = self._order("POST", "examples", {"records": records})["added"]
        return added

    def describe(self) -> dict[str, Any]:
        """Return where it serves, its processes and its time."""
        found: dict[str, Any] = self._order("GET", "")
        return found

    def crash(self) -> None:
        """Kill the HTTP Proxy; another one follows at once."""
        self._order("POST", "crash")

    def wait(self) -> None:
        """Wait until an HTTP Proxy serves again."""
        self._order("POST", "wait")

    def reset(self) -> None:
        """Begin again: empty lists, no faults, no record, the real time."""
        self._order("POST", "reset")

    def _order(self, method: str, name: str, body: dict[str, Any] | None = None) -> Any:
        reply = self._request(method, f"{self.url}/_sandbox/{name}", body, {})
        if reply.status != 200:
            raise SandboxError(str(reply.json.get("error")))
        return reply.json

    @staticmethod
    def _request(method: str, url: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Reply:
        data = json.dumps(body).encode() if body is not None else b"" if method == "POST" else None
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return _reply(response.status, response)
        except urllib.error.HTTPError as error:
            with error:
                return _reply(error.code, error)
        except urllib.error.URLError as error:
            raise NoSandboxError(f"no sandbox answers at {url}: {error.reason}") from None


class SandboxDriver(SandboxClient):
    """A sandbox in a process of its own; it ends with a `with` block, by `close`, or with this process.

    `url` is where clients under test find it, `direct` the server itself, without faults and record.
    """

    def __init__(self, config: str | Path | None = None) -> None:
        command = [sys.executable, "-m", "ocsgw", "sandbox", "--json", "--until-eof"]
        if config is not None:
            command += ["--config", str(config)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        lines = iter(self._process.stdout or ())
        line = next((each for each in lines if each.startswith("{")), None)
        if line is None:
            raise SandboxError(f"the sandbox ended with status {self._process.wait()}; its messages say why")
        described = json.loads(line)
        super().__init__(described["url"])
        self.direct: str = described["direct"]
        self.pid: int = described["pid"]

    def __enter__(self) -> "SandboxDriver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(_START_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _reply(status: int, response: Any) -> Reply:
    text = response.read()
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(status, headers, json.loads(text) if text else {})
