"""What `ocsctl` may ask a running OCS, and how it is answered."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from ocsgw import counters
from ocsgw.contact.batch import Outcome
from ocsgw.contact.directory import CampaignGroup, Directory
from ocsgw.contact.transaction import GroupStatus, StoreFailureError
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork, final_event
from ocsgw.control.errors import ControlError
from ocsgw.control.health import health_of
from ocsgw.control.server import Command
from ocsgw.operations.steps import OperationError, carry_out
from ocsgw.protocol.context import RequestContext
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV
from ocsgw.protocol.requests import request_named
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


class Controlled(Protocol):
    """The running OCS, as commands see it."""

    def directory(self) -> Directory:
        """Return what is configured now."""

    def chore(self, function: Callable[[UnitOfWork], T]) -> "Deferred[T]":
        """Carry out a function in a transaction between batches.

        Raises `ControlError` while the store is not open, and where this server is the backup.
        """

    def submit(self, pending: PendingRequest, deliver: Callable[[Outcome], None]) -> None:
        """Carry out a request with the next batch; raises like `chore`."""

    def status(self) -> dict[str, Any]:
        """Return what is known without the store (docs/operations.md, `ocsctl status --json`)."""

    def reload(self) -> "Deferred[dict[str, Any]]":
        """Read the configuration again; fires with what is left to do. Fails with `ControlError`."""

    def try_validation(self, uri: str) -> "Deferred[dict[str, Any]]":
        """Ask a validation server about an example record; fires with what it has said."""

    def restart_proxies(self, listener: str | None) -> "Deferred[list[dict[str, Any]]]":
        """Replace the HTTP Proxies of a listener, or of all. Fails with `ControlError`."""

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
        for each in counters.HISTOGRAMS:
            found += [(f"{each.name}_sum", {}, each.sum), (f"{each.name}_count", {}, float(each.count))]
        return found

    def campaign(self, arguments: dict[str, Any]) -> "Deferred[dict[str, Any]]":
        """Load, start, stop or unload the group of a name, or the only group of a campaign."""
        order = _ORDERS.get(str(arguments.get("order")))
        if order is None:
            raise ControlError(f"unknown order; one of {', '.join(_ORDERS)}")
        group = group_for_operator(self._ocs.directory(), str(arguments.get("name")))
        return self._request(order, {"GSW_CAMPAIGN_GROUP_DBID": group.dbid})

    def block(self, arguments: dict[str, Any]) -> "Deferred[dict[str, Any]]":
        """Block a contact or a customer id, of one tenant if one is named (http.md section 10.7)."""
        given = {
            "GSW_PHONE": arguments.get("contact"),
            "GSW_CUSTOMER_ID": arguments.get("customer_id"),
            "GSW_TENANT_NAME": arguments.get("tenant"),
        }
        if bool(given["GSW_PHONE"]) == bool(given["GSW_CUSTOMER_ID"]):
            raise ControlError("name a contact or a customer id, not both")
        return self._request("DoNotCall", {key: str(value) for key, value in given.items() if value})

    def _request(self, order: str, members: KV) -> "Deferred[dict[str, Any]]":
        """Carry out a request; fires with its final event. Fails with `ControlError` if it is refused."""
        done: Deferred[dict[str, Any]] = Deferred()

        def deliver(outcome: Outcome) -> None:
            if isinstance(outcome.reply, Refusal):
                done.errback(ControlError(_explained(order, outcome.reply)))
            else:
                done.callback(final_event(outcome.reply) or {})

        data: KV = {"GSW_AGENT_REQ_TYPE": order, **members}
        pending = PendingRequest(request_named(order), data, self._context)
        self._ocs.submit(pending, deliver)
        return done

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

        def run(unit: UnitOfWork) -> Any:
            result = carry_out(unit, name, given)
            unit.notes[:] = [{**who, **note} for note in unit.notes]
            return result

        return self._ocs.chore(run).addErrback(_operation_failed)


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


def _explained(order: str, refusal: Refusal) -> str:
    if refusal.code != "invalid_state":
        return refusal.text
    return {
        "LoadCampaign": "the group is started; stop it first",
        "StopDialing": "the group is not loaded",
        "UnloadCampaign": "the group is started; stop it first, or use force-unload",
    }.get(order, refusal.text)


def _group(group: CampaignGroup, statuses: Mapping[int, GroupStatus]) -> dict[str, Any]:
    status = statuses.get(group.dbid)
    return {
        "name": group.name,
        "dbid": group.dbid,
        "campaign": group.campaign.name,
        "state": status.state if status is not None else group.state,
        "mode": status.dial_mode if status is not None else group.dial_mode,
    }
