"""What decides when a record is due, as SQL that every dialect reads alike (http.md H176, H273)."""


def campaign(alias: str) -> str:
    """Return the campaign of a record, 0 for any."""
    return f"coalesce({alias}campaign_id, 0)"


def is_open(alias: str, moment: str) -> str:
    """Return the condition for a daily window that is open at a time of day (H176)."""
    begin, end = f"coalesce({alias}daily_from, 0)", f"coalesce({alias}daily_till, 86399)"
    return (
        f"CASE WHEN {begin} < {end} THEN {moment} BETWEEN {begin} AND {end}"
        f" ELSE {begin} = {end} OR {moment} >= {begin} OR {moment} <= {end} END"
    )


def unscheduled(alias: str) -> str:
    """Return 0 for a record with a time to contact, 1 for one without; the former come first (H273)."""
    return f"CASE WHEN coalesce({alias}dial_sched_time, 0) = 0 THEN 1 ELSE 0 END"


def order(alias: str) -> str:
    """Return the time by which a record is ordered: when to contact, or the last attempt (H273)."""
    return (
        f"CASE WHEN coalesce({alias}dial_sched_time, 0) = 0 THEN coalesce({alias}call_time, 0)"
        f" ELSE {alias}dial_sched_time END"
    )
