"""The objects of two servers of a pair have the same names and DBIDs, because the store knows them by these (C88)."""

from collections.abc import Iterator

import msgspec

from ocsgw.config import Config

# A server with very many differences reports so many.
_MOST = 20
_decoder = msgspec.json.Decoder(dict[str, dict[str, int]])


def objects_of(config: Config) -> str:
    """Return names and DBIDs of the objects of a configuration, by the name of their tables, as JSON."""
    kinds = {
        "tenant": config.tenants,
        "time_zone": config.time_zones,
        "calling_list": config.calling_lists,
        "campaign": config.campaigns,
        "campaign_group": config.campaign_groups,
        "treatment": config.treatments,
    }
    named = {kind: {each.name: each.dbid for each in objects} for kind, objects in kinds.items()}  # type: ignore[attr-defined]  # all have both
    return msgspec.json.encode(named, order="sorted").decode()


def differences(ours: str, theirs: str) -> list[str]:
    """Return in which objects two servers differ, in words."""
    try:
        found = list(_differences(_decoder.decode(ours), _decoder.decode(theirs)))
    except msgspec.MsgspecError:
        return []
    more = [f"and {len(found) - _MOST} more"] if len(found) > _MOST else []
    return found[:_MOST] + more


def _differences(ours: dict[str, dict[str, int]], theirs: dict[str, dict[str, int]]) -> Iterator[str]:
    for kind, here in ours.items():
        there = theirs.get(kind, {})
        for name in sorted({*here, *there}):
            if name not in there:
                yield f"{kind} {name} is only configured here"
            elif name not in here:
                yield f"{kind} {name} is only configured on the primary"
            elif here[name] != there[name]:
                yield f"{kind} {name} has DBID {here[name]} here and {there[name]} on the primary"
