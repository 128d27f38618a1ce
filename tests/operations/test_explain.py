"""Why a contact would, or would not, be handed out (http.md H270 to H278)."""

import json
import os
import random
from functools import partial
from typing import Any

import msgspec

from ocsgw.contact.choice.choose import choose
from ocsgw.contact.choice.daily_window import next_change
from ocsgw.contact.choice.eligibility import is_open
from ocsgw.contact.directory import HistoryWait
from ocsgw.contact.dnc_lookup import dnc_lookup_of
from ocsgw.contact.unit_of_work import UnitOfWork
from ocsgw.contact.zones import seconds_of_day
from ocsgw.operations.explain import Explanation, GroupVerdict, explain
from ocsgw.operations.steps import carry_out
from tests.support.rules import (
    GROUP,
    NOW,
    ZONES,
    RuleTestCase,
    by_handle,
    by_phone,
    epoch,
    make_directory,
    of_group,
    pending,
)

NAME = "Campaign1@Group1"
_DAY = 86400
SITUATIONS = int(os.environ.get("OCSGW_EXPLAIN_SITUATIONS", "30"))


# What spreadsheets, `.import` and other products leave behind, as SQL.
ODD_VALUES = (
    "'2027-01-01'",
    "''",
    "x'ff00'",
    "x'36'",
    "CAST(x'e9' AS TEXT)",
    "9223372036854775807",
    "-9223372036854775807",
    "1e308",
    "9e999",
    "-1e308",
)


class UndoneError(Exception):
    """Whatever was done in a transaction is to be undone."""


class ExplainTestCase(RuleTestCase):
    """Explanations."""

    def explain(self, contact: str = "6505550100", at: int | None = None) -> Explanation:
        """Return the explanation of a contact."""
        return self.store.chore(lambda unit: explain(unit, contact, self.now if at is None else at))

    def verdict(self, contact: str = "6505550100", at: int | None = None) -> GroupVerdict:
        """Return the verdict of the only group about the only record."""
        (record,) = self.explain(contact, at).records
        (verdict,) = record.verdicts
        return verdict

    def reason(self, contact: str = "6505550100") -> tuple[str, str, int | None]:
        """Return rule, text and end of the only reason against the only record."""
        verdict = self.verdict(contact)
        (reason,) = verdict.reasons
        self.assertEqual((verdict.would, verdict.not_before), (False, reason.until))
        return reason.rule, reason.text, reason.until


class ReasonTests(ExplainTestCase):
    """One reason after the other."""

    def test_would_be_handed_out(self) -> None:
        """H271: a record that is ready, due and within its window would be, until the window closes."""
        self.add(GSW_FROM=8 * 3600, GSW_UNTIL=20 * 3600 - 1)
        verdict = self.verdict("(650) 555-0100")
        self.assertEqual((verdict.group, verdict.would, verdict.reasons), (NAME, True, []))
        self.assertEqual(verdict.until, epoch("2026-09-21 20:00:00"))

    def test_whole_day(self) -> None:
        """H176: a window of the whole day does not close."""
        self.add(GSW_FROM=5, GSW_UNTIL=5)
        self.assertEqual((self.verdict().would, self.verdict().until), (True, None))

    def test_group_state(self) -> None:
        """H270: a group that is not started hands nothing out."""
        self.add()
        self.reply(pending(of_group("StopDialing"), client="third_party"))
        rule, text, until = self.reason()
        self.assertEqual((rule, until), ("H270", None))
        self.assertIn("is loaded; ocsctl campaign start", text)

    def test_backlog(self) -> None:
        """O55: too many call report records wait; that ends by itself, or when they are taken."""
        self.store.reload(make_directory(sends_history=True, history_wait=HistoryWait(1, 60.0)))
        self.add("6505550100")
        self.add("6505550101")
        self.preview()
        for _ in range(2):
            rule, text, until = self.reason("6505550101")
            self.assertEqual((rule, until), ("O55", self.now + 60))
            self.assertIn("call report records wait", text)
            self.assertEqual(self.preview()["GSW_USER_EVENT"], "PreviewRecordEmpty")
        self.assertTrue(self.verdict("6505550101", self.now + 60).would)
        self.assertTrue(self.verdict("6505550101", self.now - 1).would)
        self.store.reload(make_directory(sends_history=True))
        self.assertTrue(self.verdict("6505550101").would)

    def test_window(self) -> None:
        """H271: outside the daily window in the record's zone it waits for the next opening, told in both times."""
        self.add(GSW_TZ_NAME="PST", GSW_FROM=9 * 3600, GSW_UNTIL=20 * 3600)
        rule, text, until = self.reason()
        self.assertEqual((rule, until), ("H271", epoch("2026-09-21 09:00:00", "America/Los_Angeles")))
        self.assertIn("09:00 to 20:00 in PST", text)
        self.assertIn("opens at 2026-09-21 09:00 PST (2026-09-21 16:00 UTC)", text)

    def test_schedule(self) -> None:
        """H271: a record is not handed out before its time."""
        self.add(GSW_RECORD_TYPE=6, GSW_DATE_TIME="09/21/2026 18:30")
        rule, text, until = self.reason()
        self.assertEqual((rule, until), ("H271", epoch("2026-09-21 18:30:00")))
        self.assertIn("scheduled for 2026-09-21 18:30 GMT", text)

    def test_several_reasons(self) -> None:
        """The time is that at which the last of them has ended: due in the night, called in the morning."""
        self.add(GSW_RECORD_TYPE=6, GSW_DATE_TIME="09/21/2026 23:00", GSW_FROM=10 * 3600, GSW_UNTIL=12 * 3600)
        verdict = self.verdict()
        self.assertEqual(len(verdict.reasons), 2)
        self.assertEqual(verdict.not_before, epoch("2026-09-22 10:00:00"))

    def test_personal_callback(self) -> None:
        """H271: a personal callback goes to its agent only; without one to anyone (H201)."""
        self.add("1", GSW_RECORD_TYPE=5, GSW_DATE_TIME="01/01/2026 10:00", GSW_AGENT_ID="Smith")
        self.add("2", GSW_RECORD_TYPE=5, GSW_DATE_TIME="01/01/2026 10:00")
        self.assertEqual([(each.would, each.agent) for each in map(self.verdict, "12")], [(True, "Smith"), (True, "")])
        self.assertIn("for agent Smith only (H271)", self.explain("1").records[0].facts)

    def test_in_process(self) -> None:
        """H278: a record in process is held by somebody, and ready again when the time of the hand-out is over."""
        self.add()
        handle = self.preview(GSW_AGENT_ID="Smith")["GSW_RECORD_HANDLE"]
        rule, text, until = self.reason()
        self.assertEqual((rule, until), ("H278", self.now + 600))
        self.assertIn(f"handed out by {NAME} to agent Smith at 2026-09-21 14:13:20 GMT", text)
        self.assertIn(f"handle {handle}", text)
        self.pass_time(600)
        self.assertTrue(self.verdict().would)

    def test_chain_mate_in_process(self) -> None:
        """H271: no other member of the chain may be in process."""
        chain = self.add("1")["GSW_CHAIN_ID"]
        self.preview()
        self.add("2", GSW_CHAIN_ID=chain)
        verdict = self.verdict("2")
        (reason,) = verdict.reasons
        self.assertEqual((reason.rule, reason.until), ("H278", self.now + 600))
        self.assertIn("record 1 (1) of its chain is in process", reason.text)
        # Then the other one comes first (H274).
        self.assertEqual((verdict.would, verdict.not_before), (False, None))

    def test_chain_order(self) -> None:
        """H274: of one chain the first one is handed out, the others go with it."""
        chain = self.add("1")["GSW_CHAIN_ID"]
        self.add("2", GSW_CHAIN_ID=chain)
        self.assertTrue(self.verdict("1").would)
        rule, text, until = self.reason("2")
        self.assertEqual((rule, until), ("H274", None))
        self.assertIn("record 1 (1) of its chain comes first", text)
        self.assertIn("in one chain with record 1 (1)", self.explain("2").records[0].facts)

    def test_statuses(self) -> None:
        """H271: only status 1 goes out; 9 waits for its chain; a 2 that nothing explains is reported (K2)."""
        self.add()
        for status, rule, words in (
            (3, "H271", "status is Updated, not Ready"),
            (5, "H271", "status is Cancelled, not Ready"),
            (9, "H271", "ChainReady: it goes out only together with its chain"),
            (11, "H271", "status is Processed"),
            (77, "H271", "status is 77"),
            (2, "K2", "no live handle explains that"),
        ):
            self.store.sql("UPDATE CL_Test SET record_status = ?", status)
            with self.subTest(status=status):
                found, text, until = self.reason()
                self.assertEqual((found, until), (rule, None))
                self.assertIn(words, text)

    def test_do_not_call(self) -> None:
        """H271, K43: an entry that covers the record is reported with its note, since when, and its scope."""
        self.add()
        self.store.sql(
            "INSERT INTO gsw_donotcall_list (phone, dnc_message, tenant_dbid, list_dbid, time_stamp)"
            " VALUES ('650-555-0100', 'by letter', 1, 201, ?)",
            NOW - 60,
        )
        rule, text, until = self.reason()
        self.assertEqual((rule, until), ("H271", None))
        self.assertIn(
            "for 650-555-0100 in tenant Environment and list CL_Test, made at 2026-09-21 14:12:20 UTC,"
            " noted 'by letter', without an end",
            text,
        )
        self.assertEqual(len(self.explain().entries), 1)

    def test_odd_entries(self) -> None:
        """K16: an entry is shown whatever another program has written into it, and the column that is odd is named."""
        self.add()
        for column in ("expires_at", "time_stamp", "dnc_message", "tenant_dbid", "campaign_dbid", "list_dbid"):
            for value in ODD_VALUES:
                self.store.sql("DELETE FROM gsw_donotcall_list")
                self.store.sql(f"INSERT INTO gsw_donotcall_list (phone, {column}) VALUES ('6505550100', {value})")
                with self.subTest(column=column, value=value):
                    found = self.explain()
                    msgspec.msgpack.encode(found)
                    (entry,) = found.entries
                    exported = self.store.chore(lambda unit: carry_out(unit, "export", {}))
                    self.assertEqual((exported["rows"][0][0], len(exported["rows"])), ("6505550100", 1))
                    json.dumps(exported)
                    self.assertIn("for 6505550100 in ", entry.text)
                    is_odd = column != "dnc_message" or value.startswith("x")
                    if is_odd and (column in ("expires_at", "time_stamp") or "9223" not in value):
                        self.assertIn(f"its value in column {column} cannot be read", entry.text)
                    # Explained and handed out alike: entries of an object that cannot be read are for nobody.
                    self.assertEqual(
                        any("do-not-call" in each.text for each in found.records[0].verdicts[0].reasons),
                        self.is_blocked(),
                    )

    def test_export_behind_odd_contacts(self) -> None:
        """K16: entries whose contact is none end no export, however many they are."""
        for phone in ("x'36'", "x'ff'", "CAST(x'e9' AS TEXT)", "'1'"):
            self.store.sql(f"INSERT INTO gsw_donotcall_list (phone) VALUES ({phone})")
        exported = self.store.chore(lambda unit: carry_out(unit, "export", {"at_most": 1}))
        self.assertEqual(([row[0] for row in exported["rows"]], exported["done"]), (["1"], False))

    def is_blocked(self) -> bool:
        """Whether the rules find the only record covered by an entry."""

        def ask(unit: UnitOfWork) -> bool:
            calling_list = unit.directory.calling_lists[0]
            (record,) = unit.tx.records(calling_list, [1])
            return bool(unit.tx.blocked(calling_list, [dnc_lookup_of(unit.directory, calling_list, record)], self.now))

        return self.store.chore(ask)

    def test_do_not_call_that_ends(self) -> None:
        """K43: an entry with an end keeps the record back until then, if no preview marks it before (H272)."""
        self.add(CustomerID="C1")
        self.store.sql("INSERT INTO gsw_donotcall_list (customer_id, expires_at) VALUES ('C1', ?)", NOW + 3600)
        rule, text, until = self.reason()
        self.assertEqual((rule, until), ("H271", NOW + 3600))
        self.assertIn("makes it NoCall (H272)", text)
        self.preview()
        self.assertIn("its type is NoCall", self.verdict().reasons[0].text)
        self.assertIsNone(self.verdict().not_before)

    def test_no_call(self) -> None:
        """H271: a marked record says so, and the entry that marked it is reported beside it."""
        self.add()
        self.reply(by_phone("DoNotCall", "6505550100"))
        self.assertEqual([each.rule for each in self.verdict().reasons], ["H271", "H271", "H271"])
        self.assertIn("noted 'anonymous phones'", self.explain().entries[0].text)

    def test_campaign(self) -> None:
        """H271: a record of another campaign is not for this group."""
        self.add()
        self.store.sql("UPDATE CL_Test SET campaign_id = 302")
        self.assertEqual(self.reason(), ("H271", "it belongs to campaign Campagne", None))

    def test_disabled_list(self) -> None:
        """A disabled list hands nothing out (configuration.md section 8)."""
        self.add()
        lists = tuple(
            type(each).of(each.dbid, each.name, each.table, each.tenant, each.fields, enabled=False)
            for each in self.directory.calling_lists
        )
        campaigns = tuple(
            type(each)(each.dbid, each.name, each.tenant, lists[:2]) for each in self.directory.campaigns[:1]
        )
        groups = tuple(msgspec_replace(each, campaign=campaigns[0]) for each in self.directory.groups)
        self.store.reload(make_directory(calling_lists=lists, campaigns=campaigns, groups=groups))
        self.assertEqual(self.reason(), ("H271", "the calling list is disabled in the configuration", None))

    def test_no_group(self) -> None:
        """A list of a campaign without a group has no verdicts; a contact without records is reported as such."""
        self.add("1", "Liste été")
        self.assertEqual([each.verdicts for each in self.explain("1").records], [[]])
        self.assertEqual(self.explain("2").records, [])

    def test_unavailable_list(self) -> None:
        """A list whose table cannot be used is reported, and the others are explained (K12)."""
        self.add()
        self.store.sql("DROP TABLE CL_CALLBACK")
        explained = self.explain()
        self.assertEqual((explained.unavailable, len(explained.records)), (["CL_CALLBACK"], 1))

    def test_all_records_of_all_lists(self) -> None:
        """Every record with the contact in its normal form is explained (K40)."""
        for contact, calling_list in (("650 1", "CL_Test"), ("6501", "CL_Test"), ("(650)1", "CL_CALLBACK")):
            self.add(contact, calling_list)
        found = self.explain("650-1").records
        self.assertEqual([each.contact for each in found], ["650 1", "6501", "(650)1"])

    def test_operation(self) -> None:
        """As an operation it gives plain values, for now unless another time is given, and changes nothing."""
        self.add(GSW_FROM=8 * 3600, GSW_UNTIL=9 * 3600)
        before = self.rows()
        for at, would in ((None, False), (epoch("2026-09-22 08:30:00"), True)):
            arguments = {"contact": "6505550100", "at": at}
            explained: Any = self.store.chore(partial(carry_out, name="explain", arguments=arguments))
            self.assertEqual(explained["at"], at or self.now)
            self.assertEqual(explained["records"][0]["verdicts"][0]["would"], would)
        self.assertEqual(self.rows(), before)

    def test_after_a_final_request(self) -> None:
        """H212: what a client has reported is what keeps the record back."""
        self.add()
        handle = self.preview()["GSW_RECORD_HANDLE"]
        self.reply(by_handle("RecordProcessed", handle))
        self.assertEqual(self.reason(), ("H271", "its status is Updated, not Ready", None))


def msgspec_replace(group: Any, **changes: Any) -> Any:
    """Return a campaign group with other values."""
    names = ("dbid", "name", "campaign", "group", "dial_mode", "state", "record_timeout")
    return type(group)(**{**{name: getattr(group, name) for name in names}, **changes})


class AgreementTests(ExplainTestCase):
    """An explanation and a preview never disagree."""

    def make_situation(self, chance: random.Random) -> None:
        """Fill two lists and the do-not-call list with whatever may be there."""
        for calling_list, dbid in (("CL_Test", 201), ("CL_CALLBACK", 202)):
            for record_id in range(1, chance.randrange(2, 9)):
                start = chance.choice((0, 0, 40_000, 55_000, 70_000))
                self.store.sql(
                    f"INSERT INTO {calling_list} (record_id, contact_info, record_type, record_status, dial_sched_time,"
                    " call_time, daily_from, daily_till, tz_dbid, campaign_id, agent_id, chain_id, chain_n, attempt)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
                    record_id,
                    str(dbid * 100 + record_id),
                    chance.choice((None, 0, 2, 2, 3, 4, 5, 5, 6, 7)),
                    chance.choice((None, 1, 1, 1, 1, 1, 2, 3, 9)),
                    chance.choice((None, 0, 0, NOW - 50, NOW, NOW + 700, NOW + 40_000)),
                    chance.choice((0, 0, NOW - 99, NOW - 9)),
                    start,
                    chance.choice((start, 86_399, 86_400, start + 9_000, 30_000)),
                    chance.choice((0, 101, 102, 1011, 9999)),
                    chance.choice((None, 0, 0, 301, 301, 302)),
                    chance.choice((None, "", "A", "A", "B")),
                    chance.choice((record_id, 1, 2)),
                    record_id,
                )
        for _ in range(chance.randrange(4)):
            number = chance.choice((201, 202)) * 100 + chance.randrange(1, 9)
            self.store.sql(
                "INSERT INTO gsw_donotcall_list (phone, tenant_dbid, campaign_dbid, list_dbid, expires_at)"
                " VALUES (?, ?, ?, ?, ?)",
                str(number),
                chance.choice((0, 1, 2)),
                chance.choice((None, 0, 301, 302)),
                chance.choice((0, 201)),
                chance.choice((None, 0, NOW - 1, NOW, NOW + 900)),
            )

    def chosen(self, agent: str) -> set[tuple[str, int]]:
        """Return what previews for an agent would hand out; then nothing has happened."""
        found: set[tuple[str, int]] = set()

        def look(unit: UnitOfWork) -> None:
            group = self.directory.groups[0]
            found.update((each.calling_list.name, each.record.record_id) for each in choose(unit, group, agent, 99)[0])
            raise UndoneError

        self.assertRaises(UndoneError, self.store.chore, look)
        return found

    def verdicts(self) -> dict[tuple[str, int], GroupVerdict]:
        """Return the verdicts of the group about all records."""
        contacts = [row["contact_info"] for name in ("CL_Test", "CL_CALLBACK") for row in self.rows(name)]
        return {
            (record.calling_list, record.record_id): record.verdicts[0]
            for contact in contacts
            for record in self.explain(contact).records
        }

    def check(self, verdicts: dict[tuple[str, int], GroupVerdict]) -> None:
        """Compare verdicts with what previews would hand out at the same time."""
        for agent in ("", "A", "B"):
            told = {key for key, verdict in verdicts.items() if verdict.would and verdict.agent == agent}
            concerned = {key for key, verdict in verdicts.items() if verdict.agent == agent}
            self.assertEqual(told, self.chosen(agent) & concerned, f"agent {agent!r}")

    def test_agreement(self) -> None:
        """H270 to H278: what would be handed out is what is handed out, now and at every time that was announced."""
        for seed in range(SITUATIONS):
            chance = random.Random(seed)
            self.use_directory(make_directory())
            self.make_situation(chance)
            for _ in range(chance.randrange(3)):
                self.preview(GROUP, GSW_AGENT_ID=chance.choice(("A", "B")))
            with self.subTest(seed=seed):
                verdicts = self.verdicts()
                self.check(verdicts)
                self.check_announcements(verdicts)

    def check_announcements(self, verdicts: dict[tuple[str, int], GroupVerdict]) -> None:
        """At each announced time, and not a second before, the verdict about that record is the other one."""
        announced = sorted(
            {moment for each in verdicts.values() for moment in (each.not_before, each.until) if moment is not None}
        )
        for moment in announced:
            for at in (moment - 1, moment):
                self.store.now = max(self.now, at)
                if self.now != at:
                    continue
                self.store.expire()
                then = self.verdicts()
                self.check(then)
                for key, verdict in verdicts.items():
                    if verdict.not_before == moment:
                        self.assertEqual(then[key].would, at == moment, f"{key} at {at}")


class WindowTests(RuleTestCase):
    """When a daily window opens and closes."""

    def test_against_every_second(self) -> None:
        """H172, H271: the next change is the first moment at which it is true, also where clocks are changed."""
        cases = (
            ("Europe/Paris", "2027-03-28 00:00:00", 2 * 3600 + 1800, 4 * 3600),
            ("Europe/Paris", "2027-03-27 21:00:00", 2 * 3600 + 600, 2 * 3600 + 1200),
            ("Europe/Paris", "2026-10-24 23:30:00", 2 * 3600 + 1800, 3 * 3600),
            ("America/New_York", "2026-11-01 04:00:00", 3600, 3600 + 1800),
            ("Australia/Sydney", "2026-10-03 10:00:00", 22 * 3600, 2 * 3600),
            ("Asia/Kolkata", "2026-09-21 00:00:00", 9 * 3600, 20 * 3600),
            ("Etc/UTC", "2026-09-21 12:00:00", 0, 86399),
            ("Etc/UTC", "2026-09-21 12:00:00", 0, 86400),
            ("Etc/UTC", "2026-09-21 12:00:00", 86400, 10),
            ("Etc/UTC", "2026-09-21 12:00:00", 7, 7),
        )
        zones = {each.zone.key: each.zone for each in ZONES}
        for zone_name, start, daily_from, daily_till in cases:
            zone, now = zones[zone_name], epoch(start)

            def state(moment: int) -> bool:
                return is_open(daily_from, daily_till, seconds_of_day(moment, zone))  # noqa: B023 - called at once

            with self.subTest(zone=zone_name, start=start):
                expected = next((each for each in range(now, now + 2 * _DAY) if state(each) != state(now)), None)
                self.assertEqual(next_change(daily_from, daily_till, zone, now), expected)
