"""What is put right when the store is opened, and what time brings about (K2, P53, H278)."""

from ocsgw.contact.groups import first_status, release_handouts, release_handouts_of, save_status
from ocsgw.contact.transaction import GroupStatus, UnavailableListError
from ocsgw.contact.work import Turn


def prepare(turn: Turn) -> dict[str, int]:
    """Give groups that are new their first state, unload those that are gone, and free rows that nobody holds.

    Returns how many records were freed, by calling list (K2, C67).
    """
    known = turn.tx.group_statuses()
    for group in turn.directory.groups:
        if group.dbid not in known:
            save_status(turn, first_status(turn, group))
    configured = {group.dbid for group in turn.directory.groups}
    for dbid, status in known.items():
        if dbid not in configured and status.state != "unloaded":
            release_handouts_of(turn, dbid)
            save_status(turn, GroupStatus(dbid, "unloaded", status.dial_mode, status.guid))
    freed = {}
    for calling_list in turn.directory.calling_lists:
        try:
            count = turn.tx.reset_unexplained(calling_list)
        except UnavailableListError:
            continue
        if count:
            freed[calling_list.name] = count
    return freed


def expire(turn: Turn, at_most: int) -> int:
    """End hand-outs whose time is over, at most so many; return how many there were (H278)."""
    ids = turn.tx.expired_handouts(turn.now, at_most)
    if ids:
        release_handouts(turn, ids)
    return len(ids)
