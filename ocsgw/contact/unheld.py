"""Records that end as if they had been handed out, though nobody holds them (http.md H360)."""

from collections.abc import Sequence

from ocsgw.contact.choice.eligibility import may_take_part
from ocsgw.contact.directory import CallingList
from ocsgw.contact.dnc_lookup import dnc_lookup_of
from ocsgw.contact.handouts import ActiveHandout, Member
from ocsgw.contact.transaction import Handle, Handout, Record
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.protocol.enumerations import RecordStatus


def as_if_handed_out(
    unit: UnitOfWork, calling_list: CallingList, record_id: int, chain: Sequence[Record]
) -> tuple[ActiveHandout, Member] | None:
    """Return a hand-out of a record with the members of its chain that can take part, without handles in the store.

    None if the record cannot be handed out, or is on the do-not-call list. Changes of the members are for the caller to
    store.
    """
    able = [each for each in chain if may_take_part(each)]
    lookups = [dnc_lookup_of(unit.directory, calling_list, each) for each in able]
    covered = {able[place].record_id for place in unit.tx.blocked(calling_list, lookups, unit.now)}
    if record_id in covered or record_id not in {each.record_id for each in able}:
        return None
    members = []
    for each in able:
        if each.record_id not in covered:
            handle = Handle(0, 0, calling_list.dbid, each.record_id, each.record_status, "")
            each.record_status = RecordStatus.RETRIEVED.value
            members.append(Member(each, handle))
    (member,) = (each for each in members if each.record.record_id == record_id)
    handout = Handout(0, calling_list.dbid, member.record.chain_id, record_id, 0, "", unit.now, 0, 0, [])
    return ActiveHandout(handout, calling_list, None, None, members), member
