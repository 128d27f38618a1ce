"""Looks for personal callbacks that are due, and brings them to their agents (protocol.md P34, P135)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from ocsgw.contact.batch import Outcome
from ocsgw.contact.scheduled_calls import (
    AskedCall,
    Call,
    WaitingDesktop,
    agents_with_callbacks,
    hand_out_callbacks,
)
from ocsgw.desktop.eligibility import latest
from ocsgw.execution.committer import Committer
from ocsgw.execution.jobs import Job
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.ocs_session import OcsSession
from ocsgw.periodic import Periodic

# How often is looked for callbacks that are due, in seconds.
_EVERY = 1.0


class Desktops(Protocol):
    """The clients that are connected, by session and by agent."""

    sessions: dict[int, OcsSession]
    by_agent: dict[str, dict[int, OcsSession]]


class StoreAccess(Protocol):
    """Where the committer is."""

    def committer(self) -> Committer:
        """Return the committer."""


class ScheduledCalls:
    """Hands out the personal callbacks that are due, to desktops that take them; one look at a time."""

    def __init__(self, context: OCSContext, store: StoreAccess, desktops: Desktops) -> None:
        self._context = context
        self._store = store
        self._desktops = desktops
        self._ticker = Periodic("scheduled calls", self._look, context.reactor)
        self._runs = False
        self._is_looking = False
        # How many records are asked about, by the session of the desktop that they are for.
        self._asked: Counter[int] = Counter()

    @property
    def in_work(self) -> bool:
        """Whether records are being handed out."""
        return self._is_looking or self._asked.total() > 0

    def start(self) -> None:
        """Begin to look."""
        self._runs = True
        self._ticker.start(_EVERY)

    def stop(self) -> None:
        """End; records that are asked about are not handed out any more."""
        self._runs = False
        self._ticker.stop()

    def look_soon(self) -> None:
        """An agent is ready: look at once."""
        self._context.reactor.callLater(0, self._look_now)

    def _look_now(self) -> None:
        if self._runs:
            self._ticker.now()

    def _look(self) -> "Deferred[None] | None":
        if not self._desktops.by_agent or self._is_looking or not self._runs:
            return None
        looked = self._store.committer().chore(agents_with_callbacks, alone=False)
        self._is_looking = True
        return looked.addCallback(self._hand_out).addBoth(self._has_looked)

    def _hand_out(self, agents: frozenset[str] | None) -> "Deferred[None] | None":
        connected = self._desktops.by_agent.keys()
        waiting = self._waiting(connected if agents is None else agents & connected)
        if not waiting or not self._runs:
            return None
        calls = self._store.committer().chore(lambda unit: hand_out_callbacks(unit, waiting, self._is_there))
        return calls.addCallback(self._deliver)

    def _has_looked(self, result: Any) -> Any:
        self._is_looking = False
        return result

    def _waiting(self, agents: Iterable[str]) -> list[WaitingDesktop]:
        """Return the desktop of each agent that a scheduled call would go to, with the campaigns that it takes."""
        needs_start = self._needs_start()
        campaigns = {group.campaign.name for group in self._context.directory.groups}
        waiting = []
        for agent in agents:
            desktops = self._desktops.by_agent.get(agent, {})
            by_campaign: dict[int, set[str]] = {}
            for campaign in campaigns:
                able = [
                    each
                    for each in desktops.values()
                    if each.eligibility.is_eligible(campaign, needs_start=needs_start)
                ]
                if able:
                    chosen = latest(each.eligibility for each in able)
                    by_campaign.setdefault(chosen.connected, set()).add(campaign)
            waiting += [
                WaitingDesktop(desktops[number].context, frozenset(names), self._asked[number] > 0)
                for number, names in by_campaign.items()
            ]
        return waiting

    def _needs_start(self) -> bool:
        return self._context.config.desktop.agent_preview_mode_start

    def _is_there(self, number: int, campaign: str) -> bool:
        """Whether a desktop still takes calls of a campaign; asked in the thread of the store, too."""
        session = self._desktops.sessions.get(number)
        return (
            self._runs
            and session is not None
            and session.eligibility.is_eligible(campaign, needs_start=self._needs_start())
        )

    def _deliver(self, calls: Sequence[Call]) -> None:
        for call in calls:
            if isinstance(call, AskedCall):
                number = call.pending.context.session
                self._asked[number] += 1
                self._store.committer().go_on(Job(call.pending, partial(self._answered, number)), call.continuation)
            else:
                self._notify(call.session, call.event)

    def _answered(self, number: int, outcome: Outcome) -> None:
        self._asked[number] -= 1
        if not self._asked[number]:
            del self._asked[number]
        event = outcome.reply
        if isinstance(event, dict) and event["GSW_USER_EVENT"] == "ScheduledCall":
            self._notify(number, event)

    def _notify(self, number: int, event: Any) -> None:
        """Send a call; a record whose desktop has gone stays handed out (P92)."""
        session = self._desktops.sessions.get(number)
        if session is not None:
            session.notify(event)
