"""The rules at work on a store of their own: a directory, a file, a clock that stands still, ids that count up.

The directory is that of the complete example (configuration.md section 2), with more where a test asks for it.
"""

import atexit
import itertools
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

from ocsgw.access.permissions import Permissions
from ocsgw.contact.backlog import Backlog
from ocsgw.contact.batch import Outcome, execute
from ocsgw.contact.directory import (
    CallingList,
    Campaign,
    CampaignGroup,
    Directory,
    Field,
    Tenant,
    TimeZone,
)
from ocsgw.contact.opening import expire, prepare
from ocsgw.contact.transaction import Transaction
from ocsgw.contact.unit_of_work import Continuation, PendingRequest, Reply, Unfinished, UnitOfWork, final_event
from ocsgw.protocol.context import RequestContext
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV, KVValue
from ocsgw.protocol.requests import REQUESTS, RequestType
from ocsgw.store.errors import RunFailedError
from ocsgw.store.sqlite.engine import SQLiteEngine
from tests.support.case import ClockTestCase
from tests.support.remembered import demand_what_is_stored
from tests.support.reports import Reports, unreported

T = TypeVar("T")

# 2026-09-21 14:13:20 UTC, a Monday.
NOW = 1_790_000_000
BASE_URI = "http://ocs.example:8080"
GROUP, SECOND_GROUP = 102, 112

ZONES = (
    TimeZone(101, "GMT", ZoneInfo("Etc/UTC")),
    TimeZone(1002, "UTC", ZoneInfo("Etc/UTC")),
    TimeZone(1003, "CET", ZoneInfo("Europe/Paris")),
    TimeZone(1004, "EET", ZoneInfo("Europe/Helsinki")),
    TimeZone(1005, "MSK", ZoneInfo("Europe/Moscow")),
    TimeZone(1006, "EST", ZoneInfo("America/New_York")),
    TimeZone(1007, "CST", ZoneInfo("America/Chicago")),
    TimeZone(1008, "MST", ZoneInfo("America/Denver")),
    TimeZone(102, "PST", ZoneInfo("America/Los_Angeles")),
    TimeZone(1010, "JST", ZoneInfo("Asia/Tokyo")),
    TimeZone(1011, "IST", ZoneInfo("Asia/Kolkata")),
    TimeZone(1012, "AEST", ZoneInfo("Australia/Sydney")),
)
_GMT, _PST = ZONES[0], ZONES[8]
ENVIRONMENT = Tenant(1, "Environment", _GMT)

_TEST_FIELDS = (
    Field("cust_id", "varchar", 64, None, "CustomerID"),
    Field("disposition", "varchar", 64, None, "Disposition"),
    Field("segment", "varchar", 32, None, "Segment"),
    Field("remarks", "varchar", 255, None, "Remarks"),
)
_CALLBACK_FIELDS = (
    Field("state", "varchar", 16, None, "STATE"),
    Field("last_name", "varchar", 64, None, "CONTACT_LAST_NAME"),
    Field("first_name", "varchar", 64, None, "CONTACT_FST_NAME"),
    Field("client_id", "varchar", 32, None, "client-id"),
    Field("var_005", "varchar", 32, None, "VAR_005"),
)
# A field of every type, one with a default and one that does not travel.
TYPED_FIELDS = (
    Field("cust_id", "int", None, None, "CustomerID"),
    Field("amount", "float", None, None, "Amount"),
    Field("code", "char", 4, None, "Code"),
    Field("label", "varchar", 10, None, "Label"),
    Field("due", "datetime", None, None, "Due"),
    Field("level", "int", None, 3, "Level"),
    Field("hidden", "varchar", 10, "secret", None),
)


def make_directory(
    *,
    second_tenant: bool = False,
    typed_list: bool = False,
    lists: Sequence[CallingList] = (),
    state: str = "started",
    record_timeout: float = 600.0,
    principals: Mapping[str, Permissions | frozenset[str]] | None = None,
    **options: Any,
) -> Directory:
    """Return the directory of the example.

    With `second_tenant` tenant 2 has list 211 `CL_Second`, campaign 311 and group 112; with `typed_list` campaign
    `Campaign1` has list 204 `CL_Types` too. `lists` are added to `Campaign1`. `principals` have
    their permissions, or only the tenants that they may touch. `options` are those of `Directory`.
    """
    environment = ENVIRONMENT
    test = CallingList.of(201, "CL_Test", "CL_Test", environment, _TEST_FIELDS, customer_id="cust_id")
    callback = CallingList.of(202, "CL_CALLBACK", "CL_CALLBACK", environment, _CALLBACK_FIELDS, customer_id="cust_id")
    summer = CallingList.of(
        203, "Liste été", "liste_ete", environment, (Field("nom", "varchar", 64, None, "nom"),), customer_id="cust_id"
    )
    of_campaign = [test, callback]
    if typed_list:
        of_campaign.append(
            CallingList.of(204, "CL_Types", "CL_Types", environment, TYPED_FIELDS, customer_id="cust_id")
        )
    of_campaign += lists
    campaigns = [
        Campaign(301, "Campaign1", environment, tuple(of_campaign), "Example campaign"),
        Campaign(302, "Campagne", environment, (summer,)),
    ]
    groups = [make_group(GROUP, campaigns[0], "Group1", state=state, record_timeout=record_timeout)]
    tenants, all_lists = [environment], [*of_campaign, summer]
    if second_tenant:
        second = Tenant(2, "Second", _PST)
        theirs = CallingList.of(211, "CL_Second", "CL_Second", second, _TEST_FIELDS, customer_id="cust_id")
        tenants.append(second)
        all_lists.append(theirs)
        campaigns.append(Campaign(311, "Campaign2", second, (theirs,)))
        groups.append(make_group(SECOND_GROUP, campaigns[-1], "Group2", state=state, record_timeout=record_timeout))
    values: dict[str, Any] = {
        "application_dbid": 134,
        "tenants": tuple(tenants),
        "zones": ZONES,
        "calling_lists": tuple(all_lists),
        "campaigns": tuple(campaigns),
        "groups": tuple(groups),
        "principals": {
            name: each if isinstance(each, Permissions) else Permissions(tenants=each)
            for name, each in (principals or {}).items()
        },
    }
    return Directory(**{**values, **options})


def make_group(dbid: int, campaign: Campaign, group: str, **values: Any) -> CampaignGroup:
    """Return a campaign group with the usual name."""
    return CampaignGroup(dbid, f"{campaign.name}@{group}", campaign, group, **values)


def make_list(dbid: int, name: str, *fields: Field, **values: Any) -> CallingList:
    """Return one more list of the first tenant; its table has its name."""
    return CallingList.of(dbid, name, name, ENVIRONMENT, fields, customer_id="cust_id", **values)


class RuleStore:
    """A store in a file of its own, with the time and the ids of one test."""

    def __init__(self, directory: Directory, file: str, **options: bool) -> None:
        self.directory = directory
        self.file = file
        self.now = NOW
        self.reports = Reports()
        self.defects: list[Exception] = []
        self.freed: dict[str, int] = {}
        self.unit: UnitOfWork | None = None
        self.further = 0
        # What somebody outside says to the question of a rule.
        self.answer: Callable[[object], object] = lambda question: None
        self.backlog = Backlog()
        # How many questions a URI takes.
        self.question_room: Callable[[str], int] = lambda uri: sys.maxsize
        # Distinguishes this server from others that serve the store; empty without any.
        self.origin = ""
        # Whether others wait for the end of a transaction.
        self.is_awaited: Callable[[], bool] = lambda: False
        self._options = options
        self._guids = itertools.count(1)
        self._open()

    def _open(self) -> None:
        self.store = SQLiteEngine(
            self.file,
            self.reports,
            create=self._options.get("create", True),
            create_indexes=self._options.get("create_indexes", True),
        )
        self.store.open(self.directory)
        # Nothing here has to survive a loss of power.
        self.store._needed().change("PRAGMA synchronous = OFF")
        self.freed = self.chore(prepare)

    def close(self) -> None:
        """Close the file."""
        self.store.close()

    def restart(self, directory: Directory | None = None) -> None:
        """Close the store and open it again, as another process would."""
        self.store.close()
        self.directory = directory or self.directory
        self._open()

    def reload(self, directory: Directory) -> None:
        """Use another configuration while running."""
        self.store.use(directory)
        self.directory = directory
        self.freed = self.chore(prepare)

    def _guid(self) -> str:
        return f"GUID{next(self._guids):028d}"

    def _unit(self, tx: Any) -> UnitOfWork:
        return UnitOfWork(
            tx,
            self.now,
            self.directory,
            self._guid,
            self.backlog,
            question_room=self.question_room,
            origin=self.origin,
            is_awaited=self.is_awaited,
        )

    def chore(self, function: Callable[[UnitOfWork], T | Unfinished[T]]) -> T:
        """Return the result of `function`, called in a transaction, or in several."""
        with self.store.transaction(1.0) as tx:
            unit = self._unit(tx)
            result = function(unit)
            unit.store_outbox()
        unit.committed()
        if isinstance(result, Unfinished):
            self.further += 1
            return cast("T", self.chore(result.function))
        return result

    def execute(self, requests: Sequence[PendingRequest]) -> list[Outcome]:
        """Carry out a batch in one transaction; its unit of work is kept in `unit`.

        Requests whose answer is pending go on in further transactions, whose number is added to `further`.
        """
        try:
            outcomes = self._execute(requests, spare_savepoints=True)
        except RunFailedError:
            outcomes = self._execute(requests, spare_savepoints=False)
        self._check()
        for at, pending in enumerate(requests):
            reply = outcomes[at].reply
            if isinstance(reply, Continuation):
                self.further += 1
                pending.resume = _resumption(reply, self.answer(reply.question))
                (outcomes[at],) = self.execute([pending])
        return outcomes

    def _execute(self, requests: Sequence[PendingRequest], *, spare_savepoints: bool) -> list[Outcome]:
        with self._transaction(requests) as tx:
            if spare_savepoints:
                tx.spare_savepoints()
            self.unit = self._unit(tx)
            outcomes = execute(self.unit, requests, lambda pending, error: self.defects.append(error))
            self.unit.store_outbox()
        self.unit.committed()
        return outcomes

    def _check(self) -> None:
        if isinstance(self.store, SQLiteEngine):
            demand_what_is_stored(self.store)

    def _transaction(self, requests: Sequence[PendingRequest]) -> AbstractContextManager[Transaction]:
        return self.store.transaction(1.0)

    def expire(self) -> int:
        """End the hand-outs whose time is over."""
        return self.chore(lambda unit: expire(unit, 500))

    def sql(self, text: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement as another program would, on a connection of its own."""
        with closing(sqlite3.connect(self.file, isolation_level=None, timeout=5)) as connection:
            return connection.execute(text, parameters).fetchall()

    def rows(self, table: str, order: str = "rowid") -> list[dict[str, Any]]:
        """Return the rows of a table as another program sees them."""
        with closing(sqlite3.connect(self.file, isolation_level=None, timeout=5)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(f'SELECT * FROM "{table}" ORDER BY {order}')]


_templates: dict[object, str] = {}


@cache
def _folder_of_templates() -> str:
    folder = tempfile.mkdtemp(prefix="ocsgw-templates-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def make_store(directory: Directory, *, tables: Sequence[str] | None = None, **options: bool) -> RuleStore:
    """Return a store in a new folder; the caller closes it with `remove_store`.

    The tables of a directory are made once per process and copied: that is much cheaper than to create them. With
    `tables` these statements make those that another product has left, and opening the store makes the rest.
    """
    file = os.path.join(tempfile.mkdtemp(prefix="ocsgw-rules-"), "store.sqlite")
    shutil.copyfile(_template(directory if tables is None else None, options), file)
    if tables is not None:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            for statement in ("DROP TABLE gsw_donotcall_list", *tables):
                connection.execute(statement)
    return RuleStore(directory, file, **options)


def _template(directory: Directory | None, options: Mapping[str, bool]) -> str:
    directory = directory or make_directory(calling_lists=(), campaigns=(), groups=())
    tables = [(each.table, each.customer_at, *map(str, each.fields)) for each in directory.calling_lists]
    shape = (*options.items(), directory.do_not_call.table, *tables)
    path = _templates.get(shape)
    if path is None:
        path = _templates[shape] = os.path.join(_folder_of_templates(), f"{len(_templates)}.sqlite")
        store = SQLiteEngine(path, unreported, create_indexes=options.get("create_indexes", True))
        store.open(directory)
        # All of it into the file itself.
        store._needed().rows("PRAGMA wal_checkpoint(TRUNCATE)")
        store.close()
    return path


def remove_store(store: RuleStore) -> None:
    """Close a store and remove its folder."""
    store.close()
    shutil.rmtree(os.path.dirname(store.file))


class RuleTestCase(ClockTestCase):
    """A test of rules on `self.store`; its directory is that of `make_directory`, or what `use_directory` is given."""

    def setUp(self) -> None:
        super().setUp()
        self.use_directory(self.make_directory())

    def make_directory(self) -> Directory:
        """Return the directory of all tests of a class."""
        return make_directory()

    def use_directory(self, directory: Directory, *, tables: Sequence[str] | None = None, **options: bool) -> None:
        """Begin anew with another directory; `tables` as in `make_store`."""
        self.store = make_store(directory, tables=tables, **options)
        self.addCleanup(remove_store, self.store)
        self.addCleanup(self._assert_no_defects, self.store)

    def _assert_no_defects(self, store: RuleStore) -> None:
        self.assertEqual(store.defects, [])

    @property
    def directory(self) -> Directory:
        """The directory in use."""
        return self.store.directory

    @property
    def now(self) -> int:
        """The time of the rules."""
        return self.store.now

    def pass_time(self, seconds: int) -> None:
        """Let time pass, and end what it ends."""
        self.store.now += seconds
        self.store.expire()

    # Requests.

    def outcomes(self, *requests: KV | PendingRequest) -> list[Outcome]:
        """Carry out requests in one batch."""
        return self.store.execute([each if isinstance(each, PendingRequest) else pending(each) for each in requests])

    def replies(self, *requests: KV | PendingRequest) -> list[KV]:
        """Return the events of requests in one batch; the key `error` stands for the code of a refusal."""
        return [
            {"error": each.reply.code} if isinstance(each.reply, Refusal) else event_of(each)
            for each in self.outcomes(*requests)
        ]

    def reply(self, request: KV | PendingRequest) -> KV:
        """Return the event of a request that succeeds."""
        (outcome,) = self.outcomes(request)
        if isinstance(outcome.reply, Refusal):
            self.fail(f"refused with {outcome.reply.code}: {outcome.reply.text}")
        return event_of(outcome)

    def refusal(self, request: KV | PendingRequest) -> str:
        """Return code and text of the refusal of a request."""
        (outcome,) = self.outcomes(request)
        if not isinstance(outcome.reply, Refusal):
            self.fail(f"not refused: {outcome.reply}")
        return f"{outcome.reply.status} {outcome.reply.text}"

    def add(self, phone: str = "6505550100", calling_list: str = "CL_Test", /, **keys: Any) -> KV:
        """Add a record and return the acknowledgement."""
        return self.reply(add_record(phone, calling_list, **keys))

    def preview(self, group: int = GROUP, /, **keys: Any) -> KV:
        """Return the event of a PreviewRecordRequest."""
        return self.reply(preview_record(group, **keys))

    def hand_out(self, *phones: str, **keys: Any) -> int:
        """Add a chain of these phones to CL_Test, hand it out, and return the handle of its first record."""
        chain = self.add(phones[0], **keys)["GSW_CHAIN_ID"]
        for phone in phones[1:]:
            self.add(phone, GSW_CHAIN_ID=chain)
        event = self.preview()
        self.assertEqual((event["GSW_USER_EVENT"], event["GSW_CHAIN_ID"]), ("PreviewRecord", chain))
        handle = event["GSW_RECORD_HANDLE"]
        assert isinstance(handle, int)
        return handle

    # Tables.

    def rows(self, table: str = "CL_Test", *columns: str) -> list[dict[str, Any]]:
        """Return the rows of a table, or some of their columns."""
        rows = self.store.rows(table)
        return [{column: row[column] for column in columns} for row in rows] if columns else rows

    def column(self, column: str, table: str = "CL_Test") -> list[Any]:
        """Return a column of a calling list by chains."""
        return [row[column] for row in self.store.rows(table, "chain_id, chain_n, rowid")]

    def row(self, record_id: int, table: str = "CL_Test") -> dict[str, Any]:
        """Return one record."""
        (row,) = [row for row in self.store.rows(table) if row["record_id"] == record_id]
        return row


def _resumption(continuation: Continuation, answer: object) -> Callable[[UnitOfWork], Reply]:
    return lambda unit: continuation.resume(unit, answer)


def event_of(outcome: Outcome) -> KV:
    """Return the event that ends a request that was not refused."""
    event = final_event(outcome.reply)
    assert event is not None, outcome
    return event


def pending(data: KV, **values: Any) -> PendingRequest:
    """Return a request as it comes from an HTTP listener, or from whom `values` say."""
    own = {name: values.pop(name) for name in ("key", "keep_for", "fingerprint", "request_id") if name in values}
    request = REQUESTS.get(str(data.get("GSW_AGENT_REQ_TYPE")), RequestType("unknown", ()))
    return PendingRequest(request, data, RequestContext(**{"base_uri": BASE_URI, **values}), **own)


def add_record(phone: str = "6505550100", calling_list: str = "CL_Test", /, **keys: Any) -> KV:
    """Return the key-values of an AddRecord."""
    return {"GSW_AGENT_REQ_TYPE": "AddRecord", "GSW_CALLING_LIST": calling_list, "GSW_PHONE": phone, **keys}


def preview_record(group: int = GROUP, /, **keys: Any) -> KV:
    """Return the key-values of a PreviewRecordRequest."""
    return {"GSW_AGENT_REQ_TYPE": "PreviewRecordRequest", "GSW_CAMPAIGN_GROUP_DBID": group, **keys}


def by_handle(request: str, handle: KVValue, /, **keys: Any) -> KV:
    """Return the key-values of a request by handle."""
    return {"GSW_AGENT_REQ_TYPE": request, "GSW_RECORD_HANDLE": handle, **keys}


def by_phone(request: str, phone: str, /, **keys: Any) -> KV:
    """Return the key-values of a request by phone."""
    return {"GSW_AGENT_REQ_TYPE": request, "GSW_PHONE": phone, **keys}


def by_customer_id(request: str, customer_id: str, /, **keys: Any) -> KV:
    """Return the key-values of a request by customer id."""
    return {"GSW_AGENT_REQ_TYPE": request, "GSW_CUSTOMER_ID": customer_id, **keys}


def of_group(request: str, group: int = GROUP, /, **keys: Any) -> KV:
    """Return the key-values of a request for a campaign group."""
    return {"GSW_AGENT_REQ_TYPE": request, "GSW_CAMPAIGN_GROUP_DBID": group, **keys}


def epoch(text: str, zone: str = "Etc/UTC", fold: int = 0) -> int:
    """Return the time that a text `YYYY-MM-DD HH:MM:SS` names in a zone; `fold` tells the second of two apart."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp())
