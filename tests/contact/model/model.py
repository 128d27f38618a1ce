"""The rules once more, from the specification alone: plain dictionaries and loops, one request after the other."""

from datetime import datetime
from typing import Any

from tests.contact.model.handle_requests import HandleRequests
from tests.contact.model.world import CAMPAIGNS, DEFAULT_ZONE, GROUPS, KV, LISTS, ZONES, RefusedError, Row, normal

_EVENTS = {"unloaded": "CampaignUnloaded", "loaded": "CampaignLoaded", "started": "CampaignStarted"}


class Model(HandleRequests):
    """All requests. Events are those of http.md section 10 without the call attempt GUID."""

    def request(self, data: KV, agent: str | None = None) -> KV:
        """Return the event of a request; `agent` is that of a desktop. A refusal is `{"error": code}`."""
        kind = data["GSW_AGENT_REQ_TYPE"]
        try:
            if kind == "AddRecord":
                return self._add(data)
            if "GSW_RECORD_HANDLE" in data:
                return self._by_handle(kind, data, agent)
            if kind == "PreviewRecordRequest":
                return self._preview(data, agent)
            if kind in ("DoNotCall", "RequestRecordCancel"):
                return self._by_name(kind, data)
            return self._control(kind, data)
        except RefusedError as error:
            return {"error": error.args[0]}

    # AddRecord.

    def _add(self, data: KV) -> KV:
        name = data["GSW_CALLING_LIST"]
        _, tenant, campaign, custom, _ = LISTS[name]
        rows = self.lists[name]
        zone = data.get("GSW_TZ_NAME", DEFAULT_ZONE[tenant])
        chain = data.get("GSW_CHAIN_ID")
        if chain is not None and not self._chain(name, chain):
            raise RefusedError("chain_not_found")
        row: Row = {
            "record_id": max((row["record_id"] for row in rows), default=0) + 1,
            "contact_info": data["GSW_PHONE"],
            "contact_info_type": data.get("GSW_PHONE_TYPE", 0),
            "record_type": data.get("GSW_RECORD_TYPE", 2),
            "record_status": data.get("GSW_RECORD_STATUS", 1),
            "call_result": data.get("GSW_CALL_RESULT", 28),
            "attempt": data.get("GSW_ATTEMPTS", 0),
            "dial_sched_time": 0,
            "call_time": data.get("GSW_CALL_TIME", 0),
            "daily_from": data.get("GSW_FROM", 0),
            "daily_till": data.get("GSW_UNTIL", 86399),
            "tz_dbid": ZONES[zone][0],
            "campaign_id": campaign,
            "agent_id": data.get("GSW_AGENT_ID"),
            "chain_id": chain or max((row["chain_id"] for row in rows), default=0) + 1,
            "chain_n": self._chain(name, chain)[-1]["chain_n"] + 1 if chain is not None else 0,
            "group_id": None,
            "app_id": None,
            "treatments": None,
            **dict.fromkeys(custom.values()),
        }
        if "GSW_DATE_TIME" in data:
            row["dial_sched_time"] = self._when(data["GSW_DATE_TIME"], ZONES[zone][1])
        self._set_custom(name, row, data)
        if self._row_covered(name, row):
            row["record_type"], row["call_result"] = 7, 51
        rows.append(row)
        members = {
            "GSW_CALLING_LIST": name,
            "GSW_CAMPAIGN_NAME": CAMPAIGNS[campaign],
            "GSW_RECORD_STATUS": row["record_status"],
            **self._shown(name, row, zone),
            "GSW_CHAIN_ID": row["chain_id"],
        }
        return self._event("AddRecordAcknowledge", data, members)

    # Preview.

    def _can(self, name: str, row: Row, campaign: int, agent: str) -> bool:
        """Whether a record may be handed out, but for the do-not-call table (H271)."""
        local = datetime.fromtimestamp(self.now, self._zone(name, row)[1])
        second = local.hour * 3600 + local.minute * 60 + local.second
        start, end = row["daily_from"], row["daily_till"]
        within = start <= second <= end if start < end else start == end or second >= start or second <= end
        return (
            row["record_status"] == 1
            and row["record_type"] != 7
            and row["dial_sched_time"] <= self.now
            and within
            and all(other["record_status"] != 2 for other in self._chain(name, row["chain_id"]))
            and not (row["record_type"] in (4, 5) and row["agent_id"] and row["agent_id"] != agent)
            and row["campaign_id"] in (0, campaign)
        )

    def _order(self, row: Row) -> tuple[int, int, int]:
        """Return what records are ordered by: priority by type, then those with a time (H273, H359)."""
        priority = self.priorities[{3: 1, 6: 2, 4: 3, 5: 3}.get(row["record_type"], 0)]
        is_later, time = (0, row["dial_sched_time"]) if row["dial_sched_time"] else (1, row["call_time"])
        return -priority, is_later, time

    def _next(self, campaign: int, lists: tuple[str, ...], agent: str) -> tuple[str, Row] | None:
        """Return the next record; what is found to be covered on the way is marked (H272 to H274)."""
        able = [(name, row) for name in lists for row in self.lists[name] if self._can(name, row, campaign, agent)]
        able.sort(key=lambda each: (*self._order(each[1]), each[1]["record_id"], lists.index(each[0])))
        for name, row in able:
            members = [each for each in self._chain(name, row["chain_id"]) if each["record_status"] in (1, 9)]
            for each in members:
                if each["record_type"] != 7 and self._row_covered(name, each):
                    each.update(record_type=7, call_result=51, record_status=3)
            ready = [each for each in members if self._can(name, each, campaign, agent)]
            if ready and row is min(ready, key=lambda each: (self._order(each), each["chain_n"])):
                return name, row
        return None

    def _preview(self, data: KV, desktop: str | None) -> KV:
        dbid = data["GSW_CAMPAIGN_GROUP_DBID"]
        group, campaign, lists = GROUPS[dbid]
        state, mode = self.groups[dbid]
        if desktop is not None and data.get("GSW_AGENT_ID", desktop) != desktop:
            raise RefusedError("invalid_attribute")
        if state != "started":
            raise RefusedError("group_not_active")
        agent = data.get("GSW_AGENT_ID") or desktop or ""
        of_group = {"GSW_CAMPAIGN_GROUP_NAME": group, "GSW_CAMPAIGN_GROUP_DBID": dbid}
        found = self._next(campaign, lists, agent)
        if found is None:
            return self._event("PreviewRecordEmpty", data, {"GSW_CAMPAIGN_NAME": CAMPAIGNS[campaign], **of_group})
        name, record = found
        members = [each for each in self._chain(name, record["chain_id"]) if each["record_status"] in (1, 9)]
        members = [each for each in members if each["record_type"] != 7]
        handout: dict[str, Any] = {
            "list": name,
            "chain": record["chain_id"],
            "record": record["record_id"],
            "group": dbid,
            "agent": agent,
            "expires": self.now + 600,
            "rescheduled": set(),
            "handles": {},
        }
        for each in sorted(members, key=lambda each: each is not record):
            self.last_handle += 1
            handout["handles"][each["record_id"]] = {
                "handle": self.last_handle,
                "prior": each["record_status"],
                "attempts_set": False,
                "status": None,
                "treatment": None,
            }
            each.update(record_status=2, group_id=dbid, app_id=134)
        self.handouts.append(handout)
        return self._event(
            "PreviewRecord",
            data,
            {**self._seen(handout, record), **of_group, "GSW_CAMPAIGN_MODE": mode},
        )

    # By phone and customer id.

    def _by_name(self, kind: str, data: KV) -> KV:
        key = "GSW_PHONE" if "GSW_PHONE" in data else "GSW_CUSTOMER_ID"
        attr = data.get("GSW_CHAIN_ATTR", "RecordOnly" if key == "GSW_PHONE" else "AllChain")
        tenant = data.get("GSW_TENANT_DBID", 0)
        found: list[tuple[str, Row]] = []
        for name in LISTS:
            if tenant in (0, LISTS[name][1]):
                named = [row for row in self.lists[name] if self._is_named(name, row, key, data[key])]
                if attr == "AllChain":
                    chains = {row["chain_id"] for row in named}
                    named = [row for row in self.lists[name] if row["chain_id"] in chains]
                found += [(name, row) for row in named]
        members = {key: data[key], "GSW_CHAIN_ATTR": attr}
        if kind == "RequestRecordCancel":
            return self._event("RecordCancelAcknowledge", data, {**members, "GSW_RECORDS_COUNT": self._cancel(found)})
        if key == "GSW_PHONE":
            for contact in [data[key], *(row["contact_info"] for _, row in found if attr == "AllChain")]:
                self.block("phone", contact, (tenant, 0, 0))
        else:
            self.block("customer_id", data[key], (tenant, 0, 0))
        for _, row in found:
            row.update(record_type=7, call_result=51, record_status=2 if row["record_status"] == 2 else 3)
        return self._event("DoNotCallAcknowledge", data, {**members, "GSW_RECORDS_COUNT": len(found)})

    def _is_named(self, name: str, row: Row, key: str, value: str) -> bool:
        if key == "GSW_PHONE":
            return normal(row["contact_info"]) == normal(value)
        return self._customer(name, row) == value.strip()

    def _cancel(self, found: list[tuple[str, Row]]) -> int:
        count = 0
        for name, row in found:
            if row["record_status"] in (1, 2, 8, 9):
                count += 1
                row.update(record_status=5, call_result=52)
                for handout in [each for each in self.handouts if each["list"] == name]:
                    if handout["handles"].pop(row["record_id"], None) and not handout["handles"]:
                        self.handouts.remove(handout)
        return count

    # Campaign groups.

    def _control(self, kind: str, data: KV) -> KV:
        dbid = data["GSW_CAMPAIGN_GROUP_DBID"]
        name, campaign, _ = GROUPS[dbid]
        state = self.groups[dbid][0]
        event = None
        if (kind, state) in {("LoadCampaign", "started"), ("StopDialing", "unloaded"), ("UnloadCampaign", "started")}:
            raise RefusedError("invalid_state")
        if kind == "SetDialingMode":
            self.groups[dbid][1], event = data["GSW_CAMPAIGN_MODE"], "CampaignModeChanged"
        elif kind == "StartDialing":
            state = "started"
        elif kind in ("LoadCampaign", "StopDialing"):
            state, event = "loaded", "CampaignStopped" if kind == "StopDialing" else None
        elif kind in ("UnloadCampaign", "ForceUnloadCampaign"):
            state = "unloaded"
            for handout in [each for each in self.handouts if each["group"] == dbid]:
                self._release(handout)
        self.groups[dbid][0] = state
        members = {
            "GSW_CAMPAIGN_NAME": CAMPAIGNS[campaign],
            "GSW_CAMPAIGN_DESCRIPTION": "Example campaign" if campaign == 301 else "",
            "GSW_CAMPAIGN_MODE": self.groups[dbid][1],
            "GSW_CAMPAIGN_GROUP_NAME": name,
            "GSW_CAMPAIGN_GROUP_DBID": dbid,
        }
        return self._event(event or _EVENTS[state], data, members)
