"""SQL text for the do-not-call table on PostgreSQL (constants.md section 6)."""

from dataclasses import dataclass

from ocsgw.store.postgresql.forms import Forms, given, indexed, quoted
from ocsgw.store.postgresql.statements import numbers, search_keys, texts
from ocsgw.store.texts import DncStatements, Index

# Tables that we make have this column; entries of others are numbered by their places, which change with the row.
NUMBER = "ocsgw_number"


def do_not_call_indexes(forms: Forms, *, has_number: bool) -> dict[int, Index]:
    """Return the indexes of the table by the numbers in their names (K23)."""
    indexes = {
        1: Index(f"({forms.search_key_of('phone')})", given("phone")),
        2: Index("tenant_dbid", forms.beyond_ascii("phone")),
        3: Index(f"({indexed(forms.trimmed('customer_id'))})", given("customer_id")),
    }
    if has_number:
        indexes[4] = Index(NUMBER, unless_leading=NUMBER)
    return indexes


@dataclass(frozen=True, slots=True)
class _Numbering:
    """How entries are numbered: the number of one, and the conditions for some and for those behind one."""

    number: str
    some: str
    after: str
    order: str


def _numbering(table: str, *, has_number: bool) -> _Numbering:
    if has_number:
        number = f"{table}.{quoted(NUMBER)}"
        return _Numbering(number, f"{number} = ANY({numbers('?')})", f"{number} > :after", number)
    place = f"{table}.ctid::text::point"
    return _Numbering(
        f"((({place})[0]::bigint << 16) | ({place})[1]::bigint)",
        f"{table}.ctid = ANY(ARRAY(SELECT {_place('value::bigint')} FROM jsonb_array_elements_text(?::jsonb)))",
        f"{table}.ctid > {_place(':after::bigint')}",
        f"{table}.ctid",
    )


def _place(number: str) -> str:
    return f"format('(%s,%s)', {number} >> 16, {number} & 65535)::tid"


def do_not_call_text(table: str, forms: Forms, *, has_expiry: bool, has_number: bool) -> DncStatements:
    """Return the statements; `has_expiry` is false for older tables without `expires_at`."""
    lasting = "(d.expires_at IS NULL OR d.expires_at = 0)" if has_expiry else "true"
    alive = "(d.expires_at IS NULL OR d.expires_at = 0 OR d.expires_at > :now)" if has_expiry else "true"
    of_probe = (
        "(coalesce(d.campaign_dbid, 0) = 0 OR p.value->2 @> to_jsonb(d.campaign_dbid))"
        f" AND coalesce(d.tenant_dbid, 0) IN (0, :tenant) AND coalesce(d.list_dbid, 0) IN (0, :list) AND {alive}"
    )
    contact, customer_id = forms.search_key_of("d.phone"), forms.trimmed("d.customer_id")
    scope = "d.phone::text, coalesce(d.tenant_dbid, 0), coalesce(d.campaign_dbid, 0), coalesce(d.list_dbid, 0)"
    beyond_ascii = forms.beyond_ascii("d.phone")
    of_table, of_entry = _numbering(table, has_number=has_number), _numbering("d", has_number=has_number)
    columns = (
        f"{of_entry.number}, d.phone::text, d.customer_id::text, d.dnc_message::text, coalesce(d.tenant_dbid, 0),"
        " coalesce(d.campaign_dbid, 0), coalesce(d.list_dbid, 0), coalesce(d.time_stamp, 0),"
        f" {'coalesce(d.expires_at, 0)' if has_expiry else '0'}"
    )
    entry = (
        "SELECT value->>0 AS a, value->>1 AS b, value->>2 AS m, (value->>3)::bigint AS t, (value->>4)::bigint AS c,"
        " (value->>5)::bigint AS l, (value->>6)::bigint AS e, place"
        " FROM jsonb_array_elements(:entries::jsonb) WITH ORDINALITY AS entry(value, place)"
    )
    into = "phone, customer_id, dnc_message, tenant_dbid, campaign_dbid, list_dbid, is_internal, time_stamp"
    expiry = (", expires_at", ", nullif(e.e, 0)", ", expires_at = nullif((j.value->>2)::bigint, 0)")
    if not has_expiry:
        expiry = ("", "", "")
    return DncStatements(
        blocked=(
            "SELECT p.place - 1 AS place, d.phone::text AS phone"
            " FROM jsonb_array_elements(:probes::jsonb) WITH ORDINALITY AS p(value, place)"
            " CROSS JOIN LATERAL jsonb_array_elements_text(p.value->3) AS k(key)"
            f" JOIN {table} AS d ON {given('d.phone')} AND {contact} = {indexed('k.key')} AND {of_probe}"
            " UNION ALL SELECT p.place - 1, NULL"
            " FROM jsonb_array_elements(:probes::jsonb) WITH ORDINALITY AS p(value, place)"
            f" WHERE p.value->>1 IS NOT NULL AND EXISTS (SELECT 1 FROM {table} AS d WHERE {given('d.customer_id')}"
            f" AND {indexed(customer_id)} = {indexed('p.value->>1')} AND {customer_id} = p.value->>1 AND {of_probe})"
        ),
        any_beyond_ascii=f"EXISTS (SELECT 1 FROM {table} AS d WHERE {beyond_ascii})",
        beyond_ascii=(
            f"SELECT {scope}, {'coalesce(d.expires_at, 0)' if has_expiry else '0'} FROM {table} AS d"
            f" WHERE {beyond_ascii}"
        ),
        newest_beyond_ascii="",
        added_beyond_ascii="",
        of_contacts=(
            f"SELECT {scope}, {'coalesce(d.expires_at, 0)' if has_expiry else '0'} FROM {table} AS d"
            f" WHERE {beyond_ascii} AND d.phone::text IN (SELECT value FROM jsonb_array_elements_text(?::jsonb))"
        ),
        without_form=(
            f"SELECT d.phone::text FROM {table} AS d WHERE {beyond_ascii} EXCEPT SELECT f.contact"
            " FROM ocsgw_contact_form AS f WHERE f.rules = :rules AND f.country = :country"
            " ORDER BY 1 LIMIT :limit OFFSET :skipped"
        ),
        lasting=(
            f"SELECT {scope} FROM {table} AS d WHERE {given('d.phone')} AND {contact} = ANY({search_keys('?')})"
            f" AND {lasting}"
        ),
        insert=(
            f"INSERT INTO {table} ({into}) SELECT e.a, e.b, e.m, e.t, e.c, e.l, 1, :now FROM ({entry}) AS e"
            f" WHERE NOT EXISTS (SELECT 1 FROM {table} AS d WHERE {given('d.customer_id')}"
            f" AND {indexed(customer_id)} = {indexed('e.b')} AND {customer_id} = e.b"
            " AND coalesce(d.tenant_dbid, 0) = e.t AND coalesce(d.campaign_dbid, 0) = e.c"
            f" AND coalesce(d.list_dbid, 0) = e.l AND {lasting}) ORDER BY e.place"
        ),
        entries_for=(
            f"SELECT {columns} FROM {table} AS d WHERE {given('d.phone')}"
            f" AND {contact} = ANY({search_keys(':contacts')})"
            f" UNION SELECT {columns} FROM {table} AS d WHERE {beyond_ascii}"
            f" UNION SELECT {columns} FROM {table} AS d WHERE {given('d.customer_id')}"
            f" AND {indexed(customer_id)} = ANY({search_keys(':ids')}) AND {customer_id} = ANY({texts(':ids')})"
            " ORDER BY 1"
        ),
        entries=f"SELECT {columns} FROM {table} AS d WHERE {of_entry.some}",
        export_entries=(
            f"SELECT {columns} FROM {table} AS d WHERE {of_entry.after}"
            f" AND (d.phone IS NOT NULL OR d.customer_id IS NOT NULL) ORDER BY {of_entry.order} LIMIT :at_most"
        ),
        import_entries=(
            f"INSERT INTO {table} ({into}{expiry[0]}) SELECT e.a, e.b, e.m, e.t, e.c, e.l, 0, :now{expiry[1]}"
            f" FROM ({entry}) AS e RETURNING {of_table.number}"
        ),
        change_entries=(
            f"UPDATE {table} AS d SET dnc_message = j.value->>1, time_stamp = :now{expiry[2]}"
            f" FROM jsonb_array_elements(:rows::jsonb) AS j WHERE {_of_number(has_number=has_number)}"
        ),
        delete_entries=f"DELETE FROM {table} AS d WHERE {of_entry.some}",
        table=table,
        has_expiry=has_expiry,
    )


def _of_number(*, has_number: bool) -> str:
    number = "(j.value->>0)::bigint"
    return f"d.{quoted(NUMBER)} = {number}" if has_number else f"d.ctid = {_place(number)}"
