"""SQL text for calling lists on PostgreSQL, made once per list."""

from collections.abc import Mapping, Sequence

from ocsgw.contact.directory import CallingList
from ocsgw.contact.transaction import further_columns
from ocsgw.protocol.attributes import INT32_MAX
from ocsgw.protocol.columns import TEXT_COLUMNS
from ocsgw.store.postgresql.forms import Forms, given, indexed, quoted
from ocsgw.store.postgresql.ready import Ready
from ocsgw.store.texts import (
    FURTHER_COLUMNS,
    INSERTED_COLUMNS,
    Index,
    ListStatements,
    UsableColumn,
)

_TEXT_TYPES = ("character", "text")
_NUMBER_TYPES = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_ROWS_AT_ONCE = 512


def numbers(parameter: str) -> str:
    """Return the array of the numbers of a JSON list: with an array every plan uses the index."""
    return f"ARRAY(SELECT value::bigint FROM jsonb_array_elements_text({parameter}::jsonb))"


def texts(parameter: str) -> str:
    """Return the array of the texts of a JSON list."""
    return f"ARRAY(SELECT value FROM jsonb_array_elements_text({parameter}::jsonb))"


def search_keys(parameter: str) -> str:
    """Return the array of the search keys of a JSON list, as an index has them."""
    return f"ARRAY(SELECT {indexed('value')} FROM jsonb_array_elements_text({parameter}::jsonb))"


def is_text(kind: str) -> bool:
    """Whether this is a type of texts."""
    return kind.startswith(_TEXT_TYPES)


def read(expression: str, kind: str) -> str:
    """Return what is read of a column: blanks that fill up a text are none of it, times are as a field has them."""
    if is_text(kind):
        return f"{expression}::text"
    if kind.startswith(("timestamp", "date")):
        return f"to_char({expression}, 'YYYY-MM-DD HH24:MI:SS')"
    return expression if kind.startswith(_NUMBER_TYPES) else f"{expression}::text"


def record_columns(calling_list: CallingList, columns: Mapping[str, UsableColumn]) -> str:
    """Return what is read of a record, in the order of `Record`, with what NULL is read as (K11, K13)."""
    treatments = "coalesce(t.treatments::text, '')" if "treatments" in columns else "''"
    custom = ""
    for field in calling_list.fields:
        column = columns[field.column.lower()]
        custom += f", {read(f't.{quoted(column.name)}', column.kind)}"
    for name in further_columns(calling_list):
        value = f"coalesce(t.{name}::text, '')" if name in TEXT_COLUMNS else f"coalesce(t.{name}, 0)"
        custom += f", {value}" if name in columns else ", NULL"
    return (
        "t.record_id, t.contact_info::text, coalesce(t.contact_info_type, 0), coalesce(nullif(t.record_type, 0), 2),"
        " coalesce(nullif(t.record_status, 0), 1), coalesce(t.call_result, 28), coalesce(t.attempt, 0),"
        " coalesce(t.dial_sched_time, 0), coalesce(t.call_time, 0), coalesce(t.daily_from, 0),"
        " coalesce(t.daily_till, 86399), coalesce(t.tz_dbid, 0), coalesce(t.campaign_id, 0),"
        " coalesce(t.agent_id::text, ''),"
        f" coalesce(t.chain_id, t.record_id), coalesce(t.chain_n, 0), {treatments}{custom}"
    )


def list_text(
    calling_list: CallingList,
    table: str,
    columns: Mapping[str, UsableColumn],
    forms: Forms,
    *,
    may_lack_chain: bool,
) -> ListStatements:
    """Return the statements of a list; `table` is its name as an identifier.

    If a row `may_lack_chain`, NULL in `chain_id` is read as its record id (K11).
    """
    ready = Ready(table, columns)
    custom = [columns[field.column.lower()].name for field in calling_list.fields]
    names = ", ".join(quoted(name) for name in (*INSERTED_COLUMNS, *custom))
    kinds = [columns[name.lower()].kind for name in (*INSERTED_COLUMNS, *custom)]
    values = ", ".join(f"(value->>{at})::{_cast(kind)}" for at, kind in enumerate(kinds))
    found = f"SELECT record_id, coalesce(chain_id, record_id), contact_info::text FROM {table}"
    record = record_columns(calling_list, columns)
    of_chains = f"chain_id = ANY({numbers(':chains')})"
    if may_lack_chain:
        of_chains = f"({of_chains} OR (chain_id IS NULL AND record_id = ANY({numbers(':chains')})))"
    whole_chains = f"{of_chains} AND record_id IS NOT NULL AND contact_info IS NOT NULL"
    # A row without a chain counts as one: its number must not be given to another.
    lone_chains = f", {highest(table, 'record_id', 'chain_id IS NULL AND ')}" if may_lack_chain else ""
    further = [name for name in FURTHER_COLUMNS if name in columns]
    status = columns["record_status"].kind
    chain_n = columns["chain_n"].kind
    by_contact = f"{forms.search_key_of('contact_info')} = ANY({search_keys('?')}) AND record_id IS NOT NULL"
    beyond_ascii = f"{forms.beyond_ascii('contact_info')} AND record_id IS NOT NULL"
    return ListStatements(
        highest_ids=(
            f"{highest(table, 'record_id')}, (SELECT value FROM counters WHERE name = :records),"
            f" {highest(table, 'chain_id')}{lone_chains}, (SELECT value FROM counters WHERE name = :chains)"
        ),
        chain_ends=(
            f"SELECT coalesce(chain_id, record_id), coalesce(max({_whole_or(0, 'chain_n', chain_n)}), 0)"
            f" FROM {table} WHERE {of_chains} GROUP BY 1"
        ),
        insert=f"INSERT INTO {table} ({names}) SELECT {values} FROM jsonb_array_elements(?::jsonb)",
        insert_row="",
        insert_at_once=_ROWS_AT_ONCE,
        copy_further_columns=(
            f"UPDATE {table} AS t SET {', '.join(f'{name} = s.{name}' for name in further)} FROM {table} AS s"
            " WHERE s.record_id = :source AND t.record_id = :target"
            if further
            else None
        ),
        find_by_contact=f"{found} WHERE {by_contact} UNION ALL {found} WHERE {beyond_ascii} ORDER BY 1",
        find_by_chain=f"{found} WHERE {whole_chains} ORDER BY 1",
        find_by_customer_id=_by_customer_id(calling_list, found, columns, forms),
        mark_do_not_call=(
            f"UPDATE {table} SET record_type = 7, call_result = 51,"
            " record_status = CASE WHEN record_status = 2 THEN 2 ELSE 3 END"
            f" WHERE record_id = ANY({numbers('?')})"
        ),
        records=(
            f"SELECT {record} FROM {table} AS t WHERE record_id = ANY({numbers('?')}) AND contact_info IS NOT NULL"
            " ORDER BY record_id"
        ),
        records_of_chains=(
            f"SELECT {record} FROM {table} AS t WHERE {whole_chains}"
            " ORDER BY coalesce(chain_id, record_id), chain_n, record_id"
        ),
        chain_sizes=f"SELECT coalesce(chain_id, record_id), count(*) FROM {table} WHERE {whole_chains} GROUP BY 1",
        record_statuses=(
            f"SELECT record_id, coalesce(nullif({_whole_or(1, 'record_status', status)}, 0), 1) FROM {table}"
            f" WHERE record_id = ANY({numbers('?')})"
        ),
        records_by_contact=(
            f"SELECT record_id, contact_info::text FROM {table} WHERE {by_contact}"
            f" UNION ALL SELECT record_id, contact_info::text FROM {table} WHERE {beyond_ascii}"
        ),
        export_records=(
            f"SELECT {record} FROM {table} AS t"
            " WHERE t.record_id > :after AND t.contact_info IS NOT NULL ORDER BY t.record_id LIMIT :at_most"
        ),
        count_by_status=(
            "SELECT status, count(*), max(record_id) FROM (SELECT record_id,"
            f" coalesce(nullif({_whole_or(1, 'record_status', status)}, 0), 1) AS status FROM {table}"
            " WHERE record_id > :after ORDER BY record_id LIMIT :at_most) AS slice GROUP BY 1"
        ),
        delete_records=(
            f"DELETE FROM {table} WHERE record_id = ANY({numbers('?')}) AND coalesce(record_status, 1) <> 2"
        ),
        windows=ready.windows(),
        ready_records=ready.records(record, may_lack_chain=may_lack_chain),
        waiting_agents=ready.waiting_agents(),
        ready_records_but=ready.records(record, may_lack_chain=may_lack_chain, but_some=True),
        reset_unexplained=(
            f"UPDATE {table} SET record_status = 1 WHERE record_status = 2 AND record_id NOT IN"
            " (SELECT record_id FROM ocsgw_handle WHERE list_dbid = ?)"
        ),
        table=table,
        columns=columns,
    )


def _cast(kind: str) -> str:
    """Return what a value is cast to; a type with a length would cut a text that is too long, without a word."""
    return "text" if is_text(kind) else kind


def _by_customer_id(
    calling_list: CallingList, found: str, columns: Mapping[str, UsableColumn], forms: Forms
) -> str | None:
    if calling_list.customer_id is None:
        return None
    column = quoted(columns[calling_list.customer_id.column.lower()].name)
    form = forms.trimmed(column)
    return (
        f"WITH wanted(id) AS (SELECT ?::text) {found}, wanted WHERE {indexed(form)} = {indexed('wanted.id')}"
        f" AND {form} = wanted.id AND {given(column)} AND record_id IS NOT NULL AND contact_info IS NOT NULL"
        " ORDER BY 1"
    )


def _whole_or(value: int, column: str, kind: str) -> str:
    """Return a column, with another value in place of one that is not a whole number."""
    return f"CASE WHEN {column} = trunc({column}) THEN {column} ELSE {value} END" if kind == "numeric" else column


def highest(table: str, column: str, condition: str = "") -> str:
    """Return the expression for the highest number in a column; what other programs write beyond 32 bits is none."""
    return f"(SELECT max({column}) FROM {table} WHERE {condition}{column} <= {INT32_MAX})"


def used(table: str, column: str, first: str, condition: str = "") -> str:
    """Return the expression for the highest of `:count` numbers behind `:first` that a row has, NULL without any."""
    return f"(SELECT max({column}) FROM {table} WHERE {condition}{column} > :{first} AND {column} <= :{first} + :count)"


def change_text(text: ListStatements, columns: Sequence[str]) -> str:
    """Return the statement that sets columns of records; its parameter is a JSON list of (record id, values...)."""
    settings = []
    for at, name in enumerate(columns, start=1):
        column = text.columns[name.lower()]
        settings.append(f"{quoted(column.name)} = (j.value->>{at})::{_cast(column.kind)}")
    return (
        f"UPDATE {text.table} AS t SET {', '.join(settings)} FROM jsonb_array_elements(?::jsonb) AS j"
        " WHERE t.record_id = (j.value->>0)::bigint"
    )


def list_indexes(
    calling_list: CallingList, table: str, columns: Mapping[str, UsableColumn], forms: Forms
) -> dict[int, Index]:
    """Return the indexes of a list by the numbers in their names (K23)."""
    ready = Ready(table, columns)
    indexes = {
        1: Index(f"({forms.search_key_of('contact_info')})"),
        2: Index("record_id", forms.beyond_ascii("contact_info")),
        3: Index(*ready.index()),
        5: Index("record_id", unless_leading="record_id"),
        6: Index("chain_id, chain_n", unless_leading="chain_id"),
    }
    if ready.doubtful:
        # Empty as a rule: what other programs have written that is no number (K63) is counted without a scan.
        indexes[7] = Index("record_id", f"NOT ({ready.whole('')})")
    if calling_list.customer_id is not None:
        column = quoted(columns[calling_list.customer_id.column.lower()].name)
        indexes[4] = Index(f"({indexed(forms.trimmed(column))})", given(column))
    return indexes
