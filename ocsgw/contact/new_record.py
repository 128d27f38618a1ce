"""What a new record has where nobody says otherwise; the same for requests and for imports (http.md 10.1)."""

from ocsgw.contact.directory import CallingList, Campaign, Directory
from ocsgw.contact.transaction import NewRecord
from ocsgw.protocol.enumerations import CallResult, RecordStatus, RecordType

LAST_SECOND_OF_DAY = 86399

# The list gives numbers, zone and campaign; there is no contact without one that is given.
DEFAULTS = NewRecord(
    record_id=0,
    contact_info="",
    contact_info_type=0,
    record_type=RecordType.GENERAL.value,
    record_status=RecordStatus.READY.value,
    call_result=CallResult.UNKNOWN.value,
    attempt=0,
    dial_sched_time=0,
    call_time=0,
    daily_from=0,
    daily_till=LAST_SECOND_OF_DAY,
    tz_dbid=0,
    campaign_id=0,
    agent_id=None,
    chain_id=0,
    chain_n=0,
    custom=[],
)


def default_campaign(directory: Directory, calling_list: CallingList) -> Campaign | None:
    """Return the campaign of a record that names none: the only one of its list, if there is only one."""
    campaigns = directory.campaigns_of(calling_list)
    return campaigns[0] if len(campaigns) == 1 else None


def default_record(directory: Directory, calling_list: CallingList) -> NewRecord:
    """Return a record of a list with all of its defaults, without contact and numbers."""
    campaign = default_campaign(directory, calling_list)
    return NewRecord(
        0,
        DEFAULTS.contact_info,
        DEFAULTS.contact_info_type,
        DEFAULTS.record_type,
        DEFAULTS.record_status,
        DEFAULTS.call_result,
        DEFAULTS.attempt,
        DEFAULTS.dial_sched_time,
        DEFAULTS.call_time,
        DEFAULTS.daily_from,
        DEFAULTS.daily_till,
        calling_list.tenant.default_zone.dbid,
        campaign.dbid if campaign is not None else 0,
        DEFAULTS.agent_id,
        0,
        0,
        [each.default for each in calling_list.fields],
    )
