"""The classic columns of calling lists and of the do-not-call table (constants.md sections 5 and 6.1)."""

from dataclasses import dataclass
from typing import Literal

Family = Literal["integer", "text"]


@dataclass(frozen=True, slots=True)
class Column:
    """A classic column; `length` is that of a character column. A column of block 2 may be missing (K13)."""

    name: str
    family: Family
    length: int = 0
    block: Literal[1, 2] = 1
    required: bool = False


CALLING_LIST_COLUMNS = (
    Column("record_id", "integer", required=True),
    Column("contact_info", "text", 128),
    Column("contact_info_type", "integer"),
    Column("record_type", "integer"),
    Column("record_status", "integer"),
    Column("call_result", "integer"),
    Column("attempt", "integer"),
    Column("dial_sched_time", "integer"),
    Column("call_time", "integer"),
    Column("daily_from", "integer"),
    Column("daily_till", "integer"),
    Column("tz_dbid", "integer"),
    Column("campaign_id", "integer"),
    Column("agent_id", "text", 32),
    Column("chain_id", "integer", required=True),
    Column("chain_n", "integer", required=True),
    Column("group_id", "integer", block=2),
    Column("app_id", "integer", block=2),
    Column("treatments", "text", 255, block=2),
    Column("media_ref", "integer", block=2),
    Column("email_subject", "text", 255, block=2),
    Column("email_template_id", "integer", block=2),
    Column("switch_id", "integer", block=2),
)

CLASSIC_COLUMNS = frozenset(column.name for column in CALLING_LIST_COLUMNS)
TEXT_COLUMNS = frozenset(column.name for column in CALLING_LIST_COLUMNS if column.family == "text")

# Lengths of a new table; an existing one keeps its own (K44).
DO_NOT_CALL_COLUMNS = (
    Column("phone", "text", 128),
    Column("customer_id", "text", 255),
    Column("dnc_message", "text", 255),
    Column("tenant_dbid", "integer"),
    Column("campaign_dbid", "integer"),
    Column("list_dbid", "integer"),
    Column("is_internal", "integer"),
    Column("time_stamp", "integer"),
    Column("expires_at", "integer", block=2),
)
