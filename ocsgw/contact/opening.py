"""What is put right when the store is opened, and what time brings about (K2, P53, H278)."""

from ocsgw.contact.groups import first_status, release_handouts_of
from ocsgw.contact.handouts import Book
from ocsgw.contact.transaction import GroupStatus, UnavailableListError
from ocsgw.contact.work import Turn


def prepare(turn: Turn) -> dict[str, int]:
    """Give groups that are new their first state, unload those that are gone, and free rows that nobody holds.

    Returns how many records were freed, by calling list (K2, C67).
    """
    known = turn.tx.group_statuses()
    for group in turn.directory.groups:
        if group.dbid not in known:
            turn.tx.save_group_status(first_status(turn, group))
    configured = {group.dbid for group in turn.directory.groups}
    for dbid, status in known.items():
        if dbid not in configured and status.state != "unloaded":
            release_handouts_of(turn, dbid)
            turn.tx.save_group_status(GroupStatus(dbid, "unloaded", status.dial_mode, status.guid))
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
        book = Book(turn.tx, turn.directory, turn.now)
        book.open(ids)
        for process in book.processes:
            process.release()
        book.save()
        turn.tx.close_handouts(ids)
    return len(ids)
