"""The state of everything, for the model of the rules: rows, entries, hand-outs, groups, and how a hand-out ends.

Made from the specification alone; nothing of `ocsgw.contact` is used. Rows have the columns of their table.
"""

import re
import unicodedata
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]
KV = dict[str, Any]

# name: DBID, tenant, campaign, custom key to column, column of the customer id.
_CUSTOM = {"CustomerID": "cust_id", "Remarks": "remarks"}
LISTS: dict[str, tuple[int, int, int, dict[str, str], str | None]] = {
    "CL_Test": (201, 1, 301, _CUSTOM, "cust_id"),
    "CL_CALLBACK": (202, 1, 301, {}, None),
    "CL_Second": (211, 2, 311, _CUSTOM, "cust_id"),
}
CAMPAIGNS = {301: "Campaign1", 311: "Campaign2"}
# DBID: name, campaign, lists in the order of the campaign.
GROUPS: dict[int, tuple[str, int, tuple[str, ...]]] = {
    102: ("Campaign1@Group1", 301, ("CL_Test", "CL_CALLBACK")),
    103: ("Campaign1@Group3", 301, ("CL_Test", "CL_CALLBACK")),
    112: ("Campaign2@Group2", 311, ("CL_Second",)),
}
ZONES = {
    "GMT": (101, "Etc/UTC"),
    "CET": (1003, "Europe/Paris"),
    "IST": (1011, "Asia/Kolkata"),
    "PST": (102, "America/Los_Angeles"),
}
DEFAULT_ZONE = {1: "GMT", 2: "PST"}
# DBID, call result, action, interval, increment, cycle attempt, greatest number of attempts, list or None for all; in
# the order of their sequence.
TREATMENTS: list[tuple[int, int, str, int, int, int, int, str | None]] = [
    (401, 6, "retry_in", 300, 60, 2, 0, None),
    (402, 6, "assign_to_group", 0, 0, 1, 3, "CL_Test"),
    (403, 6, "next_in_chain", 300, 0, 2, 0, None),
    (404, 7, "next_in_chain", 0, 0, 0, 0, None),
    (405, 9, "finish", 0, 0, 0, 0, "CL_Test"),
    (406, 33, "agent_error", 0, 0, 0, 2, None),
    (407, 49, "no_call", 0, 0, 0, 0, None),
]


class RefusedError(Exception):
    """A request is refused; the argument is the code."""


def normal(contact: str) -> str:
    """Return the normal form of a contact (K40)."""
    text = unicodedata.normalize("NFKC", contact).strip()
    if "@" in text:
        return unicodedata.normalize("NFC", text).lower()
    text = re.sub("(?i)^tel:", "", text)
    number, _, rest = text.partition(";")
    number = "".join(
        each
        for each in number
        if not each.isspace() and unicodedata.category(each) not in ("Pd", "Cf") and each not in "-.()/_"
    )
    extension = re.match("(?i)ext=([0-9]+)", rest)
    return f"{number}x{extension[1]}" if extension else re.sub("(?i)([0-9])(?:ext|x)([0-9]+)$", r"\1x\2", number)


def covers(entry: str, contact: str) -> bool:
    """Whether the contact of an entry covers a contact: without an extension all of them (K40)."""
    return normal(contact) == normal(entry) or re.sub("x[0-9]+$", "", normal(contact)) == normal(entry)


class World:
    """The state of everything, and what each request does to it.

    `scope` is `[do_not_call] scope`, `priorities` those of general and rescheduled records, campaign and personal
    callbacks.
    """

    def __init__(self, now: int, *, scope: str, treat: bool, priorities: tuple[int, int, int, int]) -> None:
        self.now = now
        self.scope = scope
        self.treat = treat
        self.priorities = priorities
        self.lists: dict[str, list[Row]] = {name: [] for name in LISTS}
        self.entries: list[Row] = []
        self.handouts: list[dict[str, Any]] = []
        self.spent: dict[int, tuple[KV, int]] = {}
        self.groups = {dbid: ["started", "Preview"] for dbid in GROUPS}
        self.last_handle = 0

    # What everything needs.

    def _event(self, name: str, data: KV, members: KV) -> KV:
        event = {"GSW_USER_EVENT": name, "GSW_APPLICATION_ID": 134, **members}
        if "GSW_REFERENCE_ID" in data:
            event["GSW_REFERENCE_ID"] = data["GSW_REFERENCE_ID"]
        return event

    def _zone(self, name: str, row: Row) -> tuple[str, ZoneInfo]:
        for zone, (dbid, key) in ZONES.items():
            if dbid == row["tz_dbid"]:
                return zone, ZoneInfo(key)
        default = DEFAULT_ZONE[LISTS[name][1]]
        return default, ZoneInfo(ZONES[default][1])

    def _customer(self, name: str, row: Row) -> str | None:
        column = LISTS[name][4]
        return row[column].strip() or None if column is not None and row[column] is not None else None

    def _covered(self, name: str, phone: str, customer: str | None, campaign: int) -> bool:
        """Whether an entry covers a contact or customer id (K43)."""
        dbid, tenant, of_list, _, _ = LISTS[name]
        for entry in self.entries:
            named = (entry["phone"] is not None and covers(entry["phone"], phone)) or (
                entry["customer_id"] is not None and customer is not None and entry["customer_id"].strip() == customer
            )
            if (
                named
                and (entry["tenant_dbid"] or tenant) == tenant
                and (entry["list_dbid"] or dbid) == dbid
                and (entry["campaign_dbid"] or campaign or of_list) == (campaign or of_list)
                and (not entry["expires_at"] or entry["expires_at"] > self.now)
            ):
                return True
        return False

    def _row_covered(self, name: str, row: Row) -> bool:
        return self._covered(name, row["contact_info"], self._customer(name, row), row["campaign_id"])

    def _chain(self, name: str, chain: int) -> list[Row]:
        return sorted((row for row in self.lists[name] if row["chain_id"] == chain), key=lambda row: row["chain_n"])

    def _set_custom(self, name: str, row: Row, data: KV) -> None:
        for key, column in LISTS[name][3].items():
            if data.get(key):
                row[column] = data[key]

    def _when(self, text: str, zone: str) -> int:
        moment = datetime.strptime(text, "%m/%d/%Y %H:%M").replace(tzinfo=ZoneInfo(zone))
        return int(moment.timestamp()) or 1

    def _shown(self, name: str, row: Row, zone: str) -> KV:
        """Return the keys that AddRecordAcknowledge and PreviewRecord share."""
        members = {
            "GSW_PHONE": row["contact_info"],
            "GSW_PHONE_TYPE": row["contact_info_type"],
            "GSW_RECORD_TYPE": row["record_type"],
            "GSW_CALL_RESULT": row["call_result"],
            "GSW_ATTEMPTS": row["attempt"],
            "GSW_FROM": row["daily_from"],
            "GSW_UNTIL": row["daily_till"],
            "GSW_TZ_NAME": zone,
            "GSW_CHAIN_N": row["chain_n"],
        }
        if row["dial_sched_time"]:
            moment = datetime.fromtimestamp(row["dial_sched_time"], ZoneInfo(ZONES[zone][1]))
            members["GSW_DATE_TIME"] = moment.strftime("%m/%d/%Y %H:%M")
        for key, column in LISTS[name][3].items():
            if row[column] is not None:
                members[key] = row[column]
        return members

    def _seen(self, handout: dict[str, Any], row: Row) -> KV:
        """Return the keys of a record in process without those of its group (H291)."""
        name = handout["list"]
        zone, clock = self._zone(name, row)
        keys = self._keys(handout, row)
        offset = datetime.fromtimestamp(self.now, clock).utcoffset()
        assert offset is not None
        members = {
            **keys,
            **self._shown(name, row, zone),
            "GSW_RECORD_URI": f"http://ocs.example:8080/records/{keys['GSW_RECORD_HANDLE']}",
            "GSW_CALLING_LIST_DBID": LISTS[name][0],
            "GSW_TZ_OFFSET": int(offset.total_seconds()),
        }
        if row["agent_id"]:
            members["GSW_AGENT_ID"] = row["agent_id"]
        customer = self._customer(name, row)
        if customer:
            members["GSW_CUSTOMER_ID"] = customer
        return members

    def _keys(self, handout: dict[str, Any], row: Row) -> KV:
        return {
            "GSW_RECORD_HANDLE": handout["handles"][row["record_id"]]["handle"],
            "GSW_CALLING_LIST": handout["list"],
            "GSW_CAMPAIGN_NAME": CAMPAIGNS[GROUPS[handout["group"]][1]],
            "GSW_CHAIN_ID": handout["chain"],
        }

    # The end of a hand-out.

    def _in_process(self, handout: dict[str, Any]) -> list[Row]:
        chain = self._chain(handout["list"], handout["chain"])
        return [row for row in chain if row["record_id"] in handout["handles"] and row["record_status"] == 2]

    def _finish(self, handout: dict[str, Any], record: Row, status: int) -> None:
        """H212, H213, H232."""
        others = [row for row in self._in_process(handout) if row is not record]
        record["record_status"] = status
        chain = self._chain(handout["list"], handout["chain"])
        agreed = [row for row in chain if row["record_id"] in handout["rescheduled"] and row["record_type"] != 7]
        stays = status == 1 or any(row["record_status"] in (1, 2) for row in agreed if row is not record)
        for row in others:
            if any(row is each for each in agreed):
                row["record_status"] = 1
            else:
                row["record_status"] = 9 if stays and row["record_type"] != 7 else 7
        self.handouts.remove(handout)

    def _release(self, handout: dict[str, Any]) -> None:
        """H240, H278, P52."""
        for row in self._in_process(handout):
            if row["record_type"] == 7:
                row["record_status"] = 3
            elif row["record_id"] == handout["record"] or row["record_id"] in handout["rescheduled"]:
                row["record_status"] = 1
            else:
                row["record_status"] = handout["handles"][row["record_id"]]["prior"]
        self.handouts.remove(handout)

    def pass_time(self, seconds: int) -> None:
        """Let time pass: what was not finished returns."""
        self.now += seconds
        for handout in [each for each in self.handouts if each["expires"] <= self.now]:
            self._release(handout)

    def block(self, column: str, value: str, where: tuple[int, int, int], expires_at: int = 0) -> None:
        """Make an entry for a contact or customer id, unless an equal one lasts for ever (H264)."""
        entry: Row = {"phone": None, "customer_id": None, column: value.strip(), "expires_at": expires_at or None}
        entry |= dict(zip(("tenant_dbid", "campaign_dbid", "list_dbid"), where, strict=True))
        if expires_at or self.shown_entry(entry) not in [self.shown_entry(each) for each in self.entries]:
            self.entries.append(entry)

    @staticmethod
    def shown_entry(entry: Row) -> tuple[Any, ...]:
        """Return what of an entry can be compared: its spelling may be that of any equal one (K40, K42)."""
        phone = normal(entry["phone"]) if entry["phone"] is not None else None
        scope = tuple(entry[column] or 0 for column in ("tenant_dbid", "campaign_dbid", "list_dbid"))
        customer_id = entry["customer_id"].strip() if entry["customer_id"] is not None else None
        return phone, customer_id, scope, entry["expires_at"] or 0
