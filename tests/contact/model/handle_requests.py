"""Requests by record handle, for the model of the rules (http.md 10.2 to 10.7, 10.9)."""

import copy
import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.contact.model.world import (
    KV,
    LISTS,
    TREATMENTS,
    ZONES,
    RefusedError,
    Row,
    World,
    normal,
)


class HandleRequests(World):
    """What each request by handle does; the methods have the names of the requests."""

    def _by_handle(self, kind: str, data: KV, desktop: str | None) -> KV:
        number = data["GSW_RECORD_HANDLE"]
        for handout in self.handouts:
            for record_id, handle in handout["handles"].items():
                if handle["handle"] == number:
                    if desktop is not None and handout["agent"] != desktop:
                        raise RefusedError("invalid_state")
                    (row,) = [row for row in self.lists[handout["list"]] if row["record_id"] == record_id]
                    event = getattr(self, f"_{kind}")(data, handout, row, handle, desktop)
                    handout["expires"] = self.now + 600
                    return dict(event)
        if kind == "RecordProcessed" and number in self.spent and self.spent[number][1] > self.now:
            return self._event("RecordProcessedAcknowledge", data, self.spent.pop(number)[0])
        raise RefusedError("invalid_handle")

    def _last_agent(self, handout: dict[str, Any], row: Row, agent: str | None) -> None:
        agreed = row["record_id"] in handout["rescheduled"] and row["record_type"] == 5
        if agent and not (agreed and row["agent_id"]):
            row["agent_id"] = agent

    def _RecordProcessed(self, data: KV, handout: Any, row: Row, handle: Any, desktop: str | None) -> KV:
        name, keys = handout["list"], self._keys(handout, row)
        self._set_custom(name, row, data)
        row["call_result"] = data.get("GSW_CALL_RESULT", 33 if row["call_result"] == 47 else row["call_result"])
        row["call_time"] = data.get("GSW_CALL_TIME", self.now)
        agent = data.get("GSW_AGENT_ID") or desktop or handout["agent"]
        self._last_agent(handout, row, agent)
        if not handle["attempts_set"]:
            row["attempt"] += 1
        asked = data.get("GSW_TREATMENT", handle["treatment"])
        sequence = [each for each in TREATMENTS if each[1] == row["call_result"] and each[7] in (None, name)]
        if row["record_type"] == 7 or self._row_covered(name, row):
            row["record_type"] = 7
            self._finish(handout, row, 3)
        elif row["record_id"] in handout["rescheduled"]:
            self._finish(handout, row, 1)
        elif sequence and (asked or self.treat):
            personal = (agent or row["agent_id"] or "") if asked == "RecordTreatPersonal" else ""
            self._treat(handout, row, sequence, personal)
        else:
            self._finish(handout, row, handle["status"] or 3)
        return self._event("RecordProcessedAcknowledge", data, keys)

    def _treat(self, handout: Any, row: Row, sequence: list[tuple[Any, ...]], personal: str) -> None:
        """Section 11 of configuration.md, section 5.2 of constants.md."""
        said = re.fullmatch(r" *(\d+)@(\d+)@(\d+)@(\d+) *", row["treatments"] or "")
        position = [int(part) for part in said.groups()] if said and row["record_type"] in (3, 4, 5, 6) else None
        candidates = [(treatment, 1) for treatment in sequence]
        for at, treatment in enumerate(sequence):
            if position is not None and treatment[0] == position[0]:
                again = [(treatment, position[1] + 1)] if treatment[5] == 0 or treatment[5] > position[1] else []
                candidates = [*again, *((other, 1) for other in sequence[at + 1 :])]
        fitting = [(treatment, n) for treatment, n in candidates if not treatment[6] or row["attempt"] < treatment[6]]
        if not fitting:
            self._finish(handout, row, 3)
            return
        (dbid, _, action, interval, increment, _, _, _), number = fitting[0]
        due, next_n, others = self.now + interval + (number - 1) * increment, row["chain_n"], self._in_process(handout)
        following = [each for each in others if each["chain_n"] > row["chain_n"] and each["record_type"] != 7]
        if action == "retry_in":
            row.update(record_type=4 if personal else 3, dial_sched_time=due)
            row["agent_id"] = personal or row["agent_id"]
            self._finish(handout, row, 1)
        elif action == "assign_to_group":
            row.update(record_type=6 if row["record_type"] in (5, 6) else 3, dial_sched_time=due)
            self._finish(handout, row, 1)
        elif action == "next_in_chain" and following:
            waiting = [each for each in others if each is not row and each["record_type"] != 7]
            self._finish(handout, row, 3)
            next_n = following[0]["chain_n"]
            for each in waiting:
                if each["record_id"] not in handout["rescheduled"]:
                    each["record_status"] = 1 if each is following[0] else 9
                    if interval and each is following[0]:
                        kind = each["record_type"]
                        each.update(dial_sched_time=due, record_type=kind if kind in (4, 5, 6) else 3)
        else:
            if action == "no_call":
                row["record_type"] = 7
            self._finish(handout, row, 6 if action == "agent_error" else 3)
        row["treatments"] = f"{dbid}@{number}@{next_n}@{position[3] if position else 1}"

    def _RecordReject(self, data: KV, handout: Any, row: Row, handle: Any, desktop: str | None) -> KV:
        keys = self._keys(handout, row)
        self._release(handout)
        return self._event("RecordRejectAcknowledge", data, keys)

    def _UpdateCallCompletionStats(self, data: KV, handout: Any, row: Row, handle: Any, desktop: str | None) -> KV:
        columns = {
            "GSW_CALL_RESULT": "call_result",
            "GSW_PHONE": "contact_info",
            "GSW_PHONE_TYPE": "contact_info_type",
            "GSW_FROM": "daily_from",
            "GSW_UNTIL": "daily_till",
            "GSW_RECORD_TYPE": "record_type",
            "GSW_ATTEMPTS": "attempt",
        }
        marked = row["record_type"] == 7
        for key, column in columns.items():
            row[column] = data.get(key, row[column])
        if "GSW_TZ_NAME" in data:
            row["tz_dbid"] = ZONES[data["GSW_TZ_NAME"]][0]
        self._set_custom(handout["list"], row, data)
        handle["attempts_set"] |= "GSW_ATTEMPTS" in data
        handle["status"] = data.get("GSW_RECORD_STATUS", handle["status"])
        handle["treatment"] = data.get("GSW_TREATMENT", handle["treatment"])
        if marked or ("GSW_PHONE" in data and self._row_covered(handout["list"], row)):
            row["record_type"] = 7
        shown = {
            "GSW_PHONE": row["contact_info"],
            "GSW_CALL_RESULT": row["call_result"],
            "GSW_RECORD_TYPE": row["record_type"],
        }
        return self._event("UpdateCallCompletionStatsAcknowledge", data, {**self._keys(handout, row), **shown})

    def _RecordReschedule(self, data: KV, handout: Any, row: Row, handle: Any, desktop: str | None) -> KV:
        name = handout["list"]
        zone = data.get("GSW_TZ_NAME") or self._zone(name, row)[0]
        phone: str = data.get("GSW_PHONE") or row["contact_info"]
        chain = self._chain(name, handout["chain"])
        target = next((each for each in (row, *chain) if normal(each["contact_info"]) == normal(phone)), None)
        concerned = [row] if target is None else [row, target]
        blocked = any(each["record_type"] == 7 for each in concerned)
        for each in concerned:
            blocked |= self._covered(name, phone, self._customer(name, each), each["campaign_id"])
        given = copy.copy(row)
        self._set_custom(name, given, data)
        if blocked or self._covered(name, phone, self._customer(name, given), row["campaign_id"]):
            raise RefusedError("do_not_call")
        self._set_custom(name, row, data)
        row["call_result"] = data.get("GSW_CALL_RESULT", row["call_result"])
        if target is None:
            target = copy.copy(row)
            target.update(
                record_id=max(each["record_id"] for each in self.lists[name]) + 1,
                contact_info=phone,
                chain_n=chain[-1]["chain_n"] + 1,
                record_status=1,
                attempt=0,
                treatments=None,
            )
            self.lists[name].append(target)
        personal = data["GSW_CALLBACK_TYPE"] == "Personal"
        when = self._when(data["GSW_DATE_TIME"], ZONES[zone][1])
        target.update(record_type=5 if personal else 6, dial_sched_time=when)
        agent = data.get("GSW_AGENT_ID") or desktop or handout["agent"] or row["agent_id"]
        if personal and agent:
            target["agent_id"] = agent
        target["contact_info_type"] = data.get("GSW_PHONE_TYPE", target["contact_info_type"])
        handout["rescheduled"].add(target["record_id"])
        if not any(target is each for each in self._in_process(handout)):
            target["record_status"] = 1
        members = {
            **self._keys(handout, row),
            "GSW_CALLBACK_TYPE": data["GSW_CALLBACK_TYPE"],
            "GSW_DATE_TIME": datetime.fromtimestamp(when, ZoneInfo(ZONES[zone][1])).strftime("%m/%d/%Y %H:%M"),
            "GSW_TZ_NAME": zone,
            "GSW_PHONE": target["contact_info"],
            "GSW_RECORD_TYPE": target["record_type"],
        }
        return self._event(f"{data['GSW_AGENT_REQ_TYPE']}Acknowledge", data, members)

    _ScheduledRecordReschedule = _RecordReschedule

    def _ChainedRecordRequest(self, data: KV, handout: Any, row: Row, handle: Any, desktop: str | None) -> KV:
        others = [each for each in self._in_process(handout) if each is not row]
        common = {"GSW_USER_EVENT": "ChainedRecord", "GSW_APPLICATION_ID": 134}
        shown = [{**common, **self._seen(handout, each)} for each in others]
        members = {**self._keys(handout, row), "GSW_CHAINED_RECORDS": shown}
        return self._event("ChainedRecordsDataEnd", data, members)

    def _RequestRecordCancel(self, data: KV, handout: Any, row: Row, handle: Any, desktop: str | None) -> KV:
        attr = data.get("GSW_CHAIN_ATTR", "AllChain")
        concerned = self._chain(handout["list"], handout["chain"]) if attr == "AllChain" else [row]
        cancelled = [each for each in concerned if each["record_status"] in (1, 2, 8, 9)]
        keys = self._keys(handout, row)
        self._release(handout)
        for each in cancelled:
            each.update(record_status=5, call_result=52)
        members = {**keys, "GSW_CHAIN_ATTR": attr, "GSW_RECORDS_COUNT": len(cancelled)}
        return self._event("RecordCancelAcknowledge", data, members)

    def _DoNotCall(self, data: KV, handout: Any, row: Row, handle: Any, desktop: str | None) -> KV:
        name = handout["list"]
        dbid, tenant, campaign, _, _ = LISTS[name]
        attr = data.get("GSW_CHAIN_ATTR", "AllChain")
        phone: str = data.get("GSW_PHONE") or row["contact_info"]
        customer: str | None = data.get("GSW_CUSTOMER_ID")
        marked = self._chain(name, handout["chain"]) if attr == "AllChain" else [row]
        where = (tenant, campaign if self.scope == "campaign" else 0, dbid if self.scope == "list" else 0)
        for contact in ([] if customer else [phone]) + [each["contact_info"] for each in marked if attr == "AllChain"]:
            self.block("phone", contact, where)
        if customer:
            self.block("customer_id", customer, where)
        self._set_custom(name, row, data)
        in_process = [each["record_id"] for each in self._in_process(handout)]
        for each in marked:
            each.update(record_type=7, call_result=51)
            if each["record_id"] not in in_process:
                each["record_status"] = 3
        keys = self._keys(handout, row)
        if desktop is None:
            self._last_agent(handout, row, handout["agent"])
            self._finish(handout, row, 3)
            self.spent[data["GSW_RECORD_HANDLE"]] = (keys, self.now + 60)
        return self._event("DoNotCallAcknowledge", data, {**keys, "GSW_PHONE": phone, "GSW_CHAIN_ATTR": attr})
