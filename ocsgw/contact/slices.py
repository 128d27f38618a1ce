"""Requests by phone or customer id that concern very many records: done in slices, with other requests between."""

from collections.abc import Callable, Mapping, Sequence

from ocsgw.contact.directory import CallingList
from ocsgw.contact.groups import SLICE
from ocsgw.contact.transaction import Match, UnavailableListError
from ocsgw.contact.unit_of_work import Continuation, Reply, UnitOfWork
from ocsgw.protocol.messages import KV

# What is done to records of a list, given as chain ids by record ids; returns how many it concerned.
Act = Callable[[UnitOfWork, CallingList, Mapping[int, int]], int]
# A record that was found: DBID of its list, record id, chain id.
_Found = tuple[int, int, int]


def in_slices(
    unit: UnitOfWork,
    found: Sequence[tuple[CallingList, Sequence[Match]]],
    act: Act,
    acknowledge: Callable[[UnitOfWork, int], KV],
) -> Reply:
    """Act on all records that were found, at most `SLICE` of them in this transaction.

    Each slice has its line in the audit log; the event with the count of all comes after the last one, in a transaction
    of its own. A list that is closed meanwhile is passed over.
    """
    named = [
        (calling_list.dbid, match.record_id, match.chain_id) for calling_list, matches in found for match in matches
    ]
    if len(named) <= SLICE:
        return acknowledge(unit, _act_on(unit, named, act))
    return _next_slice(unit, named, 0, act, acknowledge)


def _next_slice(
    unit: UnitOfWork,
    named: Sequence[_Found],
    count: int,
    act: Act,
    acknowledge: Callable[[UnitOfWork, int], KV],
) -> Reply:
    done = _act_on(unit, named[:SLICE], act)
    others = named[SLICE:]

    def go_on(unit: UnitOfWork, _: object) -> Reply:
        if others:
            return _next_slice(unit, others, count + done, act, acknowledge)
        return acknowledge(unit, count + done)

    return Continuation(go_on, event=acknowledge(unit, done))


def _act_on(unit: UnitOfWork, named: Sequence[_Found], act: Act) -> int:
    by_list: dict[int, dict[int, int]] = {}
    for dbid, record_id, chain_id in named:
        by_list.setdefault(dbid, {})[record_id] = chain_id
    return sum(_act_on_list(unit, dbid, chains, act) for dbid, chains in by_list.items())


def _act_on_list(unit: UnitOfWork, dbid: int, chains: Mapping[int, int], act: Act) -> int:
    calling_list = unit.directory.list_by_dbid(dbid)
    if calling_list is None:
        return 0
    try:
        return act(unit, calling_list, chains)
    except UnavailableListError:
        return 0
