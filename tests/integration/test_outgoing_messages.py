"""Every message of outgoing.md as a real receiver gets it: against its table, and as the examples print it."""

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.receiver import Ledger, Sent, receive
from tests.integration.server import Server, make_server

# As printed, but for ids and times that no two runs share.
E30 = (
    '{"GSW_APPLICATION_ID":134,"GSW_RECORD_HANDLE":20,"GSW_CALLING_LIST":"CL_Test","GSW_CAMPAIGN_NAME":"Campaign1",'
    '"GSW_CHAIN_ID":1005,"GSW_RECORD_URI":"http://ocs.example:8080/records/20","GSW_CAMPAIGN_GROUP_NAME":'
    '"Campaign1@Group1","GSW_CAMPAIGN_GROUP_DBID":102,"GSW_CAMPAIGN_MODE":"Preview","GSW_CALLING_LIST_DBID":201,'
    '"GSW_CHAIN_N":0,"GSW_PHONE":"6505550100","GSW_PHONE_TYPE":0,"GSW_RECORD_TYPE":2,"GSW_CALL_RESULT":28,'
    '"GSW_ATTEMPTS":0,"GSW_FROM":0,"GSW_UNTIL":86399,"GSW_TZ_NAME":"GMT","GSW_TZ_OFFSET":0,'
    '"GSW_CALL_ATTEMPT_GUID":"*"}'
)
E31 = (
    '{"GSW_TENANT_NAME":"undefined","GSW_TENANT_CCID":"undefined","GSW_CAMPAIGN_GROUP_NAME":"Campaign1@Group1",'
    '"GSW_CAMPAIGN_GROUP_GUID":"*","GSW_CAMPAIGN_GROUP_STATE":"Started","GSW_GROUP_NAME":"Group1","GSW_CAMPAIGN_NAME":'
    '"Campaign1","GSW_CAMPAIGN_TEMPLATE_NAME":"undefined","GSW_DIAL_MODE":"Preview","GSW_STAT_BUSY_FACTOR":null,'
    '"GSW_STAT_HIT_RATIO":0.3,"GSW_STAT_OVERDIAL_RATE":null,"GSW_STAT_TIME_TO_COMPLETE":null}'
)
E36 = (
    '{"GSW_TENANT_NAME":"undefined","GSW_CAMPAIGN_NAME":"Campaign1","GSW_CALLING_LIST":"CL_Test",'
    '"GSW_CALLING_LIST_DBID":201,"GSW_CHAIN_ID":1006,"GSW_CHAIN_OPEN":1,"GSW_PHONE":"6505550106","GSW_PHONE_TYPE":0,'
    '"GSW_CALL_RESULT":6,"GSW_ATTEMPTS":1,"GSW_RECORD_TYPE":3,"GSW_RECORD_STATUS":1,"GSW_COMPLETE_PROCESSING":*}'
)
# The table of call report records: type, and in which of the two it is; `?` where the record need not have it.
HISTORY = {
    "GSW_HIST_SEQUENCE_NUM": (int, "01"), "GSW_CALL_ATTEMPT_GUID": (str, "01"), "GSW_TENANT_NAME": (str, "01"),
    "GSW_TENANT_CCID": (str, "01"), "GSW_CAMPAIGN_NAME": (str, "01"), "GSW_CAMPAIGN_DBID": (int, "01"),
    "GSW_CAMPAIGN_TEMPLATE_NAME": (str, "01"), "GSW_CAMPAIGN_GROUP_NAME": (str, "01"),
    "GSW_CAMPAIGN_GROUP_GUID": (str, "01"), "GSW_GROUP_NAME": (str, "01"), "GSW_CALLING_LIST": (str, "01"),
    "GSW_CALLING_LIST_DBID": (int, "01"), "GSW_CHAIN_ID": (int, "01"), "GSW_CHAIN_N": (int, "01"),
    "GSW_PHONE": (str, "01"), "GSW_PHONE_TYPE": (int, "01"), "GSW_CUSTOMER_ID": (str, "01?"),
    "GSW_DIAL_MODE": (str, "01"), "GSW_TZ_NAME": (str, "01"), "GSW_TZ_OFFSET": (int, "01"),
    "GSW_SCHEDULED_TIME": (int, "01?"), "GSW_START_PROCESSING": (int, "01"), "GSW_COMPLETE_PROCESSING": (int, "1"),
    "GSW_CALL_TIME": (int, "1"), "GSW_CALL_RESULT": (int, "1"), "GSW_AGENT_ID": (str, "1?"),
}  # fmt: skip
CUSTOM_HEADERS = {"X-Frame-Options", "X-XSS-Protection", "Content-Security-Policy", "Strict-Transport-Security"}
MORE = """
[pre_dial_validation]
pre_dial_validation = true
validation_uri = "{uri}/validate"
[notifications]
send_campaigngroup_states = true
campaigngroup_states_uri = "{uri}/status"
campaigngroup_states_interval = "200ms"
send_history = true
history_uri = "{uri}/history"
contact_processed_notification = true
contact_processed_notification_uri = "{uri}/processed"
"""


class MessageTests(SynchronousTestCase):
    """One server that sends everything, and one receiver."""

    def setUp(self) -> None:
        self.ledger: Ledger = receive(self)
        self.server: Server = make_server(
            self,
            application="http_custom_headers = true",
            listener="public_port = 8080",
            more=MORE.replace("{uri}", self.ledger.uri("")),
        ).start()

    def add(self, chain_id: int, phone: str) -> None:
        """Put a row into CL_Test, as another program does."""
        names = (
            "record_id, contact_info, contact_info_type, record_type, record_status, call_result, attempt,"
            " dial_sched_time, call_time, daily_from, daily_till, tz_dbid, campaign_id, chain_id, chain_n"
        )
        values = (chain_id * 100, phone, 0, 2, 1, 28, 0, 0, 0, 0, 86399, 101, 301, chain_id, 0)
        self.server.write(f"INSERT INTO CL_Test ({names}) VALUES ({', '.join('?' * len(values))})", *values)

    def preview(self) -> dict[str, Any]:
        """Ask for a record."""
        event: dict[str, Any] = self.server.post("/campaigngroups/102?req=PreviewRecordRequest").json
        self.assertEqual(event["GSW_USER_EVENT"], "PreviewRecord")
        return event

    def process(self, event: dict[str, Any], **members: Any) -> None:
        """Report a result."""
        answer = self.server.post(f"/records/{event['GSW_RECORD_HANDLE']}?req=RecordProcessed", members)
        self.assertEqual(answer.status, 200, answer.body)

    def sent(self, path: str, count: int = 1) -> list[Sent]:
        """Return what came to a path, at least so much."""
        self.server.wait_until(lambda: len(self.ledger.of(path)) >= count)
        return [each for each in list(self.ledger.calls) if each.path == path]

    def check_form(self, sent: Sent, printed: str, length: int) -> None:
        """Compare a call with an example, byte by byte but for ids and times; `length` is the one printed."""
        text = re.sub('(GUID":")[A-Z0-9]{32}|(PROCESSING":)[0-9]{10}', r"\1\2*", sent.raw.decode())
        self.assertEqual(text, printed)
        self.assertEqual((sent.headers["Content-Length"], len(sent.raw)), (str(length), length))
        self.assertEqual(sent.headers["Content-Type"], "application/json; charset=utf-8")
        self.assertEqual(sent.headers["Host"], f"127.0.0.1:{self.ledger.port}")

    def test_validation(self) -> None:
        """E30, O1, O10, O22: as printed."""
        self.add(1005, "6505550100")
        self.server.write("INSERT OR REPLACE INTO ocsgw_counter (name, value) VALUES ('handle', 19)")
        event = self.preview()
        (sent,) = self.sent("/validate")
        self.check_form(sent, E30, 563)
        self.assertEqual(sent.body, {key: value for key, value in event.items() if key != "GSW_USER_EVENT"})
        self.assertEqual(CUSTOM_HEADERS & sent.headers.keys(), set())

    def test_group_status(self) -> None:
        """E31: as printed, when three of ten were reached."""
        for number in range(10):
            self.server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": str(number)})
            self.process(self.preview(), GSW_CALL_RESULT=33 if number < 3 else 9)
        self.server.wait_until(lambda: [each["GSW_STAT_HIT_RATIO"] for each in self.ledger.of("/status")[-1:]] == [0.3])
        sent = self.sent("/status")[-1]
        self.check_form(sent, E31, 445)
        self.assertEqual(CUSTOM_HEADERS & sent.headers.keys(), set())

    def test_contact_processed(self) -> None:
        """E36, O8, O64: as printed, with the five headers."""
        self.add(1006, "6505550106")
        self.process(self.preview(), GSW_CALL_RESULT="Busy", GSW_TREATMENT="RecordTreatCampaign")
        (sent,) = self.sent("/processed")
        self.check_form(sent, E36, 319)
        self.assertEqual(CUSTOM_HEADERS - sent.headers.keys(), set())
        rich = {"GSW_PHONE": "1", "CustomerID": "C1", "Segment": "gold"}
        self.server.post("/lists/CL_Test?req=AddRecord", rich)
        self.process(self.preview(), GSW_CALL_RESULT=33)
        body = self.sent("/processed", 2)[-1].body
        self.assertEqual((body["GSW_CHAIN_OPEN"], body["GSW_CUSTOMER_ID"], body["Segment"]), (0, "C1", "gold"))

    def test_history(self) -> None:
        """O50, O51, section 4: keys and types of both reports, with everything that a record may have, and without."""
        members = {"CustomerID": "C1", "GSW_RECORD_TYPE": 6, "GSW_DATE_TIME": "01/01/2020 00:00", "Segment": "gold"}
        for given, end in ((members, {"GSW_AGENT_ID": "5001", "GSW_CALL_RESULT": 33}), ({}, {"GSW_CALL_RESULT": 9})):
            self.ledger.calls.clear()
            self.server.post("/lists/CL_Test?req=AddRecord", {"GSW_PHONE": "6505550100", **given})
            event = self.preview()
            self.process(event, **end)
            for number, sent in enumerate(self.sent("/history", 2)):
                rows = {key: kind for key, (kind, where) in HISTORY.items() if str(number) in where}
                may_miss = {key for key in rows if "?" in HISTORY[key][1]}
                keys = {key for key in sent.body if key.startswith("GSW_")}
                self.assertEqual(keys, rows.keys() if given else rows.keys() - may_miss)
                self.assertEqual({key: type(sent.body[key]) for key in keys}, {key: rows[key] for key in keys})
                self.assertEqual(sent.body["GSW_CALL_ATTEMPT_GUID"], event["GSW_CALL_ATTEMPT_GUID"])
                self.assertEqual(sent.body["GSW_HIST_SEQUENCE_NUM"], number)
                self.assertEqual({key: sent.body[key] for key in sent.body.keys() - keys}, self.custom(given))
                self.assertEqual(CUSTOM_HEADERS & sent.headers.keys(), set())

    def custom(self, members: dict[str, Any]) -> dict[str, Any]:
        """Return the custom members of a record."""
        return {key: value for key, value in members.items() if not key.startswith("GSW_")}
