"""Which records are ready: the index that finds them and the statements that use it (http.md H271 to H274).

A record outside its daily window must cost nothing, however many there are. So the index begins with what decides
about the window, in half hours: those are few, whatever the windows are, and are found by skipping through the
index. Of each one that may be open the first records are read in their order; where it begins or ends just now each
record's own window decides. The class of the record type is part of the window, so that of each class the first are
found; the numbers that put the classes in order are not in the index (H359).
"""

from ocsgw.contact.choice.eligibility import OVER_MIDNIGHT, PRIORITY_CLASSES, SLOT, WHOLE_DAY, WITHIN_A_DAY
from ocsgw.protocol.columns import CALLING_LIST_COLUMNS
from ocsgw.store.due import campaign, is_open, order, unscheduled
from ocsgw.store.records import LATEST, LEAST
from ocsgw.store.sqlite.forms import given

INTEGERS = tuple(each.name for each in CALLING_LIST_COLUMNS if each.block == 1 and each.family == "integer")


def doubtful(alias: str) -> str:
    """Return the condition for a record with an integer column beyond its bounds, or without a whole number (K63).

    For SQLite text and blobs are greater than every number, and a sum with a real number in it is a real number. The
    sign keeps the column's type out of the comparison. Each new row is asked this twice, for two indexes: comparisons
    take a third of the time of `max` and `min` of all columns.
    """
    beyond = " OR ".join(f"+{alias}{column} NOT BETWEEN {LEAST} AND {LATEST}" for column in INTEGERS)
    total = " + ".join(f"ifnull({alias}{column}, 0)" for column in INTEGERS)
    return f"({beyond} OR typeof({total}) <> 'integer')"


def whole(alias: str) -> str:
    """Return the condition for a record whose integer columns have whole numbers within their bounds, or NULL (K63)."""
    return f"{doubtful(alias)} IS NOT TRUE"


def ready(alias: str) -> str:
    """Return the condition for a record that may be handed out, were it due; NULL is read as K11 says."""
    return (
        f"coalesce({alias}record_status, 0) IN (0, 1) AND coalesce({alias}record_type, 0) <> 7"
        f" AND {given(f'{alias}record_id')} AND typeof({alias}contact_info) = 'text'"
        f" AND {alias}contact_info <> '' AND {whole(alias)}"
    )


def agent(alias: str) -> str:
    """Return the agent of a personal callback, an empty text for a record for anyone (H201)."""
    return f"CASE WHEN {alias}record_type IN (4, 5) THEN coalesce({alias}agent_id, '') ELSE '' END"


def window(alias: str) -> str:
    """Return what `Window` has behind the agent as one text, so that an index can be skipped through."""
    begin, end = f"coalesce({alias}daily_from, 0)", f"coalesce({alias}daily_till, 86399)"
    shape = (
        f"CASE WHEN {begin} < {end} THEN {WITHIN_A_DAY} WHEN {begin} > {end} THEN {OVER_MIDNIGHT} ELSE {WHOLE_DAY} END"
    )
    classes = " ".join(f"WHEN {kind} THEN {priority}" for kind, priority in PRIORITY_CLASSES.items())
    return (
        f"printf('%d %d %d %d %d', coalesce({alias}tz_dbid, 0), {shape},"
        f" CASE WHEN {begin} = {end} THEN 0 ELSE {begin} / {SLOT} END,"
        f" CASE WHEN {begin} = {end} THEN 0 ELSE ({end} + {SLOT - 1}) / {SLOT} END,"
        f" CASE {alias}record_type {classes} ELSE 0 END)"
    )


def ready_index() -> tuple[str, str]:
    """Return columns and condition of the index."""
    parts = (campaign(""), agent(""), window(""), unscheduled(""), order(""), "record_id", "daily_from", "daily_till")
    return ", ".join(parts), ready("")


def windows_text(table: str) -> str:
    """Return the statement for the windows of ready records; its parameter is a JSON list of (campaign, agent)."""
    following = (
        f"SELECT x.record_id FROM {table} AS x WHERE {ready('x.')} AND {campaign('x.')} = w.campaign"
        f" AND {agent('x.')} = w.agent AND {window('x.')} > w.window ORDER BY {window('x.')} LIMIT 1"
    )
    return (
        "WITH RECURSIVE w(campaign, agent, window) AS ("
        "SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), '' FROM json_each(?)"
        f" UNION ALL SELECT w.campaign, w.agent, {window('t.')} FROM w CROSS JOIN {table} AS t"
        f" ON t.record_id = ({following})) SELECT campaign, agent, window FROM w WHERE window <> ''"
    )


def waiting_agents_text(table: str) -> str:
    """Return the statement for agents with records; `:campaigns` is a JSON list, `:after` and `:limit` a slice."""
    following = (
        f"SELECT x.record_id FROM {table} AS x WHERE {ready('x.')} AND {campaign('x.')} = w.campaign"
        f" AND {agent('x.')} > w.agent ORDER BY {agent('x.')} LIMIT 1"
    )
    return (
        "WITH RECURSIVE w(campaign, agent) AS (SELECT value, :after FROM json_each(:campaigns)"
        f" UNION ALL SELECT w.campaign, {agent('t.')} FROM w CROSS JOIN {table} AS t"
        f" ON t.record_id = ({following}) ORDER BY 2 LIMIT :rows)"
        " SELECT DISTINCT agent FROM w WHERE agent > :after ORDER BY agent LIMIT :limit"
    )


def ready_records_text(table: str, columns: str, *, may_lack_chain: bool, but_some: bool = False) -> str:
    """Return the statement for the first ready records of windows, each with the place of its key.

    Parameters: `:keys`, a JSON list of (campaign, agent, window, unscheduled, latest order, time of day), and `:limit`
    for each.
    With `but_some` records of the JSON list `:but` are passed over.
    `columns` are those of a record, with the alias `t`. If a row `may_lack_chain`, its record id stands for it (K11).
    """
    moment = "json_extract(k.value, '$[5]')"
    of_key = (
        f"{ready('x.')} AND {campaign('x.')} = json_extract(k.value, '$[0]')"
        f" AND {agent('x.')} = json_extract(k.value, '$[1]') AND {window('x.')} = json_extract(k.value, '$[2]')"
        f" AND {unscheduled('x.')} = json_extract(k.value, '$[3]') AND {order('x.')} <= json_extract(k.value, '$[4]')"
        f" AND {is_open('x.', moment)}"
    )
    chain = "coalesce(x.chain_id, x.record_id)" if may_lack_chain else "x.chain_id"
    free = f"NOT EXISTS (SELECT 1 FROM {table} AS y WHERE y.chain_id = {chain} AND y.record_status = 2)"
    if may_lack_chain:
        free += (
            f" AND NOT EXISTS (SELECT 1 FROM {table} AS y"
            f" WHERE y.record_id = {chain} AND y.chain_id IS NULL AND y.record_status = 2)"
        )
    if but_some:
        free += " AND x.record_id NOT IN (SELECT value FROM json_each(:but))"
    return (
        f"SELECT k.key, {columns} FROM json_each(:keys) AS k CROSS JOIN {table} AS t ON t.record_id IN"
        f" (SELECT x.record_id FROM {table} AS x WHERE {of_key} AND {free}"
        f" ORDER BY {order('x.')}, x.record_id LIMIT :limit)"
    )
