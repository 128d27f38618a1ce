"""Numbers and names of the classic enumerations (constants.md sections 1 to 4)."""

from enum import IntEnum
from types import MappingProxyType


class RecordType(IntEnum):
    """`record_type`, key `GSW_RECORD_TYPE` (constants.md section 1)."""

    NO_RECORD_TYPE = 0
    UNKNOWN = 1
    GENERAL = 2
    CAMPAIGN_RESCHEDULED = 3
    PERSONAL_RESCHEDULED = 4
    PERSONAL_CALLBACK = 5
    CAMPAIGN_CALLBACK = 6
    NO_CALL = 7


# Records that may be for one agent only (http.md H271).
PERSONAL_TYPES = frozenset({RecordType.PERSONAL_RESCHEDULED.value, RecordType.PERSONAL_CALLBACK.value})


class RecordStatus(IntEnum):
    """`record_status`, key `GSW_RECORD_STATUS` (constants.md section 2)."""

    NO_RECORD_STATUS = 0
    READY = 1
    RETRIEVED = 2
    UPDATED = 3
    STALE = 4
    CANCELLED = 5
    AGENT_ERROR = 6
    CHAIN_UPDATED = 7
    MISSED_CALLBACK = 8
    CHAIN_READY = 9
    DELEGATED = 10
    PROCESSED = 11


class CallResult(IntEnum):
    """The call results that rules name; the whole table is `CALL_RESULTS` (constants.md section 3)."""

    OK = 0
    GENERAL_ERROR = 3
    UNKNOWN = 28
    ANSWER = 33
    AGENT_CALLBACK_ERROR = 47
    DO_NOT_CALL = 51
    CANCEL_RECORD = 52


CALL_RESULT_NAMES = (
    "Ok", "Transferred", "Conferenced", "General Error", "System Error", "Remote Release", "Busy",
    "No Answer", "SIT Detected", "Answering Machine", "All Trunks Busy", "SIT Invalid Num", "SIT Vacant",
    "SIT Oper Intercept", "SIT Unknown", "SIT No Circuit", "SIT Reorder", "Fax Detected", "Queue Full",
    "Cleared", "Overflowed", "Abandoned", "Redirected", "Forwarded", "Consult", "Picked up", "Dropped",
    "Dropped No Answer", "Unknown", "Covered", "Converse-On", "Bridged", "Silence", "Answer", "NuTone",
    "No Dial Tone", "No Progress", "No RingBack", "No Established", "Pager Detected", "Wrong Party",
    "Dial Error", "Call Drop Error", "Switch Error", "No Free Port Error", "Transfer Error", "Stale",
    "Agent CallBack Error", "Group CallBack Error", "Deafened", "Held", "Do Not Call", "Cancel Record",
    "Wrong Number",
)  # fmt: skip

RECORD_TYPE_NAMES = (
    "NoRecordType", "Unknown", "General", "CampaignRescheduled", "PersonalRescheduled", "PersonalCallBack",
    "CampaignCallBack", "NoCall",
)  # fmt: skip

RECORD_STATUS_NAMES = (
    "NoRecordStatus", "Ready", "Retrieved", "Updated", "Stale", "Cancelled", "AgentError", "ChainUpdated",
    "MissedCallBack", "ChainReady", "Delegated", "Processed",
)  # fmt: skip

CONTACT_TYPE_NAMES = (
    "NoContactType", "HomePhone", "DirectBusinessPhone", "BusinessWithExt", "Mobile", "VacationPhone",
    "Pager", "Modem", "VoiceMail", "PinPager", "E-Mail", "InstantMessaging",
)  # fmt: skip


def plain_name(name: str) -> str:
    """Return a name without case, blanks, hyphens and underscores, as names are compared (H118)."""
    return name.lower().translate(_IGNORED)


_IGNORED = str.maketrans("", "", " -_")


def _numbers(names: tuple[str, ...]) -> MappingProxyType[str, int]:
    return MappingProxyType({plain_name(name): number for number, name in enumerate(names)})


# Plain name -> number.
CALL_RESULTS = _numbers(CALL_RESULT_NAMES)
RECORD_TYPES = _numbers(RECORD_TYPE_NAMES)
RECORD_STATUSES = _numbers(RECORD_STATUS_NAMES)
CONTACT_TYPES = _numbers(CONTACT_TYPE_NAMES)


def record_type_name(number: int) -> str:
    """Return the name of a record type, its number if it has none (constants.md section 1)."""
    return _name(RECORD_TYPE_NAMES, number)


def record_status_name(number: int) -> str:
    """Return the name of a record status, its number if it has none (constants.md section 2)."""
    return _name(RECORD_STATUS_NAMES, number)


def call_result_name(number: int) -> str:
    """Return the name of a call result, its number if it has none (constants.md section 3)."""
    return _name(CALL_RESULT_NAMES, number)


def contact_type_name(number: int) -> str:
    """Return the name of a contact type, its number if it has none (constants.md section 4)."""
    return _name(CONTACT_TYPE_NAMES, number)


def _name(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else str(number)
