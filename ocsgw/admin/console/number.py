"""Number look-up: why a number would, or would not, be handed out, as `ocsctl explain` has it."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from twisted.internet.defer import inlineCallbacks
from twisted.web.server import Request

from ocsgw.admin.console.layout import Visitor
from ocsgw.admin.console.markup import Child, Markup, el, join, table
from ocsgw.admin.console.pages import Page, PageError, field, operation
from ocsgw.contact.zones import both_times, time_in_words

# The end of the year 9000, behind which there is no calendar.
_LATEST = 221845132800
_MOST_CHANGES = 100


class Number(Page):
    """`/number`: `?phone=` asks about a number, `?refusal=` about the number of a refused request."""

    path = "/number"
    title = "Number"
    is_for_all = True

    def content(self, request: Request, visitor: Visitor, message: Child) -> Any:
        """Return the form, and what is known about the number that was asked for."""
        phone, at = field(request, "phone"), field(request, "at")
        if wanted := field(request, "refusal"):
            phone = self._of_refusal(wanted)
        form = join(message, _form(phone, at))
        if not phone:
            return form
        return self._asked(visitor, phone, parse_time(at) if at else None).addCallback(lambda found: join(form, found))

    @inlineCallbacks
    def _asked(self, visitor: Visitor, phone: str, at: int | None) -> Any:
        explained: Any = yield operation(self.door.view, visitor, "explain", contact=phone, at=at)
        chains: Any = yield operation(self.door.view, visitor, "history", contact=phone)
        return join(explanation(explained), histories(chains))

    def _of_refusal(self, number: str) -> str:
        for each in self.door.view.refusals():
            if str(each.number) == number and each.contact:
                return str(each.contact)
        raise PageError(404, "this refusal is not kept any more; look the number up")


def _form(phone: str, at: str) -> Markup:
    return el(
        "form",
        el("label", "Number", el("input", name="phone", value=phone, required=True, maxlength=128)),
        el("label", "At (UTC, empty for now)", el("input", name="at", type="datetime-local", value=at)),
        el("button", "Explain"),
        method="get",
        action="/number",
        class_="stack",
    )


def parse_time(text: str) -> int:
    """Return the time of a field, in seconds since 1970 UTC. Raises `PageError`."""
    try:
        moment = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    except (ValueError, OverflowError):
        raise PageError(400, f"{text!r} is not a valid time; write for example 2026-11-23T09:00") from None
    if not 0 <= moment <= _LATEST:
        raise PageError(400, "this time is outside the years 1970 to 9000")
    return moment


def explanation(found: dict[str, Any]) -> Markup:
    """Return an explanation as HTML."""
    asked = found["at"]
    parts: list[Child] = [
        el("p", f"Calling list {name} cannot be used; the log has the reason.", class_="warn")
        for name in found["unavailable"]
    ]
    if not found["records"] and not found["unreadable"]:
        parts.append(el("p", "No record of any calling list has this number."))
    for record in found["records"]:
        chain = _link_to_chain(record["calling_list"], record["chain_id"])
        head = join(f"{record['calling_list']}, record {record['record_id']} (", chain, f"): {record['contact']}")
        facts = el("ul", *(el("li", fact) for fact in record["facts"]))
        verdicts = [_verdict(each, record["zone"], asked) for each in record["verdicts"]]
        nobody = None if verdicts else el("p", "No campaign group hands out records of this list.")
        parts.append(el("section", el("h2", head), facts, *verdicts, nobody))
    for record in found["unreadable"]:
        title = f"{record['calling_list']}, record {record['record_id']}: {record['contact']}"
        text = f"Never handed out: its value in column {record['column']} cannot be read; correct it in the database."
        parts.append(el("section", el("h2", title), el("p", text, class_="bad")))
    entries = [
        el("li", each["text"] + (" (over)" if 0 < each["expires_at"] <= asked else "")) for each in found["entries"]
    ]
    listed = el("ul", *entries) if entries else el("p", "No entry for this number.")
    parts.append(el("section", el("h2", "Do-not-call list"), listed))
    return join(el("p", f"{found['contact']} at {time_in_words(asked)} UTC", class_="soft"), *parts)


def _link_to_chain(calling_list: str, chain_id: int) -> Markup:
    query = urlencode({"list": calling_list, "chain": chain_id})
    return el("a", f"chain {chain_id}", href=f"/record?{query}")


def _verdict(verdict: dict[str, Any], zone: str, asked: int) -> Markup:
    whom = f" to agent {verdict['agent']}" if verdict["agent"] else ""
    if verdict["would"]:
        until = f", until {_both(verdict['until'], zone)} when its daily window closes" if verdict["until"] else ""
        return el("p", f"{verdict['group']}: would be handed out{whom} now in its turn{until}", class_="good")
    if verdict["not_before"] is None:
        first = f"{verdict['group']}: not handed out{whom} until somebody changes that"
    else:
        first = f"{verdict['group']}: not before {_both(verdict['not_before'], zone)}{whom}"
    reasons = [el("li", f"{each['text']} ({each['rule']})") for each in verdict["reasons"]]
    return join(el("p", first, class_="warn"), el("ul", *reasons))


def _both(moment: int, zone: str) -> str:
    return both_times(moment, ZoneInfo(zone))


def histories(chains: list[dict[str, Any]]) -> Markup:
    """Return what has happened to the chains of a number, as `ocsctl history` has it."""
    parts = []
    for chain in chains:
        rows: list[tuple[Child, ...]] = [
            (
                time_in_words(each["at"]),
                each["record_id"],
                each["kind"],
                each["principal"],
                each["group"],
                each["handle"] or "",
                _changes(each),
            )
            for each in reversed(chain["changes"][-_MOST_CHANGES:])
        ]
        title = f"History of {chain['calling_list']}, chain {chain['chain_id']}"
        head = ("UTC", "Record", "What", "Who", "Group", "Handle", "Columns")
        parts.append(el("section", el("h2", title), table(title, head, rows, "No change is known.")))
    return join(*parts)


def _changes(change: dict[str, Any]) -> str:
    before, after = change["before"], change["after"]
    return ", ".join(
        f"{column}: {before.get(column, '?')} -> {value}"
        for column, value in after.items()
        if column not in before or before[column] != value
    )
