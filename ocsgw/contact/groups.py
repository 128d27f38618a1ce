"""Campaign groups: their state, and the requests that show and change it (http.md 10.10, protocol.md 3.4)."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ocsgw.contact.directory import CampaignGroup, DialMode
from ocsgw.contact.group_states import save_status, status_of
from ocsgw.contact.handout_cache import HandoutCache
from ocsgw.contact.journal import GROUP_UNLOADED, note_members
from ocsgw.contact.outbox import GroupChanged
from ocsgw.contact.reports import report_end
from ocsgw.contact.shown_ends import show_end
from ocsgw.contact.transaction import GroupStatus
from ocsgw.contact.unit_of_work import Continuation, PendingRequest, Reply, UnitOfWork
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV

_EVENTS = {"unloaded": "CampaignUnloaded", "loaded": "CampaignLoaded", "started": "CampaignStarted"}
_MODES: Mapping[str, DialMode] = {"preview": "Preview", "pushpreview": "PushPreview"}
# How many hand-outs are ended at once when a group is unloaded.
SLICE = 500
# Above every record handle.
LAST_HANDLE = 1 << 62

LOADED, STARTED, STOPPED, FORCE_UNLOADED, UNLOADED = 52000, 52001, 52002, 52003, 52004
# Number in the log -> unsolicited event (protocol.md section 3.2); a change without a number is one of the dial mode.
_EVENTS_OF_CHANGES: Mapping[int | None, str] = {
    LOADED: "CampaignLoaded",
    STARTED: "CampaignStarted",
    STOPPED: "CampaignStopped",
    FORCE_UNLOADED: "CampaignUnloaded",
    UNLOADED: "CampaignUnloaded",
}


def find_group(unit: UnitOfWork, pending: PendingRequest) -> CampaignGroup:
    """Return the group that a request names, by DBID or by campaign name (P11). Raises `Refusal`."""
    dbid = pending.data.get("GSW_CAMPAIGN_GROUP_DBID")
    if dbid is not None:
        group = unit.directory.group(dbid)
    else:
        campaign = unit.directory.campaign_named(pending.data.get("GSW_CAMPAIGN_NAME"))
        groups = [each for each in unit.directory.groups if each.campaign is campaign]
        if not groups:
            raise Refusal("group_not_found")
        groups.sort(key=lambda each: each.dbid)
        group = next((each for each in groups if status_of(unit, each).state == "started"), groups[0])
    unit.directory.demand_group(pending.context.principal, group)
    return group


def _groups_asked_for(unit: UnitOfWork, pending: PendingRequest) -> list[CampaignGroup]:
    """Return the groups whose state a request asks for: one by DBID, those of a campaign, or all, in order (P11).

    Of all only those count that the client may know. Raises `Refusal`.
    """
    data, context = pending.data, pending.context
    if "GSW_CAMPAIGN_GROUP_DBID" in data:
        return [find_group(unit, pending)]
    groups = sorted(unit.directory.groups, key=lambda each: each.dbid)
    name = data.get("GSW_CAMPAIGN_NAME")
    if name is not None:
        groups = [each for each in groups if each.campaign is unit.directory.campaign_named(name)]
        for each in groups:
            unit.directory.demand_group(context.principal, each)
    permissions = unit.directory.permissions_of(context.principal)
    visible = [
        each
        for each in groups
        if context.tenant in (None, each.campaign.tenant.name)
        and permissions.missing_for_group(each.campaign.tenant.name, each.name) is None
    ]
    if not visible:
        raise Refusal("group_not_found")
    return visible


def campaign_status(unit: UnitOfWork, requests: Sequence[PendingRequest]) -> list[Reply]:
    """Answer with the states of groups, of several with an event for each (H300, P11)."""
    replies: list[Reply] = []
    for pending in requests:
        try:
            groups = _groups_asked_for(unit, pending)
        except Refusal as refusal:
            replies.append(refusal)
            continue
        statuses = [(group, status_of(unit, group)) for group in groups]
        events = [
            unit.event(_EVENTS[status.state], pending, group_members(group, status)) for group, status in statuses
        ]
        replies.append(events if len(events) > 1 else events[0])
    return replies


def group_members(group: CampaignGroup, status: GroupStatus) -> KV:
    """Return what events about a group have (H300)."""
    return {
        "GSW_CAMPAIGN_NAME": group.campaign.name,
        "GSW_CAMPAIGN_DESCRIPTION": group.campaign.description,
        "GSW_CAMPAIGN_MODE": status.dial_mode,
        "GSW_CAMPAIGN_GROUP_NAME": group.name,
        "GSW_CAMPAIGN_GROUP_DBID": group.dbid,
    }


def control(unit: UnitOfWork, requests: Sequence[PendingRequest]) -> list[Reply]:
    """Load, start, stop and unload groups, and change their dial mode (section 3.4)."""
    replies: list[Reply] = []
    for pending in requests:
        try:
            group = find_group(unit, pending)
            name, status = _changed(unit, group, pending)
            event = unit.event(name, pending, group_members(group, status))
            replies.append(_released(unit, group.dbid, event) if status.state == "unloaded" else event)
        except Refusal as refusal:
            replies.append(refusal)
    return replies


def _changed(unit: UnitOfWork, group: CampaignGroup, pending: PendingRequest) -> tuple[str, GroupStatus]:
    """Carry out one order; return the event's name and the new state. A state that is there already is fine (P51)."""
    status = status_of(unit, group)
    order = pending.request.name
    state = status.state
    completion = _completion(pending)
    if order == "SetDialingMode":
        mode = _mode(pending)
        if mode is None:
            raise Refusal("missing_attribute", "GSW_CAMPAIGN_MODE")
        return "CampaignModeChanged", change_state(unit, group, status, state, mode=mode, auto_complete=completion)
    if order == "LoadCampaign":
        if state == "started":
            raise Refusal("invalid_state")
        return "CampaignLoaded", change_state(unit, group, status, "loaded", LOADED, auto_complete=completion)
    if order == "StartDialing":
        mode = _mode(pending)
        return "CampaignStarted", change_state(
            unit, group, status, "started", STARTED, mode=mode, auto_complete=completion
        )
    if order == "StopDialing":
        if state == "unloaded":
            raise Refusal("invalid_state")
        return "CampaignStopped", change_state(unit, group, status, "loaded", STOPPED)
    if order == "UnloadCampaign":
        if state == "started":
            raise Refusal("invalid_state")
        return "CampaignUnloaded", change_state(unit, group, status, "unloaded", UNLOADED)
    return "CampaignUnloaded", change_state(unit, group, status, "unloaded", FORCE_UNLOADED)


def _mode(pending: PendingRequest) -> DialMode | None:
    """Return the dial mode that a request names, None without one. Raises `Refusal` (`invalid_attribute`)."""
    given = pending.data.get("GSW_CAMPAIGN_MODE")
    if given is None or given == "":
        return None
    mode = _MODES.get(given.lower()) if isinstance(given, str) else None
    if mode is None:
        raise Refusal("invalid_attribute", "GSW_CAMPAIGN_MODE")
    return mode


def _completion(pending: PendingRequest) -> bool | None:
    """Return what a request says of auto completion, None if nothing. Raises `Refusal` (`invalid_attribute`)."""
    given = pending.data.get("GSW_AUTO_COMPLETION")
    if given not in (None, "", 0, 1):
        raise Refusal("invalid_attribute", "GSW_AUTO_COMPLETION")
    return None if given in (None, "") else given == 1


def auto_completes(group: CampaignGroup, status: GroupStatus) -> bool:
    """Whether auto completion of a group is on (P126)."""
    return group.auto_complete if status.auto_complete is None else status.auto_complete


def change_state(
    unit: UnitOfWork,
    group: CampaignGroup,
    status: GroupStatus,
    state: str,
    number: int | None = None,
    *,
    mode: DialMode | None = None,
    auto_complete: bool | None = None,
) -> GroupStatus:
    """Store a state; a group that is loaded anew gets a new session id, an unloaded one forgets of auto completion.

    `number` is that of the message in the log. What an unloaded group has in process has to be released (P52).
    """
    guid = unit.new_guid() if status.state == "unloaded" and state != "unloaded" else status.guid
    if auto_complete is None:
        auto_complete = status.auto_complete
    changed = GroupStatus(
        group.dbid, state, mode or status.dial_mode, guid, auto_complete if state != "unloaded" else None
    )
    save_status(unit, changed)
    if (changed.state, changed.dial_mode) != (status.state, status.dial_mode):
        event = _EVENTS_OF_CHANGES.get(number, "CampaignModeChanged")
        unit.outbox.append(GroupChanged(event, group_members(group, changed), changed.state, changed.guid))
    if number is not None and state != status.state:
        unit.group_messages.append((number, group.name))
    return changed


def _released(unit: UnitOfWork, group_dbid: int, event: KV) -> Reply:
    """Answer with `event` once every hand-out of an unloaded group has been released, in slices if there are many.

    What is handed out later, after the group was started again, is not concerned.
    """
    if len(release_slice(unit, group_dbid, LAST_HANDLE)) < SLICE:
        return event
    before = unit.tx.new_handles(1)
    return Continuation(partial(_release_further, group_dbid=group_dbid, before=before, event=event), event=event)


def _release_further(unit: UnitOfWork, _: object, *, group_dbid: int, before: int, event: KV) -> Reply:
    if len(release_slice(unit, group_dbid, before)) < SLICE:
        return event
    return Continuation(partial(_release_further, group_dbid=group_dbid, before=before, event=event))


def release_slice(unit: UnitOfWork, group_dbid: int, before: int) -> list[int]:
    """End hand-outs of a group without a result, those with an id below `before` and at most `SLICE`; return which."""
    ids = unit.tx.handouts_of_group(group_dbid, before, SLICE)
    if ids:
        release_handouts(unit, ids, GROUP_UNLOADED)
    return ids


def release_handouts(
    unit: UnitOfWork,
    handout_ids: Sequence[int],
    occasion: str,
    before: Callable[[UnitOfWork, HandoutCache], None] | None = None,
) -> None:
    """End hand-outs without a result; a list that is not open keeps its rows as they are.

    `occasion` says in the outbox why, `before` is called with what has been read before it ends.
    """
    handouts_cache = HandoutCache(unit)
    handouts_cache.open(handout_ids)
    if before is not None:
        before(unit, handouts_cache)
    for handed_out in handouts_cache.active:
        handed_out.release()
        note_members(unit, handed_out, occasion)
        report_end(unit, handed_out, None, occasion)
        show_end(unit, handed_out)
    handouts_cache.save()
    unit.tx.close_handouts(handout_ids)


CONTROL_REQUESTS = frozenset(
    {"LoadCampaign", "StartDialing", "StopDialing", "UnloadCampaign", "ForceUnloadCampaign", "SetDialingMode"}
)
STATUS_REQUESTS = frozenset({"CampaignStatusRequest", "GetCampaignStatus"})
