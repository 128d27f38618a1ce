"""What `ocsctl` may ask a running OCS, and how it is answered."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.python.failure import Failure

from ocsgw.contact.batch import Outcome
from ocsgw.contact.directory import CampaignGroup, Directory
from ocsgw.contact.transaction import GroupStatus, StoreFailureError
from ocsgw.contact.unit_of_work import PendingRequest, UnitOfWork, final_event
from ocsgw.control.server import Command, ControlError
from ocsgw.execution.committer import Committer, Job
from ocsgw.ocs.http_proxy import HttpProxy, RenewalError
from ocsgw.ocs.listeners import HttpListener
from ocsgw.operations.steps import OperationError, carry_out
from ocsgw.protocol.context import RequestContext
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV
from ocsgw.protocol.requests import request_named
from ocsgw.store.errors import CommitUnknownError
from ocsgw.version import VERSION

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

    def committer(self) -> Committer:
        """Return the committer. Raises `ControlError` while the store is not open."""

    def listeners(self) -> list[HttpListener]:
        """Return the HTTP listeners."""

    def uptime(self) -> float:
        """Return the seconds since the start."""

    def reload(self) -> "Deferred[list[str]]":
        """Read the configuration again; fires with what waits for a restart. Fails with `ControlError`."""


def commands_of(ocs: Controlled) -> Mapping[str, Command]:
    """Return the commands by name."""
    controller = _Controller(ocs)
    return {
        "status": controller.status,
        "campaign": controller.campaign,
        "reload": controller.reload,
        "operation": controller.operation,
        "proxy restart": controller.restart_proxies,
    }


class _Controller:
    def __init__(self, ocs: Controlled) -> None:
        self._ocs = ocs

    def status(self, arguments: dict[str, Any]) -> "Deferred[dict[str, Any]]":
        """Return version, role, proxies and campaign groups."""
        committer = self._ocs.committer()
        directory = committer.directory
        head = {
            "version": VERSION,
            "role": "primary",
            "uptime": int(self._ocs.uptime()),
            "proxies": [_proxy(each) for listener in self._ocs.listeners() for each in listener.proxies],
        }

        def read(unit: UnitOfWork) -> dict[int, GroupStatus]:
            return unit.tx.group_statuses()

        return committer.chore(read).addCallback(
            lambda statuses: {**head, "groups": [_group(each, statuses) for each in directory.groups]}
        )

    def campaign(self, arguments: dict[str, Any]) -> "Deferred[dict[str, Any]]":
        """Load, start, stop or unload the group of a name, or the only group of a campaign."""
        order = _ORDERS.get(str(arguments.get("order")))
        if order is None:
            raise ControlError(f"unknown order; one of {', '.join(_ORDERS)}")
        committer = self._ocs.committer()
        group = group_for_operator(committer.directory, str(arguments.get("name")))
        done: Deferred[dict[str, Any]] = Deferred()

        def deliver(outcome: Outcome) -> None:
            if isinstance(outcome.reply, Refusal):
                done.errback(ControlError(_explained(order, outcome.reply)))
            else:
                done.callback(final_event(outcome.reply) or {})

        data: KV = {"GSW_AGENT_REQ_TYPE": order, "GSW_CAMPAIGN_GROUP_DBID": group.dbid}
        pending = PendingRequest(request_named(order), data, RequestContext(client="third_party", peer="ocsctl"))
        committer.submit(Job(pending, deliver))
        return done

    def reload(self, arguments: dict[str, Any]) -> "Deferred[list[str]]":
        """Read the configuration again."""
        return self._ocs.reload()

    @inlineCallbacks
    def restart_proxies(self, arguments: dict[str, Any]) -> Any:
        """Replace the proxies of a listener, or of all, without an interruption of service."""
        wanted = arguments.get("listener")
        listeners = [each for each in self._ocs.listeners() if wanted in (None, each.id, each.wanted.id)]
        if not listeners:
            known = ", ".join(each.id for each in self._ocs.listeners()) or "none"
            raise ControlError(f"there is no http listener {wanted}; configured: {known}")
        done = []
        for listener in listeners:
            try:
                replaced = yield listener.renew()
            except RenewalError as error:
                raise ControlError(str(error)) from error
            done += [{"listener": listener.id, "old": old, "new": new} for old, new in replaced]
        return done

    def operation(self, arguments: dict[str, Any]) -> "Deferred[Any]":
        """Carry out one step of work on lists, between batches of requests."""
        name, given = str(arguments.get("name")), arguments.get("arguments")
        return self._ocs.committer().chore(lambda unit: carry_out(unit, name, given)).addErrback(_operation_failed)


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


def _proxy(proxy: HttpProxy) -> dict[str, Any]:
    supervisor = proxy.supervisor
    return {
        "listener": proxy.in_use.id,
        "worker": proxy.number,
        "name": proxy.name,
        "state": supervisor.state,
        "pid": supervisor.pid,
        "url": proxy.url(supervisor.port) if supervisor.state == "running" else None,
        "starts": proxy.starts,
    }


def _group(group: CampaignGroup, statuses: Mapping[int, GroupStatus]) -> dict[str, Any]:
    status = statuses.get(group.dbid)
    return {
        "name": group.name,
        "dbid": group.dbid,
        "campaign": group.campaign.name,
        "state": status.state if status is not None else group.state,
        "mode": status.dial_mode if status is not None else group.dial_mode,
    }
