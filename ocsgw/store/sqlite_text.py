"""SQL text for SQLite, made once per calling list.

Every statement takes a whole run of rows as one JSON parameter: row by row, each statement would give up and queue
again for the interpreter lock.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass

from ocsgw.contact.directory import CallingList
from ocsgw.contact.normal_form import SEPARATORS
from ocsgw.store.columns import CALLING_LIST_COLUMNS
from ocsgw.store.sqlite_ready import ready_index, ready_records_text, windows_text

# The white space that Python's strip() removes.
_WHITE_SPACE = f"char({','.join(str(code) for code in range(0x3001) if chr(code).isspace())})"

INSERTED_COLUMNS = tuple(column.name for column in CALLING_LIST_COLUMNS if column.block == 1)


def quoted(name: str) -> str:
    """Return a name as an identifier; `schema.table` keeps its point (K22)."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))


def normal_contact_of(column: str) -> str:
    """Return the expression for the normal form of an ASCII contact (K40).

    Built-in functions only: with one of ours in an index, another program could not insert into the table (K16).
    """
    trimmed = f"trim({column}, {_WHITE_SPACE})"
    number = trimmed
    for character in SEPARATORS:
        number = f"replace({number}, char({ord(character)}), '')"
    return f"CASE WHEN instr({column}, '@') > 0 THEN lower({trimmed}) ELSE {number} END"


def beyond_ascii(column: str) -> str:
    """Return the condition for a text whose normal form has to be found in Python."""
    return f"{column} GLOB '*[^' || char(1) || '-' || char(127) || ']*'"


def trimmed(column: str) -> str:
    """Return the expression for the form in which customer ids are compared (K42)."""
    return f"trim({column}, {_WHITE_SPACE})"


@dataclass(frozen=True, slots=True)
class ListText:
    """The statements of one calling list; `find_by_customer_id` is None if the list has no customer id."""

    highest_ids: str
    chain_ends: str
    insert: str
    find_by_contact: str
    find_by_chain: str
    find_by_customer_id: str | None
    mark_do_not_call: str
    records: str
    records_of_chains: str
    windows: str
    ready_records: str
    reset_unexplained: str
    table: str
    columns: frozenset[str]


def record_columns(calling_list: CallingList, columns: Container[str]) -> str:
    """Return what is read of a record, in the order of `Record`, with what NULL is read as (K11, K13)."""
    treatments = "coalesce(t.treatments, '')" if "treatments" in columns else "''"
    custom = "".join(f", t.{quoted(field.column)}" for field in calling_list.fields)
    return (
        "t.record_id, t.contact_info, coalesce(t.contact_info_type, 0), coalesce(nullif(t.record_type, 0), 2),"
        " coalesce(nullif(t.record_status, 0), 1), coalesce(t.call_result, 28), coalesce(t.attempt, 0),"
        " coalesce(t.dial_sched_time, 0), coalesce(t.call_time, 0), coalesce(t.daily_from, 0),"
        " coalesce(t.daily_till, 86399), coalesce(t.tz_dbid, 0), coalesce(t.campaign_id, 0), coalesce(t.agent_id, ''),"
        f" coalesce(t.chain_id, t.record_id), coalesce(t.chain_n, 0), {treatments}{custom}"
    )


def list_text(calling_list: CallingList, columns: frozenset[str]) -> ListText:
    """Return the statements of a list; `columns` are those that its table has, in lower case."""
    table = quoted(calling_list.table)
    names = ", ".join(quoted(name) for name in (*INSERTED_COLUMNS, *(field.column for field in calling_list.fields)))
    values = [f"json_extract(value, '$[{at}]')" for at in range(len(INSERTED_COLUMNS))]
    last = len(INSERTED_COLUMNS)
    values += [f"json_extract(value, '$[{last}][{at}]')" for at in range(len(calling_list.fields))]
    found = f"SELECT record_id, coalesce(chain_id, record_id), contact_info FROM {table}"
    record = record_columns(calling_list, columns)
    of_chains = (
        "(chain_id IN (SELECT value FROM json_each(:chains))"
        " OR (chain_id IS NULL AND record_id IN (SELECT value FROM json_each(:chains))))"
        " AND record_id IS NOT NULL AND contact_info IS NOT NULL"
    )
    customer_id = calling_list.customer_id
    return ListText(
        highest_ids=f"SELECT (SELECT max(record_id) FROM {table}), (SELECT max(chain_id) FROM {table})",
        chain_ends=(
            f"SELECT chain_id, max(chain_n) FROM {table}"
            " WHERE chain_id IN (SELECT value FROM json_each(?)) GROUP BY chain_id"
        ),
        insert=f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} FROM json_each(?)",
        find_by_contact=(
            f"{found} WHERE {normal_contact_of('contact_info')} = ? AND record_id IS NOT NULL"
            f" UNION ALL {found} WHERE {beyond_ascii('contact_info')} AND record_id IS NOT NULL"
        ),
        find_by_chain=f"{found} WHERE {of_chains}",
        find_by_customer_id=(
            f"{found} WHERE {trimmed(quoted(customer_id.column))} = ? AND {quoted(customer_id.column)} IS NOT NULL"
            " AND record_id IS NOT NULL AND contact_info IS NOT NULL"
            if customer_id is not None
            else None
        ),
        mark_do_not_call=(
            f"UPDATE {table} SET record_type = 7, call_result = 51,"
            " record_status = CASE WHEN record_status = 2 THEN 2 ELSE 3 END"
            " WHERE record_id IN (SELECT value FROM json_each(?))"
        ),
        records=(
            f"SELECT {record} FROM {table} AS t"
            " WHERE record_id IN (SELECT value FROM json_each(?)) AND contact_info IS NOT NULL"
        ),
        records_of_chains=f"SELECT {record} FROM {table} AS t WHERE {of_chains} ORDER BY chain_id, chain_n, record_id",
        windows=windows_text(table),
        ready_records=ready_records_text(table, record),
        reset_unexplained=(
            f"UPDATE {table} SET record_status = 1 WHERE record_status = 2 AND record_id NOT IN"
            " (SELECT record_id FROM ocsgw_handle WHERE list_dbid = ?)"
        ),
        table=table,
        columns=columns,
    )


def change_text(text: ListText, columns: Sequence[str]) -> str:
    """Return the statement that sets columns of records; its parameter is a JSON list of (record id, values...)."""
    settings = ", ".join(
        f"{quoted(column)} = json_extract(j.value, '$[{at}]')" for at, column in enumerate(columns, start=1)
    )
    return (
        f"UPDATE {text.table} AS t SET {settings} FROM json_each(?) AS j"
        " WHERE t.record_id = json_extract(j.value, '$[0]')"
    )


def list_indexes(calling_list: CallingList) -> list[tuple[str, str]]:
    """Return what the indexes of a list are on: their columns or expressions, and their condition (K23)."""
    indexes = [
        (normal_contact_of("contact_info"), ""),
        ("contact_info", beyond_ascii("contact_info")),
        ready_index(),
    ]
    if calling_list.customer_id is not None:
        column = quoted(calling_list.customer_id.column)
        indexes.append((trimmed(column), f"{column} IS NOT NULL"))
    return indexes


@dataclass(frozen=True, slots=True)
class DoNotCallText:
    """The statements of the do-not-call table; `has_expiry` is false for older tables without `expires_at`."""

    blocked: str
    beyond_ascii: str
    insert: str


def do_not_call_text(table_name: str, *, has_expiry: bool) -> DoNotCallText:
    """Return the statements of the do-not-call table."""
    table = quoted(table_name)
    alive = "(d.expires_at IS NULL OR d.expires_at = 0 OR d.expires_at > :now)" if has_expiry else "1"
    lasting = "(d.expires_at IS NULL OR d.expires_at = 0)" if has_expiry else "1"
    scope = (
        "(d.tenant_dbid IS NULL OR d.tenant_dbid IN (0, :tenant))"
        " AND (d.campaign_dbid IS NULL OR d.campaign_dbid = 0 OR d.campaign_dbid = json_extract(p.value, '$[2]'))"
        f" AND (d.list_dbid IS NULL OR d.list_dbid IN (0, :list)) AND {alive}"
    )
    return DoNotCallText(
        blocked=(
            "SELECT p.key FROM json_each(:probes) AS p WHERE EXISTS (SELECT 1 FROM"
            f" {table} AS d WHERE d.phone IS NOT NULL"
            f" AND {normal_contact_of('d.phone')} = json_extract(p.value, '$[0]') AND {scope})"
            " OR (json_extract(p.value, '$[1]') IS NOT NULL AND EXISTS (SELECT 1 FROM"
            f" {table} AS d WHERE d.customer_id IS NOT NULL"
            f" AND {trimmed('d.customer_id')} = json_extract(p.value, '$[1]') AND {scope}))"
        ),
        beyond_ascii=(
            "SELECT d.phone, coalesce(d.campaign_dbid, 0) FROM"
            f" {table} AS d WHERE {beyond_ascii('d.phone')}"
            " AND (d.tenant_dbid IS NULL OR d.tenant_dbid IN (0, :tenant))"
            f" AND (d.list_dbid IS NULL OR d.list_dbid IN (0, :list)) AND {alive}"
        ),
        insert=(
            f"INSERT INTO {table} (phone, customer_id, dnc_message, tenant_dbid, campaign_dbid, list_dbid,"
            " is_internal, time_stamp) SELECT e.a, e.b, e.m, e.t, e.c, e.l, 1, :now FROM (SELECT"
            " json_extract(value, '$[0]') AS a, json_extract(value, '$[1]') AS b, json_extract(value, '$[2]') AS m,"
            " json_extract(value, '$[3]') AS t, json_extract(value, '$[4]') AS c, json_extract(value, '$[5]') AS l,"
            " json_extract(value, '$[6]') AS n FROM json_each(:entries)) AS e WHERE NOT EXISTS (SELECT 1 FROM"
            f" {table} AS d WHERE d.phone IS NOT NULL AND {normal_contact_of('d.phone')} = e.n"
            " AND coalesce(d.tenant_dbid, 0) = e.t AND coalesce(d.campaign_dbid, 0) = e.c"
            f" AND coalesce(d.list_dbid, 0) = e.l AND {lasting})"
            f" AND NOT EXISTS (SELECT 1 FROM {table} AS d WHERE d.customer_id IS NOT NULL"
            f" AND {trimmed('d.customer_id')} = e.b"
            " AND coalesce(d.tenant_dbid, 0) = e.t AND coalesce(d.campaign_dbid, 0) = e.c"
            f" AND coalesce(d.list_dbid, 0) = e.l AND {lasting})"
        ),
    )


DO_NOT_CALL_INDEXES = (
    (normal_contact_of("phone"), "phone IS NOT NULL"),
    ("phone", beyond_ascii("phone")),
    (trimmed("customer_id"), "customer_id IS NOT NULL"),
)
