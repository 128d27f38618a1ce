"""SQL text for the do-not-call table on SQLite (constants.md section 6)."""

from dataclasses import dataclass

from ocsgw.store.sqlite.forms import beyond_ascii, normal_contact_of, quoted, trimmed
from ocsgw.store.sqlite.statements import Index

DO_NOT_CALL_INDEXES = {
    1: Index(normal_contact_of("phone"), "phone IS NOT NULL"),
    2: Index("phone", beyond_ascii("phone")),
    3: Index(trimmed("customer_id"), "customer_id IS NOT NULL"),
}


@dataclass(frozen=True, slots=True, eq=False)
class DncStatements:
    """The statements of the do-not-call table.

    `beyond_ascii` are the entries that cover a list, `lasting_beyond_ascii` those without an end, as far as their
    contacts have to be compared in Python.
    """

    blocked: str
    beyond_ascii: str
    lasting_beyond_ascii: str
    insert: str
    table: str
    has_expiry: bool


def do_not_call_text(table_name: str, *, has_expiry: bool, is_indexed: bool) -> DncStatements:
    """Return the statements; `has_expiry` is false for older tables without `expires_at`."""
    table = quoted(table_name)
    lasting = "(d.expires_at IS NULL OR d.expires_at = 0)" if has_expiry else "1"
    alive = "(d.expires_at IS NULL OR d.expires_at = 0 OR d.expires_at > :now)" if has_expiry else "1"
    of_list = (
        "(d.tenant_dbid IS NULL OR d.tenant_dbid IN (0, :tenant))"
        f" AND (d.list_dbid IS NULL OR d.list_dbid IN (0, :list)) AND {alive}"
    )
    same_scope = (
        "coalesce(d.tenant_dbid, 0) = e.t AND coalesce(d.campaign_dbid, 0) = e.c"
        f" AND coalesce(d.list_dbid, 0) = e.l AND {lasting}"
    )
    contact, customer_id = normal_contact_of("d.phone"), trimmed("d.customer_id")
    make = _blocked_by_index if is_indexed else _blocked_by_scan
    return DncStatements(
        blocked=make(table, contact, customer_id, of_list),
        beyond_ascii=(
            f"SELECT d.phone, coalesce(d.campaign_dbid, 0) FROM {table} AS d"
            f" WHERE {beyond_ascii('d.phone')} AND {of_list}"
        ),
        lasting_beyond_ascii=(
            "SELECT d.phone, coalesce(d.tenant_dbid, 0), coalesce(d.campaign_dbid, 0), coalesce(d.list_dbid, 0)"
            f" FROM {table} AS d WHERE {beyond_ascii('d.phone')} AND {lasting}"
        ),
        insert=(
            f"INSERT INTO {table} (phone, customer_id, dnc_message, tenant_dbid, campaign_dbid, list_dbid,"
            " is_internal, time_stamp) SELECT e.a, e.b, e.m, e.t, e.c, e.l, 1, :now FROM (SELECT"
            " json_extract(value, '$[0]') AS a, json_extract(value, '$[1]') AS b, json_extract(value, '$[2]') AS m,"
            " json_extract(value, '$[3]') AS t, json_extract(value, '$[4]') AS c, json_extract(value, '$[5]') AS l,"
            " json_extract(value, '$[6]') AS n FROM json_each(:entries)) AS e WHERE NOT EXISTS (SELECT 1 FROM"
            f" {table} AS d WHERE d.phone IS NOT NULL AND {contact} = e.n AND {same_scope})"
            f" AND NOT EXISTS (SELECT 1 FROM {table} AS d WHERE d.customer_id IS NOT NULL"
            f" AND {customer_id} = e.b AND {same_scope})"
        ),
        table=table,
        has_expiry=has_expiry,
    )


def _of_campaign(campaigns: str) -> str:
    """Return the condition for an entry for every campaign, or for one of a JSON list."""
    return (
        "(d.campaign_dbid IS NULL OR d.campaign_dbid = 0"
        f" OR d.campaign_dbid IN (SELECT c.value FROM json_each({campaigns}) AS c))"
    )


def _blocked_by_index(table: str, contact: str, customer_id: str, of_list: str) -> str:
    """Return the statement that looks up each probe in the indexes."""
    scope = f"{_of_campaign('''p.value, '$[2]' ''')} AND {of_list}"
    return (
        "SELECT p.key AS place FROM json_each(:probes) AS p WHERE EXISTS (SELECT 1 FROM"
        f" {table} AS d WHERE d.phone IS NOT NULL AND {contact} = json_extract(p.value, '$[0]') AND {scope})"
        " OR (json_extract(p.value, '$[1]') IS NOT NULL AND EXISTS (SELECT 1 FROM"
        f" {table} AS d WHERE d.customer_id IS NOT NULL"
        f" AND {customer_id} = json_extract(p.value, '$[1]') AND {scope}))"
    )


def _blocked_by_scan(table: str, contact: str, customer_id: str, of_list: str) -> str:
    """Return the statement that reads the table once for all probes, where indexes are forbidden (K23)."""
    scope = f"{_of_campaign('p.campaigns')} AND {of_list}"
    return (
        "WITH p(place, contact, customer, campaigns) AS MATERIALIZED (SELECT key, json_extract(value, '$[0]'),"
        " json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(:probes))"
        f" SELECT p.place FROM {table} AS d CROSS JOIN p ON p.contact = {contact}"
        f" WHERE d.phone IS NOT NULL AND {scope}"
        f" UNION SELECT p.place FROM {table} AS d CROSS JOIN p ON p.customer = {customer_id}"
        f" WHERE d.customer_id IS NOT NULL AND {scope}"
    )
