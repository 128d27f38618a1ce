"""The request table against http.md sections 3, 9 and 10 and protocol.md section 3, both written out here by hand."""

from ocsgw.protocol.attributes import CONVERTERS, UPDATE_STATUS
from ocsgw.protocol.requests import (
    ALLOWED_REQUESTS,
    COMMON_ATTRIBUTES,
    EVENTS,
    FOREIGN_IDENTIFIERS,
    HTTP_REQUESTS,
    IDENTIFIER_KEYS,
    REQUESTS,
    RESOURCE_TYPES,
    UNSOLICITED_EVENTS,
    ResourceType,
)
from tests.support.case import ClockTestCase

RESOURCES: tuple[ResourceType, ...] = ("records", "phones", "customer_ids", "lists", "campaigngroups")

# http.md section 9: req, aliases, and "yes" for records, phones, customer_ids, lists, campaigngroups.
HTTP_TABLE = """
AddRecord                  -                    - - - y -
RecordProcessed            -                    y - - - -
UpdateCallCompletionStats  -                    y - - - -
RecordReschedule           -                    y - - - -
ScheduledRecordReschedule  -                    y - - - -
RecordReject               -                    y - - - -
RequestRecordCancel        RecordCancel         y y y - -
DoNotCall                  -                    y y y - -
ChainedRecordRequest       -                    y - - - -
PreviewRecordRequest       PreviewRecord        - - - - y
CampaignStatusRequest      -                    - - - - y
"""

# protocol.md sections 3.1 and 3.4: request, events on success, "yes" for desktop, third_party, http_proxy.
PROTOCOL_TABLE = """
AddRecord                  AddRecordAcknowledge                                 y y y
RecordProcessed            RecordProcessedAcknowledge                           y y y
UpdateCallCompletionStats  UpdateCallCompletionStatsAcknowledge                 y y y
RecordReschedule           RecordRescheduleAcknowledge                          y y y
ScheduledRecordReschedule  ScheduledRecordRescheduleAcknowledge                 y y y
RecordReject               RecordRejectAcknowledge                              y y y
RequestRecordCancel        RecordCancelAcknowledge                              y y y
DoNotCall                  DoNotCallAcknowledge                                 y y y
ChainedRecordRequest       ChainedRecordsDataEnd                                y y y
PreviewRecordRequest       PreviewRecord,PreviewRecordEmpty                     y y y
CampaignStatusRequest      CampaignUnloaded,CampaignLoaded,CampaignStarted      y y y
PreviewDialingModeStart    PreviewDialingModeStartAcknowledge                   y - -
PreviewDialingModeOver     PreviewDialingModeOverAcknowledge                    y - -
RecordShare                RecordShareAcknowledge                               y y -
ReadyTime                  ReadyTimeAcknowledge                                 y - -
LogOut                     LogOutAcknowledge                                    y - -
LoadCampaign               CampaignLoaded                                       - y -
StartDialing               CampaignStarted                                      - y -
StopDialing                CampaignStopped                                      - y -
UnloadCampaign             CampaignUnloaded                                     - y -
ForceUnloadCampaign        CampaignUnloaded                                     - y -
SetDialingMode             CampaignModeChanged                                  - y -
GetCampaignStatus          CampaignUnloaded,CampaignLoaded,CampaignStarted      - y -
"""

# H103: information only, on records.
INFORMATION = ("GSW_CAMPAIGN_NAME", "GSW_CALLING_LIST", "GSW_CHAIN_ID")
RESCHEDULE = (
    "GSW_CALLBACK_TYPE!", "GSW_DATE_TIME!", "GSW_TZ_NAME", "GSW_PHONE", "GSW_PHONE_TYPE", "GSW_AGENT_ID",
    "GSW_CALL_RESULT", *INFORMATION,
)  # fmt: skip

# http.md section 10: attributes in the order of the tables; "!" is mandatory, "custom" takes custom members.
ATTRIBUTES: dict[tuple[str, ResourceType], tuple[str, ...]] = {
    ("AddRecord", "lists"): (
        "GSW_PHONE!", "GSW_PHONE_TYPE", "GSW_RECORD_TYPE", "GSW_RECORD_STATUS", "GSW_CALL_RESULT", "GSW_ATTEMPTS",
        "GSW_DATE_TIME?", "GSW_CALL_TIME", "GSW_FROM", "GSW_UNTIL", "GSW_TZ_NAME", "GSW_CAMPAIGN_NAME",
        "GSW_AGENT_ID", "GSW_CHAIN_ID", "custom",
    ),
    ("RecordProcessed", "records"): (
        "GSW_CALL_RESULT", "GSW_CALL_TIME", "GSW_AGENT_ID", "GSW_TREATMENT", *INFORMATION, "custom",
    ),
    ("UpdateCallCompletionStats", "records"): (
        "GSW_CALL_RESULT", "GSW_PHONE", "GSW_PHONE_TYPE", "GSW_FROM", "GSW_UNTIL", "GSW_TZ_NAME", "GSW_RECORD_TYPE",
        "GSW_RECORD_STATUS", "GSW_ATTEMPTS", "GSW_TREATMENT", *INFORMATION, "custom",
    ),
    ("RecordReschedule", "records"): (*RESCHEDULE, "custom"),
    ("ScheduledRecordReschedule", "records"): (*RESCHEDULE, "custom"),
    ("RecordReject", "records"): INFORMATION,
    ("RequestRecordCancel", "records"): ("GSW_CHAIN_ATTR", *INFORMATION),
    ("RequestRecordCancel", "phones"): (
        "GSW_CHAIN_ATTR", "GSW_TENANT_DBID", "GSW_TENANT_NAME", "GSW_CALLING_LIST", "GSW_CAMPAIGN_NAME",
    ),
    ("RequestRecordCancel", "customer_ids"): (
        "GSW_CHAIN_ATTR", "GSW_TENANT_DBID", "GSW_TENANT_NAME", "GSW_CALLING_LIST", "GSW_CAMPAIGN_NAME",
    ),
    ("DoNotCall", "records"): ("GSW_CHAIN_ATTR", "GSW_PHONE", "GSW_CUSTOMER_ID", *INFORMATION, "custom"),
    ("DoNotCall", "phones"): ("GSW_CHAIN_ATTR", "GSW_TENANT_DBID", "GSW_TENANT_NAME"),
    ("DoNotCall", "customer_ids"): ("GSW_CHAIN_ATTR", "GSW_TENANT_DBID", "GSW_TENANT_NAME"),
    ("ChainedRecordRequest", "records"): INFORMATION,
    ("PreviewRecordRequest", "campaigngroups"): ("GSW_CAMPAIGN_NAME", "GSW_AGENT_ID"),
    ("CampaignStatusRequest", "campaigngroups"): (),
}  # fmt: skip


class RequestTableTests(ClockTestCase):
    """Sections 9 and 10 of http.md, section 3 of protocol.md."""

    def test_actions_per_resource(self) -> None:
        """http.md section 9: aliases and resource types of every action; no other request is one over HTTP."""
        expected = {}
        for line in HTTP_TABLE.strip().splitlines():
            name, alias, *marks = line.split()
            expected[name] = (
                () if alias == "-" else (alias,),
                {resource for resource, mark in zip(RESOURCES, marks, strict=True) if mark == "y"},
            )
        got = {name: (row.aliases, set(row.resources)) for name, row in REQUESTS.items() if row.resources}
        self.assertEqual(got, expected)
        spellings = {name.lower(): name for name in expected}
        spellings |= {alias.lower(): name for name, (aliases, _) in expected.items() for alias in aliases}
        self.assertEqual({spelling: row.name for spelling, row in HTTP_REQUESTS.items()}, spellings)

    def test_allowed_requests(self) -> None:
        """H150, E26, E27: the requests of a resource type, in the order of section 9."""
        rows = [line.split() for line in HTTP_TABLE.strip().splitlines()]
        for column, resource in enumerate(RESOURCES):
            self.assertEqual(ALLOWED_REQUESTS[resource], tuple(row[0] for row in rows if row[2 + column] == "y"))

    def test_events_and_clients(self) -> None:
        """protocol.md sections 3.1 and 3.4: events on success and client kinds of every request."""
        expected = {}
        for line in PROTOCOL_TABLE.strip().splitlines():
            name, events, *marks = line.split()
            kinds = ("desktop", "third_party", "http_proxy")
            expected[name] = (
                tuple(events.split(",")),
                {kind for kind, mark in zip(kinds, marks, strict=True) if mark == "y"},
            )
        got = {name: (row.success, set(row.clients)) for name, row in REQUESTS.items()}
        # Those of HTTP Proxy itself are no targets of clients.
        own = {name: got.pop(name) for name in ("EventStreamRequest", "EventsRequest")}
        self.assertEqual(
            own,
            {"EventStreamRequest": (("EventStream",), {"http_proxy"}), "EventsRequest": (("Events",), {"http_proxy"})},
        )
        self.assertEqual(got, expected)
        for name, row in REQUESTS.items():
            self.assertEqual(row.name, name)
            self.assertEqual("http_proxy" in row.clients, bool(row.resources) or name in own)

    def test_reads(self) -> None:
        """H328: these requests change nothing, so their answers are not stored."""
        reads = {name for name, row in REQUESTS.items() if row.reads}
        expected = "ChainedRecordRequest CampaignStatusRequest GetCampaignStatus EventStreamRequest EventsRequest"
        self.assertEqual(reads, set(expected.split()))

    def test_unsolicited_events(self) -> None:
        """protocol.md section 3.2, and the set of all events."""
        unsolicited = (
            "CampaignLoaded CampaignUnloaded CampaignStarted CampaignStopped CampaignModeChanged ScheduledCall "
            "RecordCancel RecordRemove RecordShared"
        )
        self.assertEqual(UNSOLICITED_EVENTS, set(unsolicited.split()))
        answers = {event for row in REQUESTS.values() for event in row.success}
        self.assertEqual(EVENTS, answers | UNSOLICITED_EVENTS | {"Error", "ChainedRecord"})

    def test_attributes(self) -> None:
        """http.md section 10: attributes of each action in the order of the tables, with M, and custom members."""
        for name, row in REQUESTS.items():
            for resource, attributes in row.attributes.items():
                got = [each.key + ("!" if each.mandatory else "?" if each.mandatory_for else "") for each in attributes]
                got += ["custom"] if resource in row.custom else []
                self.assertEqual(tuple(got), ATTRIBUTES[name, resource], f"{name} on {resource}")
        self.assertEqual(
            {(name, resource) for name, row in REQUESTS.items() for resource in row.resources}, set(ATTRIBUTES)
        )

    def test_converters_of_attributes(self) -> None:
        """http.md section 10: ranges are those of the attribute table; an update has its own states (H103)."""
        for name, row in REQUESTS.items():
            for resource, attributes in row.attributes.items():
                for each in attributes:
                    if resource == "records" and each.key in INFORMATION:
                        self.assertIsNone(each.convert(each.key, {}), f"H103: {name} {each.key}")
                    elif (name, each.key) == ("UpdateCallCompletionStats", "GSW_RECORD_STATUS"):
                        self.assertIs(each.convert, UPDATE_STATUS)
                    else:
                        self.assertIs(each.convert, CONVERTERS[each.key], f"{name} {each.key}")

    def test_date_of_add_record(self) -> None:
        """http.md 10.1: GSW_DATE_TIME is mandatory for record types 3 to 6."""
        date = next(each for each in REQUESTS["AddRecord"].attributes["lists"] if each.key == "GSW_DATE_TIME")
        self.assertEqual(date.mandatory_for, ("GSW_RECORD_TYPE", frozenset({3, 4, 5, 6})))

    def test_common_attributes(self) -> None:
        """http.md section 10: what every action takes; GSW_AGENT_REQ_TYPE is judged by H99."""
        self.assertEqual([each.key for each in COMMON_ATTRIBUTES], ["GSW_REFERENCE_ID", "GSW_APPLICATION_ID"])
        self.assertFalse(any(each.mandatory for each in COMMON_ATTRIBUTES))

    def test_resource_types(self) -> None:
        """H40 to H44, H100, H101: spellings, the key of the identifier, and keys that would name another target."""
        self.assertEqual(
            dict(RESOURCE_TYPES),
            {
                "records": "records",
                "phones": "phones",
                "customer_ids": "customer_ids",
                "customerids": "customer_ids",
                "lists": "lists",
                "campaigngroups": "campaigngroups",
                "campaign_groups": "campaigngroups",
            },
        )
        self.assertEqual(
            dict(IDENTIFIER_KEYS),
            {
                "records": "GSW_RECORD_HANDLE",
                "phones": "GSW_PHONE",
                "customer_ids": "GSW_CUSTOMER_ID",
                "lists": "GSW_CALLING_LIST",
                "campaigngroups": "GSW_CAMPAIGN_GROUP_DBID",
            },
        )
        self.assertEqual(
            {resource: set(keys) for resource, keys in FOREIGN_IDENTIFIERS.items()},
            {
                "records": set(),
                "phones": {"GSW_RECORD_HANDLE", "GSW_CUSTOMER_ID"},
                "customer_ids": {"GSW_RECORD_HANDLE", "GSW_PHONE"},
                "lists": set(),
                "campaigngroups": set(),
            },
        )
