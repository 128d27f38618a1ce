"""Campaign group status: sent when a group changes, and periodically while it is started (outgoing.md section 3)."""

from collections.abc import Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ocsgw.config import Config
from ocsgw.contact.directory import CampaignGroup
from ocsgw.contact.group_states import status_of
from ocsgw.contact.outbox import Change, GroupChanged, RecordChanged
from ocsgw.contact.reports import UNDEFINED, tenant_members
from ocsgw.contact.transaction import GroupStatus
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.execution.committer import Committer
from ocsgw.logs import say
from ocsgw.ocs.context import OCSContext
from ocsgw.ocs.duty import Duty
from ocsgw.ocs.notifications import Caller, StoreAccess
from ocsgw.ocs.validation import without_query
from ocsgw.periodic import Periodic
from ocsgw.protocol.messages import KV, Verdict

# Call results with which somebody was reached.
_REACHED = frozenset({0, 1, 2, 33})
_STATES = {"unloaded": "Unloaded", "loaded": "Loaded", "started": "Started"}


class _Tally:
    """Records finished in a list for a group, and how many of them were reached."""

    __slots__ = ("finished", "reached")

    def __init__(self) -> None:
        self.finished = 0
        self.reached = 0


class GroupNotifications(Service):
    """Sends states of campaign groups: one call per group at a time, of those that wait the newest; no repetition."""

    name = "group notifications"
    _log = Logger()

    def __init__(self, context: OCSContext, store: StoreAccess, caller: Caller, duty: Duty) -> None:
        self._duty = duty
        self._context = context
        self._store = store
        self._caller = caller
        self._heard: Committer | None = None
        # By DBID of the group; what waits is (body, number in the log).
        self._sending: set[int] = set()
        self._waiting: dict[int, tuple[KV, int]] = {}
        # By DBIDs of group and list, since the group was loaded or OCS was started.
        self._tallies: dict[tuple[int, int], _Tally] = {}
        # The ids of the loaded sessions that the tallies belong to, by DBID of the group.
        self._sessions: dict[int, str] = {}
        self._ticker = Periodic("campaign group states", self._send_started, context.reactor)

    def startService(self) -> None:
        """Listen to what is committed."""
        super().startService()
        committer = self._store.committer()
        if committer is not self._heard:
            self._heard = committer
            committer.listen(self._changed)
        self._ticker.start(self._context.config.notifications.campaigngroup_states_interval)

    def stopService(self) -> None:
        """End."""
        super().stopService()
        self._ticker.stop()
        self._waiting.clear()

    def use(self, config: Config) -> None:
        """Use another interval."""
        if self.running:
            self._ticker.start(config.notifications.campaigngroup_states_interval)

    def _changed(self, changes: Sequence[Change]) -> None:
        for each in changes:
            if isinstance(each, RecordChanged):
                self._count(each)
            elif self.running and self._is_on():
                self._send_change(each)

    def _is_on(self) -> bool:
        return self._context.config.notifications.send_campaigngroup_states

    def _send_change(self, change: GroupChanged) -> None:
        """Send the state that a group has got with a change; it may have another one already."""
        group = self._context.directory.group_by_dbid(change.members.get("GSW_CAMPAIGN_GROUP_DBID"))
        mode = change.members.get("GSW_CAMPAIGN_MODE")
        if group is not None and isinstance(mode, str):
            self._send(group, GroupStatus(group.dbid, change.state, mode, change.guid), 81000)

    def _count(self, change: RecordChanged) -> None:
        if change.kind == "RecordProcessed" and "call_result" in change.after:
            tally = self._tallies.setdefault((change.group_dbid, change.list_dbid), _Tally())
            tally.finished += 1
            tally.reached += change.after["call_result"] in _REACHED

    def _look_at_session(self, status: GroupStatus) -> None:
        """Begin anew with a group that was loaded since it was looked at; a start may have done that, too."""
        if self._sessions.setdefault(status.dbid, status.guid) != status.guid:
            self._sessions[status.dbid] = status.guid
            self._tallies = {key: each for key, each in self._tallies.items() if key[0] != status.dbid}

    def _send_started(self) -> "Deferred[None] | None":
        """Send the states of the groups that are started."""
        if not (self._is_on() and self._duty.is_ours):
            return None

        def read(unit: UnitOfWork) -> list[tuple[CampaignGroup, GroupStatus]]:
            found = [(each, status_of(unit, each)) for each in unit.directory.groups]
            return [(group, status) for group, status in found if status.state == "started"]

        def send(found: list[tuple[CampaignGroup, GroupStatus]]) -> None:
            for group, status in found:
                self._send(group, status, 81001)

        done: Deferred[Any] = self._store.committer().chore(read, alone=False)
        # What cannot be read now is sent with the next change, or the next time.
        return done.addCallback(send).addErrback(lambda reason: say(self._log, 93244, log_failure=reason))

    def _send(self, group: CampaignGroup, status: GroupStatus, number: int) -> None:
        self._look_at_session(status)
        self._waiting[group.dbid] = (self._body(group, status), number)
        self._send_next(group.dbid)

    def _send_next(self, dbid: int) -> None:
        config = self._context.config.notifications
        if dbid in self._sending or dbid not in self._waiting or config.campaigngroup_states_uri is None:
            return
        body, number = self._waiting.pop(dbid)
        uri = config.campaigngroup_states_uri
        say(self._log, number, group=body["GSW_CAMPAIGN_GROUP_NAME"], uri=without_query(uri))
        self._sending.add(dbid)
        called = self._caller.order("campaign_group_state", uri, body, config.http_response_timeout)

        def over(_: Verdict) -> None:
            self._sending.discard(dbid)
            if self.running:
                self._send_next(dbid)

        called.addCallback(over)

    def _body(self, group: CampaignGroup, status: GroupStatus) -> KV:
        campaign = group.campaign
        body: KV = tenant_members(campaign.tenant)
        body["GSW_CAMPAIGN_GROUP_NAME"] = group.name
        body["GSW_CAMPAIGN_GROUP_GUID"] = status.guid
        body["GSW_CAMPAIGN_GROUP_STATE"] = _STATES[status.state]
        body["GSW_GROUP_NAME"] = group.group
        body["GSW_CAMPAIGN_NAME"] = campaign.name
        body["GSW_CAMPAIGN_TEMPLATE_NAME"] = campaign.template or UNDEFINED
        body["GSW_DIAL_MODE"] = status.dial_mode
        body["GSW_STAT_BUSY_FACTOR"] = None
        body["GSW_STAT_HIT_RATIO"] = self._hit_ratio(group.dbid, None)
        body["GSW_STAT_OVERDIAL_RATE"] = None
        body["GSW_STAT_TIME_TO_COMPLETE"] = None
        if self._context.config.notifications.campaigngroup_states_per_list:
            body["GSW_CALLING_LISTS"] = [
                {
                    "GSW_CALLING_LIST": each.name,
                    "GSW_CALLING_LIST_DBID": each.dbid,
                    "GSW_STAT_HIT_RATIO": self._hit_ratio(group.dbid, each.dbid),
                    "GSW_STAT_TIME_TO_COMPLETE": None,
                }
                for each in campaign.calling_lists
            ]
        return body

    def _hit_ratio(self, group_dbid: int, list_dbid: int | None) -> str | None:
        """Return the share of records reached as decimal text (P136), None while none is finished."""
        of_group = [
            tally
            for (group, calling_list), tally in self._tallies.items()
            if group == group_dbid and list_dbid in (None, calling_list)
        ]
        finished = sum(each.finished for each in of_group)
        if not finished:
            return None
        return f"{sum(each.reached for each in of_group) / finished:.4f}".rstrip("0").rstrip(".")
