"""What is put right when the store is opened, and what time brings about (K2, P53, H278)."""

from ocsgw.contact.group_states import first_status, save_status
from ocsgw.contact.groups import LAST_HANDLE, SLICE, release_handouts, release_slice
from ocsgw.contact.journal import RECORD_TIMEOUT
from ocsgw.contact.late_results import remember_expired
from ocsgw.contact.transaction import GroupStatus, UnavailableListError
from ocsgw.contact.unit_of_work import Unfinished, UnitOfWork


def prepare(unit: UnitOfWork) -> dict[str, int] | Unfinished[dict[str, int]]:
    """Give groups that are new their first state, unload those that are gone, and free rows that nobody holds.

    Returns how many records were freed, by calling list (K2, C67). What unloaded groups hold, because they are gone or
    because the server ended while it unloaded one, is released in slices.
    """
    # Another server may have served meanwhile.
    unit.backlog.forget()
    # Before anybody is called: contacts are compared by their normal forms.
    if renew_contact_forms(unit, SLICE):
        return Unfinished(prepare)
    known = unit.tx.group_statuses()
    for group in unit.directory.groups:
        if group.dbid not in known:
            save_status(unit, first_status(unit, group))
    configured = {group.dbid for group in unit.directory.groups}
    for dbid, status in known.items():
        if dbid not in configured and status.state != "unloaded":
            save_status(unit, GroupStatus(dbid, "unloaded", status.dial_mode, status.guid))
    freed = {}
    for calling_list in unit.directory.calling_lists:
        try:
            count = unit.tx.reset_unexplained(calling_list)
        except UnavailableListError:
            continue
        if count:
            freed[calling_list.name] = count
    return _release_unloaded(unit, freed)


def renew_contact_forms(unit: UnitOfWork, at_most: int) -> int:
    """Store normal forms of do-not-call entries that other programs have written; return how many (K40)."""
    return unit.tx.renew_contact_forms((tenant.country for tenant in unit.directory.tenants), at_most)


def _release_unloaded(unit: UnitOfWork, freed: dict[str, int]) -> dict[str, int] | Unfinished[dict[str, int]]:
    for dbid, status in unit.tx.group_statuses().items():
        if status.state == "unloaded" and len(release_slice(unit, dbid, LAST_HANDLE)) == SLICE:
            return Unfinished(lambda unit: _release_unloaded(unit, freed))
    return freed


def expire(unit: UnitOfWork, at_most: int) -> int:
    """End hand-outs whose time is over, at most so many; return how many there were (H278).

    One that began in the future, before the clock was corrected, begins anew: it would stay in process for as long.
    """
    longest = max((group.timeout for group in unit.directory.groups), default=0)
    unit.tx.restart_future_handouts(unit.now, unit.now + longest)
    ids = unit.tx.expired_handouts(unit.now, at_most)
    if ids:
        release_handouts(unit, ids, RECORD_TIMEOUT, remember_expired)
    return len(ids)
