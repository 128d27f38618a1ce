"""The desktops and third-party applications that are connected while OCS is active."""

import time
from collections.abc import Callable, Sequence
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed

from ocsgw.config import Config
from ocsgw.contact.batch import Outcome
from ocsgw.contact.directory import Directory
from ocsgw.contact.notices import Notice
from ocsgw.contact.outbox import Change, GroupChanged
from ocsgw.contact.unit_of_work import PendingRequest
from ocsgw.desktop.own_requests import OwnRequests
from ocsgw.execution.committer import Committer
from ocsgw.execution.jobs import Job
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.dispatch import Dispatcher
from ocsgw.ocs.life_cycle import LifeCycle
from ocsgw.ocs.link import Identity, Trace
from ocsgw.ocs.ocs_session import STATUS, OcsSession
from ocsgw.ocs.scheduled_calls import ScheduledCalls
from ocsgw.ocs.settings import identity_of
from ocsgw.ocs.store_service import StoreService
from ocsgw.ocs.trace import head_of, is_traced, pairs_of
from ocsgw.periodic import Periodic
from ocsgw.protocol.messages import KV, Message
from ocsgw.protocol.requests import RequestType

# How often is looked whether the last requests are answered when OCS stops, in seconds.
_LOOK = 0.05


class Applications(Service):
    """Knows the sessions of all `ocs` listeners, and brings them what they have to learn of (section 3.2).

    `find_base_uri` returns what record URIs begin with.
    """

    name = "applications"

    def __init__(
        self,
        context: OCSContext,
        life_cycle: LifeCycle,
        store: StoreService,
        find_base_uri: Callable[[], str | None],
    ) -> None:
        self._context = context
        self._life_cycle = life_cycle
        self._store = store
        self._find_base_uri = find_base_uri
        self.identity: Identity = identity_of(context.config)
        self.sessions: dict[int, OcsSession] = {}
        self.by_agent: dict[str, dict[int, OcsSession]] = {}
        self._calls = ScheduledCalls(context, store, self)
        self._own = OwnRequests(lambda: context.directory, self._needs_start, self._calls.look_soon)
        self._heard: Committer | None = None
        self._stopped: Deferred[None] = succeed(None)
        self._give_up = 0.0
        self._leaving = Periodic("the last requests of applications", self._look, context.reactor)

    # What the sessions share.

    @property
    def clock(self) -> Any:
        """The reactor."""
        return self._context.reactor

    @property
    def directory(self) -> Directory:
        """What is configured now."""
        return self._context.directory

    @property
    def dispatcher(self) -> Dispatcher:
        """What carries requests out."""
        return self._store.dispatcher

    @property
    def base_uri(self) -> str | None:
        """What `GSW_RECORD_URI` begins with now."""
        return self._find_base_uri()

    @property
    def serves(self) -> bool:
        """Whether clients may come in."""
        return bool(self.running) and self._life_cycle.state == "active"

    def trace_of(self, session: OcsSession) -> Trace | None:
        """Return what is shown the messages of a session."""
        if not self._context.config.log.http_trace:
            return None

        def trace(message: Message, received: bool) -> None:
            if is_traced(message):
                clear = self._context.config.log.contacts == "clear"
                head = head_of(message, f"session {session.number}", received=received)
                self._context.log_file.write_pairs(time.time(), "debug", head, pairs_of(message, clear=clear))

        return trace

    def own_request(self, session: OcsSession, known: RequestType, data: KV) -> KV | None:
        """Return the answer to a request that needs no store, None for all others. Raises `Refusal`."""
        return self._own.answer(session.eligibility, known, data)

    def joined(self, session: OcsSession) -> None:
        """Show a new client the groups that are loaded or started (P35)."""
        self.sessions[session.number] = session
        if session.agent_id:
            self.by_agent.setdefault(session.agent_id, {})[session.number] = session

        def deliver(outcome: Outcome) -> None:
            reply = outcome.reply
            for event in reply if isinstance(reply, list) else [reply]:
                if isinstance(event, dict) and event["GSW_USER_EVENT"] != "CampaignUnloaded":
                    session.notify(event)

        pending = PendingRequest(STATUS, {"GSW_AGENT_REQ_TYPE": STATUS.name}, session.context)
        self._store.committer().submit(Job(pending, deliver))

    def left(self, session: OcsSession) -> None:
        """Forget a client that is gone."""
        self.sessions.pop(session.number, None)
        desktops = self.by_agent.get(session.agent_id)
        if desktops is not None:
            desktops.pop(session.number, None)
            if not desktops:
                del self.by_agent[session.agent_id]

    # Life.

    def startService(self) -> None:
        """Admit clients, and listen to what is committed."""
        super().startService()
        committer = self._store.committer()
        if committer is not self._heard:
            self._heard = committer
            committer.listen(self.publish)
            committer.listen_for_notices(self.show)
        self._calls.start()

    def stopService(self) -> "Deferred[None]":
        """Announce the end to all; fires when what they have asked for is answered, or `drain_timeout` is over."""
        super().stopService()
        self._calls.stop()
        self.start_over("this server stops serving")
        self._stopped = Deferred()
        self._give_up = self.clock.seconds() + self._context.config.limits.drain_timeout
        stopped = self._stopped
        if self._has_ended():
            stopped.callback(None)
        else:
            self._leaving.start(_LOOK)
        return stopped

    def _has_ended(self) -> bool:
        return not self._calls.in_work and not any(each.in_work for each in self.sessions.values())

    def _look(self) -> None:
        if self._has_ended() or self.clock.seconds() >= self._give_up:
            self._leaving.stop()
            for session in list(self.sessions.values()):
                session.end("this server has stopped serving")
            self._stopped.callback(None)

    def use(self, config: Config) -> None:
        """Use another configuration."""
        self.identity = identity_of(config)
        for session in self.sessions.values():
            session.use_trace()

    def _needs_start(self) -> bool:
        return self._context.config.desktop.agent_preview_mode_start

    # What is committed.

    def publish(self, changes: Sequence[Change]) -> None:
        """Show everybody who may know them what has become of campaign groups."""
        for change in changes:
            if isinstance(change, GroupChanged):
                self._publish_group(change)

    def show(self, notices: Sequence[Notice]) -> None:
        """Show the desktops of agents what has become of records that they hold or held."""
        for notice in notices:
            for agent in notice.agents:
                for session in self.desktops_of(agent):
                    if session.number != notice.but_session:
                        session.notify(self._event(notice.event, notice.members))

    def desktops_of(self, agent_id: str) -> list[OcsSession]:
        """Return the desktops of an agent."""
        return list(self.by_agent.get(agent_id, {}).values())

    def start_over(self, reason: str) -> None:
        """Ask all clients to connect again when what they have asked for is answered; they are shown what is, then."""
        timeout = self._context.config.limits.drain_timeout
        for session in list(self.sessions.values()):
            session.drain(timeout, reason)

    def _event(self, name: str, members: KV) -> KV:
        return {"GSW_USER_EVENT": name, "GSW_APPLICATION_ID": self.directory.application_dbid, **members}

    def _publish_group(self, change: GroupChanged) -> None:
        """Show everybody who may know it what has become of a campaign group."""
        event = self._event(change.event, change.members)
        group = self.directory.group_by_dbid(cast("int", change.members["GSW_CAMPAIGN_GROUP_DBID"]))
        for session in list(self.sessions.values()):
            context = session.context
            if group is not None:
                tenant = group.campaign.tenant.name
                permissions = self.directory.permissions_of(context.principal)
                if context.tenant not in (None, tenant) or permissions.missing_for_group(tenant, group.name):
                    continue
            session.notify(event)
