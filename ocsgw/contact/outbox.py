"""What others learn of once it is committed: desktops, third-party applications, web clients, operators, receivers.

Everything here is written in the transaction of the change that it is about, so that neither a crash nor a switch of
servers loses any of it or reports what was undone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import msgspec

from ocsgw.protocol.messages import KV


@dataclass(frozen=True, slots=True)
class GroupChanged:
    """A campaign group was loaded, started, stopped or unloaded, or its dial mode changed (protocol.md section 3.2).

    `event` is the name of the unsolicited event, `members` are its key-values without the common keys. `state` is what
    the group has become, `guid` the id of its loaded session.
    """

    event: str
    members: KV
    state: str
    guid: str


class RecordChanged(msgspec.Struct, frozen=True):
    """A record of a calling list was handed out, or changed; `kind` is the request, or the occasion, that did it.

    `before` and `after` are the columns that have changed, without those whose old value is not known. `handle` is 0
    without a hand-out. For records that were added `last_id` is the last one of those numbered from `record_id` on,
    each in a chain of its own, and `chain_id` is 0.
    """

    kind: str
    list_dbid: int
    chain_id: int
    record_id: int
    group_dbid: int = 0
    handle: int = 0
    principal: str = ""
    before: Mapping[str, object] = {}
    after: Mapping[str, object] = {}
    last_id: int = 0


# Rules append these to `UnitOfWork.outbox`; they are stored, and the committer hands them to its listeners after the
# commit.
Change = GroupChanged | RecordChanged


class OutboxEntry(msgspec.Struct, array_like=True):
    """A stored change. `number` ascends and never comes again, `at` is in seconds since 1970 UTC, `data` is JSON.

    DBIDs, ids and `handle` are 0 where the change has none.
    """

    number: int
    at: int
    kind: str
    list_dbid: int
    chain_id: int
    record_id: int
    group_dbid: int
    handle: int
    data: str


class Delivery(msgspec.Struct, array_like=True):
    """A notification that waits to be sent: `number` ascends, `body` is the JSON object of its key-values.

    `purpose` is that of the outgoing call (protocol.md section 8), `written_at` in seconds since 1970 UTC.
    """

    number: int
    purpose: str
    list_dbid: int
    chain_id: int
    written_at: int
    body: str


class EntryData(msgspec.Struct, omit_defaults=True):
    """The rest of an entry: who did it, the columns that changed, the last record of several, members of an event."""

    principal: str = ""
    before: dict[str, object] = {}
    after: dict[str, object] = {}
    last_id: int = 0
    members: dict[str, object] = {}


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(EntryData).decode


def entry_of(change: Change, now: int) -> OutboxEntry:
    """Return a change as it is stored; the engine gives it its number."""
    if isinstance(change, GroupChanged):
        dbid = change.members.get("GSW_CAMPAIGN_GROUP_DBID")
        data = EntryData(members=dict(change.members))
        return OutboxEntry(0, now, change.event, 0, 0, 0, dbid if isinstance(dbid, int) else 0, 0, _text(data))
    data = EntryData(
        change.principal,
        cast("dict[str, object]", change.before),
        cast("dict[str, object]", change.after),
        change.last_id,
    )
    return OutboxEntry(
        0,
        now,
        change.kind,
        change.list_dbid,
        change.chain_id,
        change.record_id,
        change.group_dbid,
        change.handle,
        _text(data),
    )


def data_of(entry: OutboxEntry) -> EntryData:
    """Return the rest of an entry."""
    return _decode(entry.data)


def _text(data: EntryData) -> str:
    return _encode(data).decode("utf-8")
