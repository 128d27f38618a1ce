"""The running OCS as commands of `ocsctl` see it (`control/commands.py`)."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from twisted.internet.defer import Deferred, inlineCallbacks

from ocsgw.audit.file import last_lines
from ocsgw.contact.directory import Directory
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.control.errors import ControlError
from ocsgw.ocs.dispatch import Refused
from ocsgw.ocs.housekeeping import Housekeeping
from ocsgw.ocs.http_listeners import HttpListeners
from ocsgw.ocs.http_proxy import HttpProxy, RenewalError
from ocsgw.ocs.principals import shown_principals
from ocsgw.ocs.reload import Reload, waiting_for_restart
from ocsgw.ocs.role import Role
from ocsgw.ocs.service import OCSService
from ocsgw.ocs.shown_config import keys_in_force
from ocsgw.ocs.store_service import StoreService
from ocsgw.ocs.validation import EXAMPLE_RECORD
from ocsgw.protocol.context import RequestContext
from ocsgw.protocol.messages import KV, Event, Request, Verdict
from ocsgw.version import VERSION

T = TypeVar("T")


class ControlledOCS:
    """Brings commands to the parts that carry them out."""

    def __init__(
        self,
        ocs: OCSService,
        store: StoreService,
        housekeeping: Housekeeping,
        http: HttpListeners,
        role: Role,
        reload: Reload,
    ) -> None:
        self._ocs = ocs
        self._store = store
        self._housekeeping = housekeeping
        self._http = http
        self._role = role
        self._reload = reload

    def directory(self) -> Directory:
        """Return what is configured now."""
        return self._ocs.context.directory

    def chore(self, function: Callable[[UnitOfWork], T], *, is_brief: bool = False) -> "Deferred[T]":
        """Carry out a function in a transaction between batches; one that `is_brief` takes no longer than a batch.

        Raises `ControlError` while the store is not open, and where this server is the backup.
        """
        committer = self._store.committer()
        self._role.check_primary()
        return committer.chore(function, is_brief=is_brief)

    def handle(self, request: Request, context: RequestContext, reply: Callable[[Event], None]) -> None:
        """Carry out a request; `reply` takes its events, of which the last one is final. Raises like `chore`."""
        self._store.committer()
        self._role.check_primary()
        context = msgspec.structs.replace(context, base_uri=self._http.base_uri())
        self._store.dispatcher.handle(request, context, reply)

    def switch_over(self) -> "Deferred[dict[str, Any]]":
        """Let the other server of the pair take over. Fails with `ControlError`."""
        return self._role.switch_over()

    def refusals(self) -> list[Refused]:
        """Return the last refusals, the newest first."""
        return self._store.refused()

    def configuration(self) -> list[tuple[str, str]]:
        """Return every key of the configuration in force with its value in words; secrets are not shown."""
        return keys_in_force(self._ocs.context.config)

    def principals(self) -> list[dict[str, Any]]:
        """Return what vouches for whom, and what that allows; never a key or its hash."""
        return shown_principals(self._ocs.context.config)

    def now(self) -> float:
        """Return the time, in seconds since 1970 UTC."""
        return self._store.clock()

    def audit_lines(self) -> list[str]:
        """Return the last lines of the audit log, the oldest first; none if there is no such log."""
        audit = self._ocs.context.config.audit
        return last_lines(audit.file) if audit.enabled else []

    def log_lines(self) -> list[str]:
        """Return the last lines of the log, the oldest first."""
        return list(self._ocs.log_file.tail)

    def lines_logged(self) -> int:
        """Return how many lines the log has got since the start."""
        return self._ocs.log_file.lines

    def status(self) -> dict[str, Any]:
        """Return what is known without the store."""
        context = self._ocs.context
        return {
            "version": VERSION,
            "state": self._ocs.life_cycle.state,
            "role": self._role.role,
            "pair": self._role.partners(),
            "gateways": self._role.gateways(),
            "lease": self._role.lease(),
            "lease_trouble": self._role.trouble,
            "uptime": int(self._ocs.uptime()),
            "config": context.config.path,
            "store": self._store.status(),
            "closed_lists": [{"name": name, "reason": reason} for name, reason in self._store.closed_lists().items()],
            "chores": [{"name": name, "failures": count} for name, count in self._housekeeping.failures.items()],
            "http_listeners": sum(each.protocol == "http" for each in context.config.listeners),
            "proxies": [_proxy(each) for listener in self._http.all() for each in listener.proxies],
            "holds": self._store.holds(),
            "reload_refused": self._reload.refused,
            "waiting": self._waiting(),
        }

    def _waiting(self) -> dict[str, list[str]]:
        """Return the keys that wait for the next start, and the listeners that wait for new proxies."""
        context = self._ocs.context
        return {
            "restart": waiting_for_restart(context.started_with, context.config),
            "proxy_restart": [each.id for each in self._http.all() if each.is_outdated()],
        }

    def reload(self) -> "Deferred[dict[str, Any]]":
        """Read the configuration again; fires with what is left to do. Fails with `ControlError`."""
        return self._reload().addCallback(lambda _: self._left_to_do())

    def _left_to_do(self) -> dict[str, Any]:
        status = self.status()
        return {
            "waiting": status["waiting"],
            "closed_lists": status["closed_lists"],
            "opened_listeners": self._reload.opened,
        }

    def try_validation(self, uri: str) -> "Deferred[dict[str, Any]]":
        """Ask a validation server about an example record, as HTTP Proxy asks before a hand-out."""
        clock = self._ocs.context.reactor
        began = clock.seconds()
        timeout = self._ocs.config.pre_dial_validation.http_response_timeout
        data: KV = {"GSW_APPLICATION_ID": self._ocs.config.application.dbid, **EXAMPLE_RECORD}

        def shown(verdict: Verdict) -> dict[str, Any]:
            return {
                "outcome": verdict.outcome,
                "status": verdict.status,
                "data": verdict.data,
                "reason": verdict.text or verdict.reason,
                "seconds": round(clock.seconds() - began, 3),
            }

        return self._http.order("validation", uri, data, timeout).addCallback(shown)

    @inlineCallbacks
    def restart_proxies(self, listener: str | None) -> Any:
        """Replace the HTTP Proxies of a listener, or of all. Fails with `ControlError`."""
        open_ones = self._http.all()
        listeners = [each for each in open_ones if listener in (None, each.id, each.wanted.id)]
        if not listeners:
            known = ", ".join(each.id for each in open_ones) or "none"
            raise ControlError(
                f"there is no http listener {listener}; configured: {known}"
                if listener is not None
                else f"no http listener is open; OCS is {self._ocs.life_cycle.state}"
            )
        done = []
        for each in listeners:
            try:
                replaced = yield each.renew()
            except RenewalError as error:
                raise ControlError(str(error)) from error
            done += [{"listener": each.id, "old": old, "new": new} for old, new in replaced]
        return done


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
        "uptime": int(supervisor.uptime) if supervisor.uptime is not None else None,
        "next_start": math.ceil(supervisor.next_start) if supervisor.next_start is not None else None,
        "in_flight": proxy.in_flight,
        "window": proxy.window,
    }
