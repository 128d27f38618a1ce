"""What access control costs the parent: requests without permission, and the audit log."""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from benchmarks.runner import CONFIG
from ocsgw.audit.file import AuditFile
from ocsgw.audit.recorder import Auditor
from ocsgw.catalog import directory_of
from ocsgw.config import parse
from ocsgw.contact.directory import Directory
from ocsgw.execution.committer import Committer
from ocsgw.ocs.dispatch import Dispatcher, DispatchOptions
from ocsgw.protocol.context import ANONYMOUS, RequestContext
from ocsgw.protocol.messages import KV, Event, Request
from ocsgw.store.sqlite.engine import SQLiteEngine
from tests.support.reports import unreported

_PRINCIPAL = """
[[api_key]]
name = "crm"
key_file = "key"
actions = ["AddRecord", "RequestRecordCancel", "RecordProcessed", "PreviewRecordRequest"]
tenants = ["Other"]
[[tenant]]
dbid = 2
name = "Other"
[[tenant]]
dbid = 1
name = "Environment"
"""
_REFUSED: dict[str, KV] = {
    "an action": {"GSW_AGENT_REQ_TYPE": "DoNotCall", "GSW_PHONE": "6505550100"},
    "AddRecord to a list": {"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": "CL_Test", "GSW_PHONE": "1"},
    "PreviewRecordRequest": {"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest", "GSW_CAMPAIGN_GROUP_DBID": 102},
    "RecordProcessed by handle": {"GSW_AGENT_REQ_TYPE": "RecordProcessed", "GSW_RECORD_HANDLE": 1},
    "RequestRecordCancel of a tenant": {
        "GSW_AGENT_REQ_TYPE": "RequestRecordCancel",
        "GSW_PHONE": "6505550100",
        "GSW_TENANT_DBID": 1,
    },
}
_LIMIT = 1000.0
_BATCH = 256


class _InlineWorker:
    """Runs everything at once: processor time is then that of the whole parent."""

    is_idle = is_wanted = False

    def run(self, function: Callable[[], Any]) -> "Deferred[Any]":
        return maybeDeferred(function)

    def stop(self) -> None:
        """There is nothing to stop."""


class _Parent:
    """Dispatcher, committer and store of OCS, without a link."""

    def __init__(self, folder: Path, auditor: Auditor | None = None) -> None:
        (folder / "key").write_text("a key of the benchmark")
        (folder / "key").chmod(0o600)
        text = CONFIG.format(port=0, tls="", more="").replace(
            'table = "CL_Test"', 'table = "CL_Test"\ntenant = "Environment"'
        )
        text = text.replace('name = "Campaign1"\n', 'name = "Campaign1"\ntenant = "Environment"\n', 1)
        config = parse(text + _PRINCIPAL, folder / "ocsgw.toml")
        directory: Directory = directory_of(config, 134)
        self._store = SQLiteEngine(str(folder / "store.sqlite"), unreported)
        self._store.open(directory)
        self._clock = Clock()
        committer = Committer(self._store, _InlineWorker(), directory, self._clock, auditor=auditor)
        self._dispatcher = Dispatcher(committer, self._clock, DispatchOptions())
        self._events: list[Event] = []

    def carry_out(self, requests: Sequence[KV], principal: str | None = None) -> tuple[float, list[Event]]:
        """Return the processor time of a batch in seconds, and its events."""
        self._events = []
        context = RequestContext(principal or ANONYMOUS, peer="127.0.0.1")
        began = time.process_time()
        for at, data in enumerate(requests, 1):
            request = Request(ref=at, data=data, principal=principal, peer="127.0.0.1")
            self._dispatcher.handle(request, context, self._events.append)
        self._clock.advance(0)
        return time.process_time() - began, self._events

    def close(self) -> None:
        """Close the store."""
        self._store.close()


def report(rounds: int) -> None:
    """Print what requests without permission cost, and what the audit log adds to AddRecord."""
    folder = Path(tempfile.mkdtemp(prefix="ocsgw-bench-"))
    try:
        _report_refusals(folder / "refusals", rounds)
        _report_audit(folder / "audit", rounds)
    finally:
        shutil.rmtree(folder)


def _report_refusals(folder: Path, rounds: int) -> None:
    folder.mkdir()
    parent = _Parent(folder)
    parent.carry_out([{"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": "CL_Test", "GSW_PHONE": "6505550100"}])
    parent.carry_out([{"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest", "GSW_CAMPAIGN_GROUP_DBID": 102}])
    for name, data in _REFUSED.items():
        times = []
        for _ in range(100 * rounds):
            seconds, events = parent.carry_out([dict(data)], "crm")
            if [event.code for event in events] != ["forbidden"]:
                raise RuntimeError(f"{name} was not refused: {events}")
            times.append(seconds * 1e6)
        middle, high = statistics.median(times), statistics.quantiles(times, n=100)[98]
        verdict = "" if middle <= _LIMIT else f"  MORE THAN {_LIMIT:.0f}"
        print(f"403 for {name:40} {middle:6.0f} us of the parent, p99 {high:6.0f} us{verdict}")
    parent.close()


def _report_audit(folder: Path, rounds: int) -> None:
    """Batches with and without the log take turns, so that both have the same machine."""
    parents = []
    for name in ("plain", "audited"):
        (folder / name).mkdir(parents=True)
        auditor = None
        if name == "audited":
            auditor = Auditor(AuditFile(os.path.join(folder, "audit.jsonl")), time.time, clear=False)
            auditor.open()
        parents.append(_Parent(folder / name, auditor))
    data: KV = {"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": "CL_Test", "GSW_PHONE": "6505550100"}
    data |= {"CustomerID": "C-123456", "Disposition": "left message", "Remarks": "call again soon", "Segment": "P"}
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(20 * rounds):
        for parent, taken in zip(parents, times, strict=True):
            seconds, events = parent.carry_out([dict(data) for _ in range(_BATCH)])
            if any(event.code for event in events):
                raise RuntimeError("AddRecord was refused")
            taken.append(seconds * 1e6 / _BATCH)
    plain, audited = (statistics.median(each) for each in times)
    added = statistics.median(ours - theirs for theirs, ours in zip(*times, strict=True))
    print(f"AddRecord in the parent without, with the audit log {plain:6.1f}, {audited:.1f} us each: {added:+.1f} us")
    for parent in parents:
        parent.close()
