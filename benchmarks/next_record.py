"""How long PreviewRecordRequest takes with a short and with a long list, and whether it grows (http.md 10.8).

The requests go straight to the rules on the real store, each in a transaction of its own, on both lists in turn.
"""

import os
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from zoneinfo import ZoneInfo

from ocsgw.contact.batch import execute
from ocsgw.contact.directory import CallingList, Campaign, CampaignGroup, Directory, Field, Tenant, TimeZone
from ocsgw.contact.opening import prepare
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork
from ocsgw.execution.guids import random_guid
from ocsgw.protocol.requests import request_named
from ocsgw.store.sqlite.engine import SQLiteEngine
from tests.support.reports import unreported

SHORT, LONG = 10_000, 1_000_000
_REQUESTS = 200
_MOST_GROWTH = 1.5
_UTC = TimeZone(101, "GMT", ZoneInfo("Etc/UTC"))

# What records are: expressions for FROM, UNTIL, schedule and type by the number of the record. In the last three
# kinds of list one of twenty may be handed out.
SCENARIOS = {
    "all ready": ("0", "86399", "0", "2"),
    "most outside their daily window": (
        "CASE WHEN n % 20 THEN {first} + n % 97 ELSE 0 END",
        "CASE WHEN n % 20 THEN {first} + 300 ELSE 86399 END",
        "0",
        "2",
    ),
    "most scheduled for later": ("0", "86399", "CASE WHEN n % 20 THEN {later} + n ELSE 0 END", "2"),
    "most do-not-call": ("0", "86399", "0", "CASE WHEN n % 20 THEN 7 ELSE 2 END"),
}


def directory_of(dbid: int, name: str) -> Directory:
    """Return a configuration with one calling list, which a started campaign group uses."""
    tenant = Tenant(1, "Environment", _UTC)
    customer_id = Field("cust_id", "varchar", 64, None, "CustomerID")
    calling_list = CallingList.of(dbid, name, name, tenant, (customer_id,), customer_id="cust_id")
    campaign = Campaign(dbid + 100, "Campaign", tenant, (calling_list,))
    return Directory(
        application_dbid=1,
        tenants=(tenant,),
        zones=(_UTC,),
        calling_lists=(calling_list,),
        campaigns=(campaign,),
        groups=(CampaignGroup(102, "Campaign@Group", campaign, "Group", state="started"),),
    )


class _List:
    """A store with one list of so many records."""

    def __init__(self, folder: str, count: int, scenario: tuple[str, str, str, str]) -> None:
        self._directory = directory_of(201, "CL")
        file = os.path.join(folder, f"{count}.sqlite")
        self._store = SQLiteEngine(file, unreported)
        self._store.open(self._directory)
        now = int(time.time())
        # Windows that are closed begin in about six hours.
        values = [each.format(first=(now + 21600) % 86000, later=now + 86400) for each in scenario]
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(
                "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?) INSERT INTO CL (record_id,"
                " contact_info, contact_info_type, record_type, record_status, call_result, attempt, dial_sched_time,"
                " call_time, daily_from, daily_till, tz_dbid, campaign_id, chain_id, chain_n, cust_id)"
                f" SELECT n, 6500000000 + n, 0, {values[3]}, 1, 28, 0, {values[2]}, (n * 7919) % 1000003, {values[0]},"
                f" {values[1]}, 101, 301, n, 0, n FROM n",
                (count,),
            )
        self._transact(prepare)

    def _transact(self, function: Callable[[UnitOfWork], object]) -> None:
        with self._store.transaction(1.0) as tx:
            function(UnitOfWork(tx, int(time.time()), self._directory, random_guid))

    def pull(self) -> float:
        """Return how many seconds one request takes."""
        pending = PendingRequest(
            request_named("PreviewRecordRequest"),
            {"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest", "GSW_CAMPAIGN_GROUP_DBID": 102},
        )

        def request(turn: UnitOfWork) -> None:
            (outcome,) = execute(turn, [pending], _raise)
            if not isinstance(outcome.reply, dict) or outcome.reply["GSW_USER_EVENT"] != "PreviewRecord":
                raise RuntimeError(f"no record was handed out: {outcome.reply}")

        began = time.perf_counter()
        self._transact(request)
        return time.perf_counter() - began

    def close(self) -> None:
        """Close the store."""
        self._store.close()


def _raise(pending: PendingRequest, error: Exception) -> None:
    raise error


def report(count: int = LONG) -> None:
    """Print a line for each kind of list: times at 10,000 and at `count` records, their ratio, and the verdict."""
    print(f"PreviewRecordRequest, ms (median of {_REQUESTS}) {SHORT:>12,} {count:>12,}  ratio")
    for name, scenario in SCENARIOS.items():
        folder = tempfile.mkdtemp(prefix="ocsgw-next-")
        try:
            lists = [_List(folder, each, scenario) for each in (SHORT, count)]
            for each in lists:
                each.pull()
            times: list[list[float]] = [[], []]
            for _ in range(_REQUESTS):
                for at, each in enumerate(lists):
                    times[at].append(each.pull() * 1000)
            for each in lists:
                each.close()
        finally:
            shutil.rmtree(folder)
        short, long = map(statistics.median, times)
        verdict = "not more than 1.5" if long <= _MOST_GROWTH * short else "MORE THAN 1.5"
        print(f"{name:44} {short:9.2f} {long:12.2f} {long / short:6.2f}  {verdict}")
