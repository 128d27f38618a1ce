"""What `ocsctl` may ask a running OCS, and how it is answered."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

import msgspec
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from ocsgw import counters
from ocsgw.contact.directory import CampaignGroup, Directory
from ocsgw.contact.transaction import GroupStatus, StoreFailureError
from ocsgw.contact.unit_of_work import Unfinished, UnitOfWork
from ocsgw.control.errors import ControlError
from ocsgw.control.health import health_of
from ocsgw.control.server import Command
from ocsgw.operations.steps import BRIEF, OperationError, carry_out
from ocsgw.protocol.context import RequestContext
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.key_values import checked
from ocsgw.protocol.messages import KV, Event, Request
from ocsgw.protocol.requests import HTTP_REQUESTS, IDENTIFIER_KEYS, REQUESTS, request_named
from ocsgw.store.errors import CommitUnknownError

T = TypeVar("T")

# Order of `ocsctl campaign` -> request of the Third Party protocol (protocol.md section 3.4).
_ORDERS = {
    "load": "LoadCampaign",
    "start": "StartDialing",
    "stop": "StopDialing",
    "unload": "UnloadCampaign",
    "force-unload": "ForceUnloadCampaign",
}


class RefusedRequest(Protocol):
    """A request that OCS has refused."""

    @property
    def number(self) -> int:
        """Counts the refusals since the start."""

    @property
    def at(self) -> float:
        """When it was, in seconds since 1970 UTC."""

    @property
    def request(self) -> str:
        """Name of the request."""

    @property
    def text(self) -> str:
        """Why, in words."""

    @property
    def contact(self) -> str | None:
        """The contact that it was about, if it names one."""


class Controlled(Protocol):
    """The running OCS, as commands see it."""

    def directory(self) -> Directory:
        """Return what is configured now."""

    def chore(self, function: Callable[[UnitOfWork], T], *, is_brief: bool = False) -> "Deferred[T]":
        """Carry out a function in a transaction between batches; one that `is_brief` takes no longer than a batch.

        Raises `ControlError` while the store is not open, and where this server is the backup.
        """

    def handle(self, request: Request, context: RequestContext, reply: Callable[[Event], None]) -> None:
        """Carry out a request; `reply` takes its events, of which the last one is final. Raises like `chore`."""

    def status(self) -> dict[str, Any]:
        """Return what is known without the store (docs/operations.md, `ocsctl status --json`)."""

    def reload(self) -> "Deferred[dict[str, Any]]":
        """Read the configuration again; fires with what is left to do. Fails with `ControlError`."""

    def try_validation(self, uri: str) -> "Deferred[dict[str, Any]]":
        """Ask a validation server about an example record; fires with what it has said."""

    def restart_proxies(self, listener: str | None) -> "Deferred[list[dict[str, Any]]]":
        """Replace the HTTP Proxies of a listener, or of all. Fails with `ControlError`."""

    def configuration(self) -> Sequence[tuple[str, str]]:
        """Return every key of the configuration in force with its value in words; secrets are not shown."""

    def principals(self) -> list[dict[str, Any]]:
        """Return what vouches for whom: `name` of the principal, `by` in words, `expires` in seconds since 1970 UTC.

        `listeners`, `actions`, `tenants`, `calling_lists` and `campaign_groups` are names, None for all.
        """

    def refusals(self) -> Sequence[RefusedRequest]:
        """Return the last refusals, the newest first."""

    def log_lines(self) -> list[str]:
        """Return the last lines of the log, the oldest first."""

    def lines_logged(self) -> int:
        """Return how many lines the log has got since the start."""

    def switch_over(self) -> "Deferred[dict[str, Any]]":
        """Let the other server of the pair take over; fires with the name of the new `primary`.

        Fails with `ControlError`.
        """


# Who may use the control socket may do everything.
OPERATOR = RequestContext(client="third_party", peer="ocsctl")


def commands_of(ocs: Controlled, context: RequestContext = OPERATOR) -> Mapping[str, Command]:
    """Return the commands by name; `context` is who gives them, for the audit log and the limits of a principal."""
    controller = _Controller(ocs, context)
    return {
        "status": Command(controller.status, "the store"),
        "counters": Command(controller.counters, "the server"),
        "campaign": Command(controller.campaign, "the store to take the order"),
        "request": Command(controller.request, "the store to take the request"),
        "configuration": Command(controller.configuration, "the server"),
        "principals": Command(controller.principals, "the server"),
        "refusals": Command(controller.refusals, "the server"),
        "log": Command(controller.log, "the server"),
        "block": Command(controller.block, "the store to take the entry"),
        "reload": Command(controller.reload, "the configuration to be read and its tables to be opened"),
        "operation": Command(controller.operation, "the store, which may be held by another program"),
        "switchover": Command(controller.switch_over, "requests to be answered, and the other server to take over"),
        "validate-test": Command(controller.try_validation, "the validation server"),
        "proxy restart": Command(controller.restart_proxies, "the new HTTP Proxies to open their ports"),
    }


class _Controller:
    def __init__(self, ocs: Controlled, context: RequestContext) -> None:
        self._ocs = ocs
        self._context = context

    def status(self, arguments: dict[str, Any]) -> "Deferred[dict[str, Any]]":
        """Return version, state, health, proxies and campaign groups; without the store as much as is known."""
        head = self._ocs.status()

        def read(unit: UnitOfWork) -> dict[int, GroupStatus]:
            return unit.tx.group_statuses()

        def show(statuses: dict[int, GroupStatus]) -> dict[str, Any]:
            # What a backup would show is not how they are.
            known = self._ocs.directory().groups if head["role"] == "primary" else ()
            groups = [_group(each, statuses) for each in known]
            health = health_of(head)
            return {**head, "groups": groups, "health": health.word, "problems": health.problems}

        def show_failure(reason: Failure) -> dict[str, Any]:
            reason.trap(StoreFailureError, CommitUnknownError, ControlError)
            # Of a backup nothing is known but what is in the head.
            if head["store"]["state"] == "open" and head["role"] == "primary":
                head["store"] = {"state": "failing", "reason": reason.getErrorMessage()}
            return show({})

        try:
            reading = self._ocs.chore(read)
        except ControlError:
            reading = fail(Failure())
        return reading.addCallbacks(show, show_failure)

    def counters(self, arguments: dict[str, Any]) -> list[tuple[str, dict[str, str], float]]:
        """Return every counter and gauge as (name, labels, value); of a histogram its sum and number of values."""
        found = [
            (metric.name, dict(zip(metric.labels, labels, strict=True)), value)
            for metric in counters.ALL
            for labels, value in metric.samples()
        ]
        for histogram in counters.HISTOGRAMS:
            for labels, each in histogram.samples():
                named = dict(zip(histogram.labels, labels, strict=True))
                found.append((f"{histogram.name}_sum", named, each.sum))
                found.append((f"{histogram.name}_count", named, float(sum(each.buckets))))
        return found

    def campaign(self, arguments: dict[str, Any]) -> "Deferred[dict[str, Any]]":
        """Load, start, stop or unload the group of a name, or the only group of a campaign."""
        order = _ORDERS.get(str(arguments.get("order")))
        if order is None:
            raise ControlError(f"unknown order; one of {', '.join(_ORDERS)}")
        group = group_for_operator(self._ocs.directory(), str(arguments.get("name")))
        return self._ask(order, {"GSW_CAMPAIGN_GROUP_DBID": group.dbid}).addCallback(_final)

    def block(self, arguments: dict[str, Any]) -> "Deferred[dict[str, Any]]":
        """Block a contact or a customer id, of one tenant if one is named (http.md section 10.7)."""
        given = {
            "GSW_PHONE": arguments.get("contact"),
            "GSW_CUSTOMER_ID": arguments.get("customer_id"),
            "GSW_TENANT_NAME": arguments.get("tenant"),
        }
        if bool(given["GSW_PHONE"]) == bool(given["GSW_CUSTOMER_ID"]):
            raise ControlError("name a contact or a customer id, not both")
        keys: KV = {key: str(value) for key, value in given.items() if value}
        return self._ask("DoNotCall", keys).addCallback(_final)

    def request(self, arguments: dict[str, Any]) -> "Deferred[dict[str, Any]]":
        """Carry out any request by its `name` with its `keys`, as a client would send it; fires with its `events`.

        What the HTTP interface has is carried out as over HTTP, what only the OCS protocol has as there. `replayed`
        says whether an `idempotency_key` has brought the answer of an earlier request.
        """

        def shown(events: list[Event]) -> dict[str, Any]:
            return {"events": [each.data for each in events], "replayed": events[-1].replayed}

        key = arguments.get("idempotency_key")
        given = arguments.get("keys")
        try:
            name = str(arguments.get("name"))
            known = HTTP_REQUESTS.get(name.lower()) or request_named(name)
            keys = checked(known, given if isinstance(given, dict) else {})
        except Refusal as refusal:
            raise ControlError(refusal.text) from None
        return self._ask(known.name, keys, str(key) if key is not None else None).addCallback(shown)

    def _ask(self, name: str, keys: KV, idempotency_key: str | None = None) -> "Deferred[list[Event]]":
        """Carry out a request; fires with its events. Fails with `ControlError` if it is refused."""
        done: Deferred[list[Event]] = Deferred()
        events: list[Event] = []

        def take(event: Event) -> None:
            if event.code is not None:
                done.errback(ControlError(_explained(name, event)))
                return
            events.append(event)
            if not event.more:
                done.callback(events)

        data: KV = {**keys, "GSW_AGENT_REQ_TYPE": name}
        over_http = any(IDENTIFIER_KEYS[each] in keys for each in REQUESTS[name].resources)
        context = msgspec.structs.replace(self._context, client="http_proxy") if over_http else self._context
        self._ocs.handle(Request(ref=1, data=data, idempotency_key=idempotency_key), context, take)
        return done

    def configuration(self, arguments: dict[str, Any]) -> Sequence[tuple[str, str]]:
        """Return every key in force with its value in words."""
        return self._ocs.configuration()

    def principals(self, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what vouches for whom, and what that allows."""
        return self._ocs.principals()

    def refusals(self, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the last refusals, the newest first."""
        return [
            {"number": each.number, "at": each.at, "request": each.request, "text": each.text, "contact": each.contact}
            for each in self._ocs.refusals()
        ]

    def log(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the last `lines` of the log, and how many there have been (`count`)."""
        return {"count": self._ocs.lines_logged(), "lines": self._ocs.log_lines()}

    def reload(self, arguments: dict[str, Any]) -> "Deferred[dict[str, Any]]":
        """Read the configuration again."""
        return self._ocs.reload()

    def restart_proxies(self, arguments: dict[str, Any]) -> "Deferred[list[dict[str, Any]]]":
        """Replace the proxies of a listener, or of all, without an interruption of service."""
        wanted = arguments.get("listener")
        return self._ocs.restart_proxies(str(wanted) if wanted is not None else None)

    def switch_over(self, arguments: dict[str, Any]) -> "Deferred[dict[str, Any]]":
        """Let the other server of the pair take over."""
        return self._ocs.switch_over()

    def try_validation(self, arguments: dict[str, Any]) -> "Deferred[dict[str, Any]]":
        """Ask a validation server about an example record."""
        return self._ocs.try_validation(str(arguments.get("uri")))

    def operation(self, arguments: dict[str, Any]) -> "Deferred[Any]":
        """Carry out one step of work on lists, between batches of requests."""
        name, given = str(arguments.get("name")), arguments.get("arguments")
        who = {"principal": self._context.principal, "address": self._context.peer}
        step = partial(_noted, who, lambda unit: carry_out(unit, name, given))
        return self._ocs.chore(step, is_brief=name in BRIEF).addErrback(_operation_failed)


def _noted(who: Mapping[str, str | None], function: Callable[[UnitOfWork], Any], unit: UnitOfWork) -> Any:
    """Call a function, and what it goes on with in further transactions, and note for whom."""
    result = function(unit)
    unit.notes[:] = [{**who, **note} for note in unit.notes]
    return Unfinished(partial(_noted, who, result.function)) if isinstance(result, Unfinished) else result


def _operation_failed(reason: Failure) -> Failure:
    if reason.check(OperationError):
        return Failure(ControlError(reason.getErrorMessage()))
    if reason.check(StoreFailureError):
        text = f"the store fails: {reason.getErrorMessage()}; nothing of this step was changed, try again"
        return Failure(ControlError(text))
    if reason.check(CommitUnknownError):
        return Failure(ControlError(f"this step may be stored or not: {reason.getErrorMessage()}; try again"))
    return reason


def group_for_operator(directory: Directory, name: str) -> CampaignGroup:
    """Return the group of this name or DBID, or the only one of the campaign of this name. Raises `ControlError`."""
    matches: tuple[Callable[[CampaignGroup], bool], ...] = (
        lambda each: each.name == name,
        lambda each: str(each.dbid) == name,
        lambda each: each.campaign.name == name,
    )
    for matches_name in matches:
        found = [each for each in directory.groups if matches_name(each)]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(each.name for each in found)
            raise ControlError(f"campaign {name} has several groups; name one of {names}")
    known = ", ".join(each.name for each in directory.groups) or "none"
    raise ControlError(f"there is no campaign group {name}; configured: {known}")


def _final(events: list[Event]) -> KV:
    return events[-1].data


def _explained(order: str, event: Event) -> str:
    text = str(event.data.get("GSW_ERROR"))
    missing = event.data.get("GSW_MISSING_PERMISSION")
    if event.code != "invalid_state":
        return f"{text} ({missing})" if missing is not None else text
    return {
        "LoadCampaign": "the group is started; stop it first",
        "StopDialing": "the group is not loaded",
        "UnloadCampaign": "the group is started; stop it first, or use force-unload",
    }.get(order, text)


def _group(group: CampaignGroup, statuses: Mapping[int, GroupStatus]) -> dict[str, Any]:
    status = statuses.get(group.dbid)
    return {
        "name": group.name,
        "dbid": group.dbid,
        "campaign": group.campaign.name,
        "state": status.state if status is not None else group.state,
        "mode": status.dial_mode if status is not None else group.dial_mode,
    }
