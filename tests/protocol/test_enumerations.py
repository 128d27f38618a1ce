"""Enumerations (constants.md sections 1 to 4.1), written out from the tables."""

from twisted.trial.unittest import SynchronousTestCase

from ocsgw.protocol.enumerations import (
    CALL_RESULTS,
    CONTACT_TYPES,
    RECORD_STATUSES,
    RECORD_TYPES,
    CallResult,
    RecordStatus,
    RecordType,
    plain_name,
)

TYPES = "NoRecordType Unknown General CampaignRescheduled PersonalRescheduled PersonalCallBack CampaignCallBack NoCall"
STATUSES = (
    "NoRecordStatus Ready Retrieved Updated Stale Cancelled AgentError ChainUpdated MissedCallBack ChainReady "
    "Delegated Processed"
)
CONTACTS = (
    "NoContactType HomePhone DirectBusinessPhone BusinessWithExt Mobile VacationPhone Pager Modem VoiceMail PinPager "
    "E-Mail InstantMessaging"
)
# Line by line as in the table: n, n + 18, n + 36.
RESULTS = """
Ok|Queue Full|No Progress
Transferred|Cleared|No RingBack
Conferenced|Overflowed|No Established
General Error|Abandoned|Pager Detected
System Error|Redirected|Wrong Party
Remote Release|Forwarded|Dial Error
Busy|Consult|Call Drop Error
No Answer|Picked up|Switch Error
SIT Detected|Dropped|No Free Port Error
Answering Machine|Dropped No Answer|Transfer Error
All Trunks Busy|Unknown|Stale
SIT Invalid Num|Covered|Agent CallBack Error
SIT Vacant|Converse-On|Group CallBack Error
SIT Oper Intercept|Bridged|Deafened
SIT Unknown|Silence|Held
SIT No Circuit|Answer|Do Not Call
SIT Reorder|NuTone|Cancel Record
Fax Detected|No Dial Tone|Wrong Number
"""


class EnumerationTests(SynchronousTestCase):
    """constants.md and H118."""

    def test_tables(self) -> None:
        """constants.md 1 to 4.1: every number has its name."""
        rows = [line.split("|") for line in RESULTS.strip().splitlines()]
        results = [row[column] for column in range(3) for row in rows]
        self.assertEqual(len(results), 54)
        for names, table in (
            (results, CALL_RESULTS),
            (TYPES.split(), RECORD_TYPES),
            (STATUSES.split(), RECORD_STATUSES),
            (CONTACTS.split(), CONTACT_TYPES),
        ):
            self.assertEqual({plain_name(name): number for number, name in enumerate(names)}, dict(table))
            self.assertEqual(len(table), len(names))

    def test_members(self) -> None:
        """constants.md 1 to 3: the members that the code names have the numbers of the tables."""
        for members, names in (
            (RecordType, RECORD_TYPES),
            (RecordStatus, RECORD_STATUSES),
            (CallResult, CALL_RESULTS),
        ):
            for member in members:
                self.assertEqual(names[plain_name(member.name)], member.value)

    def test_plain_names(self) -> None:
        """H118: case, blanks, hyphens and underscores do not count."""
        for name in ("Do Not Call", "do_not_call", "DO-NOT-CALL", "d o n o t c a l l", "DoNotCall", "_-DoNotCall- "):
            self.assertEqual(plain_name(name), "donotcall")
        self.assertNotEqual(plain_name("Do.Not.Call"), "donotcall")
        self.assertNotEqual(plain_name("Do\tNot\tCall"), "donotcall")
