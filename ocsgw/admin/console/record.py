"""Record look-up: a chain as it is or was, and what has happened to it, as `ocsctl history` has it."""

from typing import Any

from twisted.web.server import Request

from ocsgw.admin.console.layout import Visitor, section
from ocsgw.admin.console.markup import Child, Markup, el, join, table
from ocsgw.admin.console.number import histories, parse_time
from ocsgw.admin.console.pages import Page, PageError, field, operation
from ocsgw.contact.zones import time_in_words
from ocsgw.protocol.enumerations import call_result_name, contact_type_name, record_status_name, record_type_name

_LARGEST = (1 << 62) - 1
_MOST_RECORDS = 10
_NAMES = {
    "contact_info_type": contact_type_name,
    "record_type": record_type_name,
    "record_status": record_status_name,
    "call_result": call_result_name,
}
_TIMES = frozenset({"dial_sched_time", "call_time"})
_DAILY = frozenset({"daily_from", "daily_till"})
_LATEST = 221845132800


class RecordPage(Page):
    """`/record`: `?handle=` asks about a record handle, `?chain=` with or without `?list=` about a chain."""

    path = "/record"
    title = "Record"
    is_for_all = True

    def content(self, request: Request, visitor: Visitor, message: Child) -> Any:
        """Return the form, and what is known about the record that was asked for."""
        handle, chain, name = (field(request, each) for each in ("handle", "chain", "list"))
        at = field(request, "at")
        form = join(message, self._form(handle, chain, name, at))
        if not handle and not chain:
            return form
        if handle and chain:
            raise PageError(400, "name a handle or a chain, not both")
        moment = parse_time(at) if at else None
        asked: dict[str, Any] = {"handle": _number(handle)} if handle else {"chain": _number(chain)}
        if chain and name:
            asked["calling_list"] = name
        found = operation(self.door.view, visitor, "history", **asked, at=moment)
        return found.addCallback(lambda chains: join(form, _chains(chains, moment)))

    def _form(self, handle: str, chain: str, name: str, at: str) -> Markup:
        lists = [each.name for each in self.door.view.directory().calling_lists]
        options = [el("option", each, value=each, selected=each == name) for each in lists]
        return el(
            "form",
            el("label", "Record handle", el("input", name="handle", value=handle, inputmode="numeric", size=14)),
            el("label", "or chain", el("input", name="chain", value=chain, inputmode="numeric", size=10)),
            el("label", "of calling list", el("select", el("option", "every list", value=""), *options, name="list")),
            el("label", "As of (UTC, empty for now)", el("input", name="at", type="datetime-local", value=at)),
            el("button", "Look up"),
            method="get",
            action="/record",
            class_="stack",
        )


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:20]) <= _LARGEST:
        raise PageError(400, f"{text!r} is not a number of a record")
    return int(text)


def _chains(chains: list[dict[str, Any]], at: int | None) -> Markup:
    if not chains:
        return el("p", "Nothing is known of such a record.")
    return join(*(join(_records(each, at), histories([each])) for each in chains))


def _records(chain: dict[str, Any], at: int | None) -> Markup:
    """Return the records of a chain, one in a column."""
    title = f"{chain['calling_list']}, chain {chain['chain_id']}"
    title += f", as of {time_in_words(at)} UTC" if at is not None else ""
    records = chain["records"][:_MOST_RECORDS]
    names = list(dict.fromkeys(name for record in records for name in record if name != "record_id"))
    rows: list[tuple[Child, ...]] = [
        (name, *(_shown(name, record[name]) if name in record else "not known" for record in records)) for name in names
    ]
    rows = [row for row in rows if any(row[1:])]
    head = ("Column", *(f"Record {record['record_id']}" for record in records))
    more = len(chain["records"]) - len(records)
    rest = el("p", f"and {more} more records of this chain", class_="soft") if more > 0 else None
    name = f"chain-{chain['chain_id']}-{chain['calling_list']}"
    return section(name, title, table(title, head, rows, "There was no record of this chain."), rest)


def _shown(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int) and name in _NAMES:
        return f"{_NAMES[name](value)} ({value})"
    if isinstance(value, int) and name in _TIMES and 0 < value <= _LATEST:
        return f"{time_in_words(value)} UTC ({value})"
    if isinstance(value, int) and name in _DAILY:
        return f"{value // 3600:02}:{value // 60 % 60:02} ({value})"
    return str(value)
