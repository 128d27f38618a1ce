"""Who is shown that a hand-out has ended (protocol.md section 3.2, P132)."""

from collections.abc import Collection

from ocsgw.contact.handout_cache import HandoutCache
from ocsgw.contact.handouts import ActiveHandout, record_keys
from ocsgw.contact.notices import Notice
from ocsgw.contact.transaction import Handle
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.protocol.context import NOBODY, RequestContext
from ocsgw.protocol.enumerations import RecordStatus

_CANCELLED = RecordStatus.CANCELLED.value


def show_end(unit: UnitOfWork, handed_out: ActiveHandout, by: RequestContext = NOBODY) -> None:
    """Show the desktops of all holders that a hand-out has ended; who has ended it has its acknowledgement (P132).

    Each record that was cancelled is shown as cancelled, to all other desktops (H252); else the one that was handed out
    is removed from the desktops of the other agents.
    """
    holders = tuple(handed_out.handout.holding)
    if not holders or handed_out.end_is_shown or handed_out.is_claim:
        return
    handed_out.end_is_shown = True
    is_shown = False
    for member in handed_out.members:
        if member.handle is not None and member.record.record_status == _CANCELLED:
            unit.notices.append(Notice("RecordCancel", record_keys(handed_out, member), holders, by.session))
            is_shown = is_shown or member.record.record_id == handed_out.handout.record_id
    others = tuple(each for each in holders if each != by.agent_id)
    if is_shown or not others:
        return
    for member in handed_out.members:
        if member.record.record_id == handed_out.handout.record_id:
            unit.notices.append(Notice("RecordRemove", record_keys(handed_out, member), others, by.session))


def show_ends(unit: UnitOfWork, handout_ids: Collection[int]) -> None:
    """Show the desktops of holders that hand-outs end which are about to be closed."""
    handouts_cache = HandoutCache(unit)
    handouts_cache.open(handout_ids)
    for handed_out in handouts_cache.active:
        show_end(unit, handed_out)


def show_cancelled(unit: UnitOfWork, handles: Collection[Handle], by: RequestContext) -> None:
    """Show the desktops of holders that records were cancelled, whose handles are about to die (H252)."""
    dying = {each.handle for each in handles}
    handouts_cache = HandoutCache(unit)
    handouts_cache.open({each.handout_id for each in handles})
    for handed_out in handouts_cache.active:
        holders = () if handed_out.is_claim else tuple(handed_out.handout.holding)
        for member in handed_out.members:
            if holders and member.handle is not None and member.handle.handle in dying:
                unit.notices.append(Notice("RecordCancel", record_keys(handed_out, member), holders, by.session))
