"""Campaign groups: their state, and the requests that show and change it (http.md 10.10, protocol.md 3.4)."""

from collections.abc import Mapping, Sequence

from ocsgw.contact.book import Book
from ocsgw.contact.directory import CampaignGroup, DialMode
from ocsgw.contact.transaction import GroupStatus
from ocsgw.contact.work import Reply, Turn, Work
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.messages import KV

_EVENTS = {"unloaded": "CampaignUnloaded", "loaded": "CampaignLoaded", "started": "CampaignStarted"}
_MODES: Mapping[str, DialMode] = {"preview": "Preview", "pushpreview": "PushPreview"}
# How many hand-outs are ended at once when a group is unloaded.
_SLICE = 500

LOADED, STARTED, STOPPED, FORCE_UNLOADED, UNLOADED = 52000, 52001, 52002, 52003, 52004


def find_group(turn: Turn, work: Work) -> CampaignGroup:
    """Return the group that a request names, by DBID or by campaign name (P11). Raises `Refusal`."""
    dbid = work.data.get("GSW_CAMPAIGN_GROUP_DBID")
    if dbid is not None:
        group = turn.directory.group(dbid)
    else:
        groups = [each for each in turn.directory.groups if each.campaign.name == work.data.get("GSW_CAMPAIGN_NAME")]
        if not groups:
            raise Refusal("group_not_found")
        groups.sort(key=lambda each: each.dbid)
        group = next((each for each in groups if status_of(turn, each).state == "started"), groups[0])
    turn.directory.demand_group(work.principal, group)
    return group


def status_of(turn: Turn, group: CampaignGroup) -> GroupStatus:
    """Return the state of a group; one that was never seen has the state of the configuration (P53)."""
    if turn.group_statuses is None:
        turn.group_statuses = turn.tx.group_statuses()
    return turn.group_statuses.get(group.dbid) or first_status(turn, group)


def save_status(turn: Turn, status: GroupStatus) -> None:
    """Store the state of a group."""
    turn.tx.save_group_status(status)
    turn.group_statuses = None


def first_status(turn: Turn, group: CampaignGroup) -> GroupStatus:
    """Return the state of a group that is seen for the first time."""
    guid = "" if group.state == "unloaded" else turn.new_guid()
    return GroupStatus(group.dbid, group.state, group.dial_mode, guid)


def campaign_status(turn: Turn, works: Sequence[Work]) -> list[Reply]:
    """Answer with the states of groups (H300)."""
    replies: list[Reply] = []
    for work in works:
        try:
            group = find_group(turn, work)
        except Refusal as refusal:
            replies.append(refusal)
            continue
        status = status_of(turn, group)
        replies.append(turn.event(_EVENTS[status.state], work, group_members(group, status)))
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


def control(turn: Turn, works: Sequence[Work]) -> list[Reply]:
    """Load, start, stop and unload groups, and change their dial mode (section 3.4)."""
    replies: list[Reply] = []
    for work in works:
        try:
            group = find_group(turn, work)
            name, status = _changed(turn, group, work)
            replies.append(turn.event(name, work, group_members(group, status)))
        except Refusal as refusal:
            replies.append(refusal)
    return replies


def _changed(turn: Turn, group: CampaignGroup, work: Work) -> tuple[str, GroupStatus]:
    """Carry out one order; return the event's name and the new state. A state that is there already is fine (P51)."""
    status = status_of(turn, group)
    order = work.data["GSW_AGENT_REQ_TYPE"]
    state = status.state
    if order == "SetDialingMode":
        mode = _mode(work)
        if mode is None:
            raise Refusal("missing_attribute", "GSW_CAMPAIGN_MODE")
        return "CampaignModeChanged", _save(turn, group, status, state, mode=mode)
    if order == "LoadCampaign":
        if state == "started":
            raise Refusal("invalid_state")
        return "CampaignLoaded", _save(turn, group, status, "loaded", LOADED)
    if order == "StartDialing":
        return "CampaignStarted", _save(turn, group, status, "started", STARTED, mode=_mode(work))
    if order == "StopDialing":
        if state == "unloaded":
            raise Refusal("invalid_state")
        return "CampaignStopped", _save(turn, group, status, "loaded", STOPPED)
    if order == "UnloadCampaign":
        if state == "started":
            raise Refusal("invalid_state")
        return "CampaignUnloaded", unload(turn, group, status, UNLOADED)
    return "CampaignUnloaded", unload(turn, group, status, FORCE_UNLOADED)


def _mode(work: Work) -> DialMode | None:
    """Return the dial mode that a request names, None without one. Raises `Refusal` (`invalid_attribute`)."""
    given = work.data.get("GSW_CAMPAIGN_MODE")
    if given is None or given == "":
        return None
    mode = _MODES.get(given.lower()) if isinstance(given, str) else None
    if mode is None:
        raise Refusal("invalid_attribute", "GSW_CAMPAIGN_MODE")
    return mode


def _save(
    turn: Turn,
    group: CampaignGroup,
    status: GroupStatus,
    state: str,
    number: int | None = None,
    *,
    mode: DialMode | None = None,
) -> GroupStatus:
    """Store a state; a group that is loaded anew gets a new session id."""
    guid = turn.new_guid() if status.state == "unloaded" and state != "unloaded" else status.guid
    changed = GroupStatus(group.dbid, state, mode or status.dial_mode, guid)
    save_status(turn, changed)
    if number is not None and state != status.state:
        turn.group_messages.append((number, group.name))
    return changed


def unload(turn: Turn, group: CampaignGroup, status: GroupStatus, number: int) -> GroupStatus:
    """Unload a group: its live handles die, its records are ready again (P52)."""
    release_handouts_of(turn, group.dbid)
    return _save(turn, group, status, "unloaded", number)


def release_handouts_of(turn: Turn, group_dbid: int) -> None:
    """End every hand-out of a group without a result."""
    while ids := turn.tx.handouts_of_group(group_dbid, _SLICE):
        release_handouts(turn, ids)


def release_handouts(turn: Turn, handout_ids: Sequence[int]) -> None:
    """End hand-outs without a result; a list that is not open keeps its rows as they are."""
    book = Book(turn)
    book.open(handout_ids)
    for process in book.processes:
        process.release()
    book.save()
    turn.tx.close_handouts(handout_ids)


CONTROL_REQUESTS = frozenset(
    {"LoadCampaign", "StartDialing", "StopDialing", "UnloadCampaign", "ForceUnloadCampaign", "SetDialingMode"}
)
STATUS_REQUESTS = frozenset({"CampaignStatusRequest", "GetCampaignStatus"})
