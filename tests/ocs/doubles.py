"""Stand-ins for the parts of OCS around the one under test."""

from typing import Any

from ocsgw.execution.jobs import Job
from ocsgw.ocs.dispatch import Dispatcher, DispatchOptions, Home, Reply
from ocsgw.ocs.link import Identity
from ocsgw.protocol.context import RequestContext
from ocsgw.protocol.messages import Request, WireLimits


def make_identity(**changes: Any) -> Identity:
    """Return an identity with small limits."""
    values: dict[str, Any] = {
        "application": "OCS",
        "application_id": 134,
        "limits": WireLimits(frame=4096, in_flight=3, heartbeat_ms=3000),
        "send_buffer": 1 << 20,
        "frame_timeout": 30.0,
    }
    return Identity(**{**values, **changes})


class FakeDispatcher(Dispatcher):
    """Keeps requests; the test replies."""

    def __init__(self) -> None:
        self.handled: list[tuple[Request, RequestContext, Reply]] = []
        # Refs of requests on which it raises.
        self.failing: set[int] = set()
        self.available = True
        self.options = DispatchOptions()

    def handle(self, request: Request, context: RequestContext, reply: Reply) -> None:
        if request.ref in self.failing:
            raise ZeroDivisionError
        self.handled.append((request, context, reply))

    def handle_together(self, requests: list[Request], at: int, context: RequestContext, home: Home) -> int:
        return 0


class FakeCommitter:
    """Keeps jobs; the test delivers."""

    def __init__(self, directory: Any = None) -> None:
        self.jobs: list[Job] = []
        self.directory = directory

    def submit(self, job: Job) -> None:
        self.jobs.append(job)

    def submit_all(self, jobs: list[Job]) -> None:
        self.jobs += jobs
