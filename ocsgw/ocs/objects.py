"""The objects of two servers of a pair have the same names and DBIDs, because the store knows them by these (C88).

Lists have the same tables and fields, too: what one server has stored the other one would not find.
"""

import zlib
from collections.abc import Iterator, Mapping

import msgspec

from ocsgw.config import Config
from ocsgw.config.model import CallingList

# A server with very many differences reports so many.
_MOST = 20
# What an earlier version does not say: the mode of servers, and what the store has for a list.
_TABLE, _FIELDS, _MODE = "table", "fields", "mode"
_Objects = dict[str, dict[str, int | str]]
_decoder = msgspec.json.Decoder(_Objects)


def objects_of(config: Config) -> str:
    """Return names and DBIDs of the objects of a configuration, by the name of their tables, as JSON.

    And what else has to be the same; of the fields of a list a checksum, because it is written again and again.
    """
    kinds = {
        "tenant": config.tenants,
        "time_zone": config.time_zones,
        "calling_list": config.calling_lists,
        "campaign": config.campaigns,
        "campaign_group": config.campaign_groups,
        "treatment": config.treatments,
    }
    named: _Objects = {kind: {each.name: each.dbid for each in objects} for kind, objects in kinds.items()}  # type: ignore[attr-defined]  # all have both
    lists = config.calling_lists
    named[_TABLE] = {
        "do_not_call": config.do_not_call.table,
        **{f"calling_list {each.name}": each.table for each in lists},
    }
    named[_MODE] = {"[ha]": config.ha.mode}
    named[_FIELDS] = {f"calling_list {each.name}": _checksum(each) for each in lists}
    return msgspec.json.encode(named, order="sorted").decode()


def _checksum(calling_list: CallingList) -> int:
    fields = sorted((each.name, each.type, each.send_attribute or "") for each in calling_list.fields)
    return zlib.crc32(msgspec.json.encode(fields))


def differences(ours: str, theirs: str) -> list[str]:
    """Return in which objects two servers differ, in words."""
    try:
        found = list(_differences(_decoder.decode(ours), _decoder.decode(theirs)))
    except msgspec.MsgspecError:
        return []
    more = [f"and {len(found) - _MOST} more"] if len(found) > _MOST else []
    return found[:_MOST] + more


def _differences(ours: _Objects, theirs: _Objects) -> Iterator[str]:
    for kind, here in ours.items():
        there = theirs.get(kind, {})
        if kind in (_TABLE, _FIELDS, _MODE):
            yield from _differing(kind, here, there)
            continue
        for name in sorted({*here, *there}):
            if name not in there:
                yield f"{kind} {name} is only configured here"
            elif name not in here:
                yield f"{kind} {name} is only configured on the primary"
            elif here[name] != there[name]:
                yield f"{kind} {name} has DBID {here[name]} here and {there[name]} on the primary"


def _differing(kind: str, here: Mapping[str, int | str], there: Mapping[str, int | str]) -> Iterator[str]:
    """Yield what differs of objects that both have: whether they do is said elsewhere."""
    for name in sorted({*here} & {*there}):
        if here[name] == there[name]:
            continue
        if kind == _FIELDS:
            yield f"{name} has other fields here than on the primary"
        else:
            yield f"{name} has {kind} {here[name]} here and {there[name]} on the primary"
