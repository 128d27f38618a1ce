"""SQL text for the do-not-call table on SQLite (constants.md section 6)."""

from ocsgw.store.sqlite.forms import beyond_ascii, given, quoted, search_key_of, trimmed
from ocsgw.store.texts import DncStatements, Index

DO_NOT_CALL_INDEXES = {
    1: Index(search_key_of("phone"), given("phone")),
    2: Index("phone", beyond_ascii("phone")),
    3: Index(trimmed("customer_id"), given("customer_id")),
    # In the order of their numbers.
    4: Index("typeof(phone)", beyond_ascii("phone")),
}


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
    contact, customer_id = search_key_of("d.phone"), trimmed("d.customer_id")
    scope_columns = "d.phone, coalesce(d.tenant_dbid, 0), coalesce(d.campaign_dbid, 0), coalesce(d.list_dbid, 0)"
    columns = (
        "d.rowid, d.phone, d.customer_id, d.dnc_message, coalesce(d.tenant_dbid, 0), coalesce(d.campaign_dbid, 0),"
        " coalesce(d.list_dbid, 0), coalesce(d.time_stamp, 0),"
        f" {'coalesce(d.expires_at, 0)' if has_expiry else '0'}"
    )
    values = ", ".join(f"json_extract(value, '$[{at}]')" for at in range(6))
    expiry = (", nullif(json_extract(value, '$[6]'), 0)", ", expires_at = nullif(json_extract(j.value, '$[2]'), 0)")
    if not has_expiry:
        expiry = ("", "")
    of_text = f" FROM {table} AS d WHERE {beyond_ascii('d.phone')} AND typeof(d.phone) = 'text'"
    ending = "coalesce(d.expires_at, 0)" if has_expiry else "0"
    make = _blocked_by_index if is_indexed else _blocked_by_scan
    return DncStatements(
        blocked=make(table, contact, customer_id, of_list),
        any_beyond_ascii=f"EXISTS (SELECT 1 FROM {table} AS d WHERE {beyond_ascii('d.phone')})",
        beyond_ascii=f"SELECT {scope_columns}, {ending} FROM {table} AS d WHERE {beyond_ascii('d.phone')}",
        newest_beyond_ascii=f"SELECT d.rowid{of_text} ORDER BY d.rowid DESC LIMIT 1",
        added_beyond_ascii=f"SELECT d.phone{of_text} AND d.rowid > :after ORDER BY d.rowid LIMIT :limit",
        of_contacts=(
            f"SELECT {scope_columns}, {ending} FROM {table} AS d WHERE {beyond_ascii('d.phone')}"
            " AND d.phone IN (SELECT value FROM json_each(?))"
        ),
        without_form=(
            # Two indexes, read side by side: some 7 ms for 50,000 entries.
            f"SELECT d.phone COLLATE BINARY FROM {table} AS d WHERE {beyond_ascii('d.phone')} EXCEPT SELECT f.contact"
            " FROM ocsgw_contact_form AS f WHERE f.rules = :rules AND f.country = :country"
            " ORDER BY 1 LIMIT :limit OFFSET :skipped"
        ),
        lasting=(
            f"SELECT {scope_columns} FROM {table} AS d WHERE {given('d.phone')} AND typeof(d.phone) = 'text'"
            f" AND {contact} IN (SELECT value FROM json_each(?)) AND {lasting}"
        ),
        insert=(
            f"INSERT INTO {table} (phone, customer_id, dnc_message, tenant_dbid, campaign_dbid, list_dbid,"
            " is_internal, time_stamp) SELECT e.a, e.b, e.m, e.t, e.c, e.l, 1, :now FROM (SELECT"
            " json_extract(value, '$[0]') AS a, json_extract(value, '$[1]') AS b, json_extract(value, '$[2]') AS m,"
            " json_extract(value, '$[3]') AS t, json_extract(value, '$[4]') AS c, json_extract(value, '$[5]') AS l"
            f" FROM json_each(:entries)) AS e WHERE NOT EXISTS (SELECT 1 FROM {table} AS d"
            f" WHERE {given('d.customer_id')} AND {customer_id} = e.b AND {same_scope})"
        ),
        entries_for=(
            f"SELECT {columns} FROM {table} AS d"
            f" WHERE {given('d.phone')} AND {contact} IN (SELECT value FROM json_each(:contacts))"
            f" UNION ALL SELECT {columns} FROM {table} AS d WHERE {beyond_ascii('d.phone')}"
            f" UNION ALL SELECT {columns} FROM {table} AS d"
            f" WHERE {given('d.customer_id')} AND {customer_id} IN (SELECT value FROM json_each(:ids))"
        ),
        entries=f"SELECT {columns} FROM {table} AS d WHERE d.rowid IN (SELECT value FROM json_each(?))",
        export_entries=(
            f"SELECT {columns} FROM {table} AS d"
            " WHERE d.rowid > :after AND (d.phone IS NOT NULL OR d.customer_id IS NOT NULL)"
            " ORDER BY d.rowid LIMIT :at_most"
        ),
        import_entries=(
            f"INSERT INTO {table} (phone, customer_id, dnc_message, tenant_dbid, campaign_dbid, list_dbid,"
            f" is_internal, time_stamp{', expires_at' if has_expiry else ''})"
            f" SELECT {values}, 0, :now{expiry[0]}"
            " FROM json_each(:entries) RETURNING rowid"
        ),
        change_entries=(
            f"UPDATE {table} SET dnc_message = json_extract(j.value, '$[1]'), time_stamp = :now{expiry[1]}"
            f" FROM json_each(:rows) AS j WHERE {table}.rowid = json_extract(j.value, '$[0]')"
        ),
        delete_entries=f"DELETE FROM {table} WHERE rowid IN (SELECT value FROM json_each(?))",
        table=table,
        has_expiry=has_expiry,
        blocking=(
            f"SELECT k.value, d.phone, coalesce(d.campaign_dbid, 0) FROM json_each(:keys) AS k CROSS JOIN {table} AS d"
            f" ON {given('d.phone')} AND typeof(d.phone) = 'text' AND {contact} = k.value AND {of_list}"
            " UNION ALL SELECT c.value, NULL, coalesce(d.campaign_dbid, 0) FROM json_each(:customers) AS c"
            f" CROSS JOIN {table} AS d ON {given('d.customer_id')} AND {customer_id} = c.value AND {of_list}"
            if is_indexed
            else None
        ),
    )


_CAMPAIGNS = "p.value, '$[2]'"


def _of_campaign(campaigns: str) -> str:
    """Return the condition for an entry for every campaign, or for one of a JSON list."""
    return (
        "(d.campaign_dbid IS NULL OR d.campaign_dbid = 0"
        f" OR d.campaign_dbid IN (SELECT c.value FROM json_each({campaigns}) AS c))"
    )


def _blocked_by_index(table: str, contact: str, customer_id: str, of_list: str) -> str:
    """Return the statement that looks up each probe in the indexes."""
    scope = f"{_of_campaign(_CAMPAIGNS)} AND {of_list}"
    return (
        "SELECT p.key AS place, d.phone AS phone FROM json_each(:probes) AS p"
        f" CROSS JOIN json_each(p.value, '$[3]') AS k CROSS JOIN {table} AS d"
        f" ON {given('d.phone')} AND typeof(d.phone) = 'text' AND {contact} = k.value AND {scope}"
        " UNION ALL SELECT p.key, NULL FROM json_each(:probes) AS p"
        " WHERE json_extract(p.value, '$[1]') IS NOT NULL AND EXISTS (SELECT 1 FROM"
        f" {table} AS d WHERE {given('d.customer_id')}"
        f" AND {customer_id} = json_extract(p.value, '$[1]') AND {scope})"
    )


def _blocked_by_scan(table: str, contact: str, customer_id: str, of_list: str) -> str:
    """Return the statement that reads the table once for all probes, where indexes are forbidden (K23)."""
    scope = f"{_of_campaign('p.campaigns')} AND {of_list}"
    return (
        "WITH p(place, contact, customer, campaigns) AS MATERIALIZED (SELECT p.key, k.value,"
        " json_extract(p.value, '$[1]'), json_extract(p.value, '$[2]')"
        " FROM json_each(:probes) AS p CROSS JOIN json_each(p.value, '$[3]') AS k)"
        f" SELECT p.place AS place, d.phone AS phone FROM {table} AS d CROSS JOIN p ON p.contact = {contact}"
        f" WHERE {given('d.phone')} AND typeof(d.phone) = 'text' AND {scope}"
        f" UNION SELECT p.place, NULL FROM {table} AS d CROSS JOIN p ON p.customer = {customer_id}"
        f" WHERE {given('d.customer_id')} AND {scope}"
    )
