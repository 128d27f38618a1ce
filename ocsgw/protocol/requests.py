"""The request table: every request and event of the Desktop and Third Party protocols, and their HTTP form.

Source: http.md sections 3, 9 and 10, protocol.md section 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from ocsgw.protocol.attributes import UPDATE_STATUS, Attribute, attribute, information
from ocsgw.protocol.errors import Refusal

ClientKind = Literal["http_proxy", "desktop", "third_party"]
ResourceType = Literal["records", "phones", "customer_ids", "lists", "campaigngroups"]

# Spellings of the resource types in a target, in lower case (H40 to H44).
RESOURCE_TYPES: Mapping[str, ResourceType] = MappingProxyType(
    {
        "records": "records",
        "phones": "phones",
        "customer_ids": "customer_ids",
        "customerids": "customer_ids",
        "lists": "lists",
        "campaigngroups": "campaigngroups",
        "campaign_groups": "campaigngroups",
    }
)

# First segments of targets that are no resources.
OWN_PATHS = ("events", "openapi.json")

# The key that carries the identifier of a target (protocol.md section 2.2).
IDENTIFIER_KEYS: Mapping[ResourceType, str] = MappingProxyType(
    {
        "records": "GSW_RECORD_HANDLE",
        "phones": "GSW_PHONE",
        "customer_ids": "GSW_CUSTOMER_ID",
        "lists": "GSW_CALLING_LIST",
        "campaigngroups": "GSW_CAMPAIGN_GROUP_DBID",
    }
)

# Keys that would name another target (H101).
FOREIGN_IDENTIFIERS: Mapping[ResourceType, tuple[str, ...]] = MappingProxyType(
    {
        "records": (),
        "phones": ("GSW_RECORD_HANDLE", "GSW_CUSTOMER_ID"),
        "customer_ids": ("GSW_RECORD_HANDLE", "GSW_PHONE"),
        "lists": (),
        "campaigngroups": (),
    }
)

_EVERYONE: frozenset[ClientKind] = frozenset({"http_proxy", "desktop", "third_party"})
_HTTP_PROXY: frozenset[ClientKind] = frozenset({"http_proxy"})
_DESKTOP: frozenset[ClientKind] = frozenset({"desktop"})
_THIRD_PARTY: frozenset[ClientKind] = frozenset({"third_party"})
_APPLICATIONS = _DESKTOP | _THIRD_PARTY


@dataclass(frozen=True, slots=True)
class RequestType:
    """One row of the request table.

    `attributes` has, per resource type, what the action takes besides the common attributes, in the order of the
    tables of http.md section 10; `keys` are what it takes besides on `ocs` listeners, which know no targets. `custom`
    names the resource types on which custom members are taken. A `reads` request changes nothing and its answer is
    never stored (H328).
    """

    name: str
    success: tuple[str, ...]
    clients: frozenset[ClientKind] = _EVERYONE
    aliases: tuple[str, ...] = ()
    attributes: Mapping[ResourceType, tuple[Attribute, ...]] = field(default_factory=dict)
    keys: tuple[Attribute, ...] = ()
    custom: frozenset[ResourceType] = frozenset()
    reads: bool = False

    @property
    def resources(self) -> tuple[ResourceType, ...]:
        """The resource types on which the request is allowed over HTTP."""
        return tuple(self.attributes)


COMMON_ATTRIBUTES = (attribute("GSW_REFERENCE_ID"), attribute("GSW_APPLICATION_ID"))

_RECORD_INFORMATION = tuple(information(key) for key in ("GSW_CAMPAIGN_NAME", "GSW_CALLING_LIST", "GSW_CHAIN_ID"))
_TENANT = (attribute("GSW_TENANT_DBID"), attribute("GSW_TENANT_NAME"))
_PLACE = (attribute("GSW_CALLING_LIST"), attribute("GSW_CAMPAIGN_NAME"))

_RESCHEDULE = (
    attribute("GSW_CALLBACK_TYPE", mandatory=True),
    attribute("GSW_DATE_TIME", mandatory=True),
    attribute("GSW_TZ_NAME"),
    attribute("GSW_PHONE"),
    attribute("GSW_PHONE_TYPE"),
    attribute("GSW_AGENT_ID"),
    attribute("GSW_CALL_RESULT"),
    *_RECORD_INFORMATION,
)

_CAMPAIGN = (attribute("GSW_CAMPAIGN_NAME"),)
_GROUP = (attribute("GSW_CAMPAIGN_GROUP_DBID"), *_CAMPAIGN)
_COMPLETION = (*_GROUP, attribute("GSW_AUTO_COMPLETION"))

_RECORDS: frozenset[ResourceType] = frozenset({"records"})
_LISTS: frozenset[ResourceType] = frozenset({"lists"})

_ROWS = (
    RequestType(
        "AddRecord",
        ("AddRecordAcknowledge",),
        attributes={
            "lists": (
                attribute("GSW_PHONE", mandatory=True),
                attribute("GSW_PHONE_TYPE"),
                attribute("GSW_RECORD_TYPE"),
                attribute("GSW_RECORD_STATUS"),
                attribute("GSW_CALL_RESULT"),
                attribute("GSW_ATTEMPTS"),
                attribute("GSW_DATE_TIME", mandatory_for=("GSW_RECORD_TYPE", frozenset({3, 4, 5, 6}))),
                attribute("GSW_CALL_TIME"),
                attribute("GSW_FROM"),
                attribute("GSW_UNTIL"),
                attribute("GSW_TZ_NAME"),
                attribute("GSW_CAMPAIGN_NAME"),
                attribute("GSW_AGENT_ID"),
                attribute("GSW_CHAIN_ID"),
            )
        },
        custom=_LISTS,
    ),
    RequestType(
        "RecordProcessed",
        ("RecordProcessedAcknowledge",),
        attributes={
            "records": (
                attribute("GSW_CALL_RESULT"),
                attribute("GSW_CALL_TIME"),
                attribute("GSW_AGENT_ID"),
                attribute("GSW_TREATMENT"),
                *_RECORD_INFORMATION,
            )
        },
        custom=_RECORDS,
    ),
    RequestType(
        "UpdateCallCompletionStats",
        ("UpdateCallCompletionStatsAcknowledge",),
        attributes={
            "records": (
                attribute("GSW_CALL_RESULT"),
                attribute("GSW_PHONE"),
                attribute("GSW_PHONE_TYPE"),
                attribute("GSW_FROM"),
                attribute("GSW_UNTIL"),
                attribute("GSW_TZ_NAME"),
                attribute("GSW_RECORD_TYPE"),
                attribute("GSW_RECORD_STATUS", convert=UPDATE_STATUS),
                attribute("GSW_ATTEMPTS"),
                attribute("GSW_TREATMENT"),
                *_RECORD_INFORMATION,
            )
        },
        custom=_RECORDS,
    ),
    RequestType(
        "RecordReschedule",
        ("RecordRescheduleAcknowledge",),
        attributes={"records": _RESCHEDULE},
        custom=_RECORDS,
    ),
    RequestType(
        "ScheduledRecordReschedule",
        ("ScheduledRecordRescheduleAcknowledge",),
        attributes={"records": _RESCHEDULE},
        custom=_RECORDS,
    ),
    RequestType(
        "RecordReject",
        ("RecordRejectAcknowledge",),
        attributes={"records": _RECORD_INFORMATION},
    ),
    RequestType(
        "RequestRecordCancel",
        ("RecordCancelAcknowledge",),
        aliases=("RecordCancel",),
        attributes={
            "records": (attribute("GSW_CHAIN_ATTR"), *_RECORD_INFORMATION),
            "phones": (attribute("GSW_CHAIN_ATTR"), *_TENANT, *_PLACE),
            "customer_ids": (attribute("GSW_CHAIN_ATTR"), *_TENANT, *_PLACE),
        },
    ),
    RequestType(
        "DoNotCall",
        ("DoNotCallAcknowledge",),
        attributes={
            "records": (
                attribute("GSW_CHAIN_ATTR"),
                attribute("GSW_PHONE"),
                attribute("GSW_CUSTOMER_ID"),
                *_RECORD_INFORMATION,
            ),
            "phones": (attribute("GSW_CHAIN_ATTR"), *_TENANT),
            "customer_ids": (attribute("GSW_CHAIN_ATTR"), *_TENANT),
        },
        custom=_RECORDS,
    ),
    RequestType(
        "ChainedRecordRequest",
        ("ChainedRecordsDataEnd",),
        attributes={"records": _RECORD_INFORMATION},
        reads=True,
    ),
    RequestType(
        "PreviewRecordRequest",
        ("PreviewRecord", "PreviewRecordEmpty"),
        aliases=("PreviewRecord",),
        attributes={"campaigngroups": (attribute("GSW_CAMPAIGN_NAME"), attribute("GSW_AGENT_ID"))},
    ),
    RequestType(
        "CampaignStatusRequest",
        ("CampaignUnloaded", "CampaignLoaded", "CampaignStarted"),
        attributes={"campaigngroups": ()},
        keys=_CAMPAIGN,
        reads=True,
    ),
    RequestType("PreviewDialingModeStart", ("PreviewDialingModeStartAcknowledge",), clients=_DESKTOP, keys=_CAMPAIGN),
    RequestType("PreviewDialingModeOver", ("PreviewDialingModeOverAcknowledge",), clients=_DESKTOP, keys=_CAMPAIGN),
    RequestType(
        "RecordShare",
        ("RecordShareAcknowledge",),
        clients=_APPLICATIONS,
        keys=(
            attribute("GSW_RECORD_HANDLE", mandatory=True),
            attribute("GSW_SHARE_MODE", mandatory=True),
            attribute(
                "GSW_AGENT_ID", mandatory_for=("GSW_SHARE_MODE", frozenset({"Consult", "Transfer", "Conference"}))
            ),
            *_RECORD_INFORMATION,
        ),
    ),
    RequestType("ReadyTime", ("ReadyTimeAcknowledge",), clients=_DESKTOP),
    RequestType("LogOut", ("LogOutAcknowledge",), clients=_DESKTOP),
    RequestType("LoadCampaign", ("CampaignLoaded",), clients=_THIRD_PARTY, keys=_COMPLETION),
    RequestType(
        "StartDialing",
        ("CampaignStarted",),
        clients=_THIRD_PARTY,
        keys=(*_COMPLETION, attribute("GSW_CAMPAIGN_MODE")),
    ),
    RequestType("StopDialing", ("CampaignStopped",), clients=_THIRD_PARTY, keys=_GROUP),
    RequestType("UnloadCampaign", ("CampaignUnloaded",), clients=_THIRD_PARTY, keys=_GROUP),
    RequestType("ForceUnloadCampaign", ("CampaignUnloaded",), clients=_THIRD_PARTY, keys=_GROUP),
    RequestType(
        "SetDialingMode",
        ("CampaignModeChanged",),
        clients=_THIRD_PARTY,
        keys=(*_COMPLETION, attribute("GSW_CAMPAIGN_MODE", mandatory=True)),
    ),
    RequestType(
        "GetCampaignStatus",
        ("CampaignUnloaded", "CampaignLoaded", "CampaignStarted"),
        clients=_THIRD_PARTY,
        keys=_GROUP,
        reads=True,
    ),
    # The two that HTTP Proxy asks for the streams of `/events`; a client needs the permission for the first one.
    RequestType("EventStreamRequest", ("EventStream",), clients=_HTTP_PROXY, reads=True),
    RequestType("EventsRequest", ("Events",), clients=_HTTP_PROXY, reads=True),
)

# Canonical name -> row. Case-sensitive on the wire (P1).
REQUESTS: Mapping[str, RequestType] = MappingProxyType({row.name: row for row in _ROWS})


def request_named(name: object) -> RequestType:
    """Return the row of a request. Raises `Refusal` (`unknown_request`)."""
    known = REQUESTS.get(name) if isinstance(name, str) else None
    if known is None:
        raise Refusal("unknown_request", str(name))
    return known


# Events that answer no request (protocol.md section 3.2).
UNSOLICITED_EVENTS = frozenset(
    {
        "CampaignLoaded",
        "CampaignUnloaded",
        "CampaignStarted",
        "CampaignStopped",
        "CampaignModeChanged",
        "ScheduledCall",
        "RecordCancel",
        "RecordRemove",
        "RecordShared",
    }
)

# Every event that ocsgw sends; "ChainedRecord" precedes ChainedRecordsDataEnd (P21).
EVENTS = frozenset({event for row in _ROWS for event in row.success} | UNSOLICITED_EVENTS | {"ChainedRecord", "Error"})

# `req` values over HTTP in lower case, aliases included -> row (H50).
HTTP_REQUESTS: Mapping[str, RequestType] = MappingProxyType(
    {name.lower(): row for row in _ROWS if row.resources for name in (row.name, *row.aliases)}
)

# Resource type -> names of the requests it allows, in the order of http.md section 9 (H150).
ALLOWED_REQUESTS: Mapping[ResourceType, tuple[str, ...]] = MappingProxyType(
    {resource: tuple(row.name for row in _ROWS if resource in row.resources) for resource in IDENTIFIER_KEYS}
)
