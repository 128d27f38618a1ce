"""Auto completion: campaign groups without a record left are stopped and unloaded (protocol.md P126, P127)."""

from ocsgw.contact.directory import CampaignGroup
from ocsgw.contact.group_states import status_of
from ocsgw.contact.groups import LAST_HANDLE, STOPPED, UNLOADED, auto_completes, change_state
from ocsgw.contact.transaction import UnavailableListError
from ocsgw.contact.unit_of_work import UnitOfWork


def complete_groups(unit: UnitOfWork) -> int:
    """Stop and unload the started groups that are complete; return how many there were."""
    count = 0
    for group in unit.directory.groups:
        status = status_of(unit, group)
        if status.state == "started" and auto_completes(group, status) and not _has_work(unit, group):
            stopped = change_state(unit, group, status, "loaded", STOPPED)
            change_state(unit, group, stopped, "unloaded", UNLOADED)
            count += 1
    return count


def _has_work(unit: UnitOfWork, group: CampaignGroup) -> bool:
    """Whether a hand-out of a group is live, or a list has a record that it could hand out now or later.

    What a list that is not open has is not known, so it counts as work.
    """
    if unit.tx.handouts_of_group(group.dbid, LAST_HANDLE, 1):
        return True
    campaigns = [0, group.campaign.dbid]
    try:
        return any(
            unit.tx.windows(each, campaigns, [""]) or unit.tx.waiting_agents(each, campaigns, "", 1)
            for each in group.campaign.calling_lists
            if each.enabled
        )
    except UnavailableListError:
        return True
