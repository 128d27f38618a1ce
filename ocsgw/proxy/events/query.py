"""What a client wants of `/events`: its query arguments, and the event that it saw last."""

import difflib
import re
from dataclasses import dataclass

from ocsgw.protocol.attributes import INT32_MAX
from ocsgw.protocol.errors import Refusal
from ocsgw.protocol.event_stream import StreamedEvent, type_named
from ocsgw.proxy.http.exchange import Exchange
from ocsgw.proxy.policy.target import arguments_of

_LIST, _GROUP, _TYPE, _LAST = "list", "campaigngroup", "type", "lastEventId"
_ARGUMENTS = (_LIST, _GROUP, _TYPE, _LAST)
_LONGEST_NAME = 255
_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII).fullmatch
_HIGHEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class StreamQuery:
    """What a stream is to show: names of lists, DBIDs of campaign groups, types of events; empty: all.

    `after` is the number of the event that the client saw last, None for one that begins now.
    """

    lists: tuple[str, ...] = ()
    groups: tuple[int, ...] = ()
    types: frozenset[str] = frozenset()
    after: int | None = None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What a stream shows: types, DBIDs of lists and of campaign groups; None for all."""

    types: frozenset[str] | None = None
    lists: frozenset[int] | None = None
    groups: frozenset[int] | None = None

    def passes(self, event: StreamedEvent) -> bool:
        """Whether an event is shown.

        One about a record needs the list, and the group where one handed the record out; one about a group needs the
        group alone.
        """
        if self.types is not None and event.type not in self.types:
            return False
        if self.lists is not None and event.list_dbid not in self.lists and (event.list_dbid or not event.group_dbid):
            return False
        return self.groups is None or not event.group_dbid or event.group_dbid in self.groups


def query_of(exchange: Exchange) -> StreamQuery:
    """Return what a request asks for. Raises `Refusal`: a slip in a filter would show too much, or nothing."""
    given: dict[str, list[str]] = {name: [] for name in _ARGUMENTS}
    for name, value in arguments_of(exchange.line.target.partition(b"?")[2]):
        if not name:
            raise Refusal("unnamed_argument")
        if name not in given:
            nearest = difflib.get_close_matches(name, _ARGUMENTS, 1, 0.0)
            raise Refusal("unknown_argument", name, nearest[0])
        given[name].append(value)
    if any(not 0 < len(each) <= _LONGEST_NAME for each in given[_LIST]):
        raise Refusal("invalid_attribute", _LIST)
    groups = tuple(_number(each, _GROUP, INT32_MAX) for each in given[_GROUP])
    return StreamQuery(tuple(given[_LIST]), groups, _types(given[_TYPE]), _last_seen(exchange, given[_LAST]))


def _types(written: list[str]) -> frozenset[str]:
    known = [type_named(each) for each in written]
    found = frozenset(each for each in known if each is not None)
    if None in known:
        raise Refusal("invalid_attribute", _TYPE)
    return found


def _last_seen(exchange: Exchange, given: list[str]) -> int | None:
    """Return the id that the client repeats: in the header, which browsers send by themselves, or as an argument."""
    sent = [value.decode("latin-1") for name, value in exchange.head.fields if name == b"last-event-id"]
    where = "Last-Event-ID" if sent else _LAST
    values = [each for each in sent or given if each]
    if len(values) > 1:
        raise Refusal("invalid_attribute", where)
    return _number(values[0], where, _HIGHEST) if values else None


def _number(text: str, name: str, highest: int) -> int:
    if _NUMBER(text) is None or int(text) > highest:
        raise Refusal("invalid_attribute", name)
    return int(text)
