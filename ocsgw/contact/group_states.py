"""States of campaign groups in the store (protocol.md P53)."""

from ocsgw.contact.directory import CampaignGroup
from ocsgw.contact.transaction import GroupStatus
from ocsgw.contact.unit_of_work import UnitOfWork


def status_of(unit: UnitOfWork, group: CampaignGroup) -> GroupStatus:
    """Return the state of a group; one that was never seen has the state of the configuration (P53)."""
    if unit.group_statuses is None:
        unit.group_statuses = unit.tx.group_statuses()
    return unit.group_statuses.get(group.dbid) or first_status(unit, group)


def save_status(unit: UnitOfWork, status: GroupStatus) -> None:
    """Store the state of a group."""
    unit.tx.save_group_status(status)
    unit.group_statuses = None


def first_status(unit: UnitOfWork, group: CampaignGroup) -> GroupStatus:
    """Return the state of a group that is seen for the first time."""
    guid = "" if group.state == "unloaded" else unit.new_guid()
    return GroupStatus(group.dbid, group.state, group.dial_mode, guid)
