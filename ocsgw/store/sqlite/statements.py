"""SQL text for calling lists on SQLite, made once per list."""

from collections.abc import Container, Mapping, Sequence
from functools import lru_cache

from ocsgw.contact.directory import CallingList
from ocsgw.contact.transaction import further_columns
from ocsgw.protocol.attributes import INT32_MAX
from ocsgw.protocol.columns import TEXT_COLUMNS
from ocsgw.store.sqlite.forms import (
    beyond_ascii,
    given,
    in_any_part,
    may_be_of,
    part_of,
    quoted,
    search_key_of,
    trimmed,
)
from ocsgw.store.sqlite.ready import doubtful, ready_index, ready_records_text, waiting_agents_text, windows_text
from ocsgw.store.texts import FURTHER_COLUMNS, INSERTED_COLUMNS, ROWS_AT_ONCE, Index, ListStatements, UsableColumn

# A statement takes no more values than this.
_VALUES_AT_ONCE = 32766


def record_columns(calling_list: CallingList, columns: Container[str]) -> str:
    """Return what is read of a record, in the order of `Record`, with what NULL is read as (K11, K13)."""
    treatments = "coalesce(t.treatments, '')" if "treatments" in columns else "''"
    custom = "".join(f", t.{quoted(field.column)}" for field in calling_list.fields)
    for column in further_columns(calling_list):
        empty = "''" if column in TEXT_COLUMNS else "0"
        custom += f", coalesce(t.{column}, {empty})" if column in columns else ", NULL"
    return (
        "t.record_id, t.contact_info, coalesce(t.contact_info_type, 0), coalesce(nullif(t.record_type, 0), 2),"
        " coalesce(nullif(t.record_status, 0), 1), coalesce(t.call_result, 28), coalesce(t.attempt, 0),"
        " coalesce(t.dial_sched_time, 0), coalesce(t.call_time, 0), coalesce(t.daily_from, 0),"
        " coalesce(t.daily_till, 86399), coalesce(t.tz_dbid, 0), coalesce(t.campaign_id, 0), coalesce(t.agent_id, ''),"
        f" coalesce(t.chain_id, t.record_id), coalesce(t.chain_n, 0), {treatments}{custom}"
    )


def list_text(
    calling_list: CallingList, columns: Mapping[str, UsableColumn], *, may_lack_chain: bool, is_indexed: bool = True
) -> ListStatements:
    """Return the statements of a list; `columns` are those of its table that may be used, in lower case.

    If a row `may_lack_chain`, NULL in `chain_id` is read as its record id (K11). Without indexes (K23) contacts are
    compared in one pass, else each is looked up.
    """
    table = quoted(calling_list.table)
    names = ", ".join(quoted(name) for name in (*INSERTED_COLUMNS, *(field.column for field in calling_list.fields)))
    width = len(INSERTED_COLUMNS) + len(calling_list.fields)
    found = f"SELECT record_id, coalesce(chain_id, record_id), contact_info FROM {table}"
    record = record_columns(calling_list, columns)
    of_chains = "chain_id IN (SELECT value FROM json_each(:chains))"
    if may_lack_chain:
        of_chains = f"({of_chains} OR (chain_id IS NULL AND record_id IN (SELECT value FROM json_each(:chains))))"
    whole_chains = f"{of_chains} AND record_id IS NOT NULL AND contact_info IS NOT NULL"
    # A row without a chain counts as one: its number must not be given to another.
    lone_chains = f", {_highest(table, 'record_id', 'chain_id IS NULL AND ')}" if may_lack_chain else ""
    customer_id, are_numbers = calling_list.customer_id, "typeof(record_id) = 'integer'"
    further = ", ".join(quoted(name) for name in FURTHER_COLUMNS if name in columns)
    return ListStatements(
        highest_ids=(
            f"{_highest(table, 'record_id')}, (SELECT value FROM ocsgw_counter WHERE name = :records),"
            f" {_highest(table, 'chain_id')}{lone_chains}, (SELECT value FROM ocsgw_counter WHERE name = :chains)"
        ),
        chain_ends=(
            f"SELECT coalesce(chain_id, record_id), max(CASE WHEN typeof(chain_n) = 'integer' THEN chain_n ELSE 0 END)"
            f" FROM {table} WHERE {of_chains} GROUP BY 1"
        ),
        insert=f"INSERT INTO {table} ({names}) VALUES ",
        insert_row=f"({', '.join('?' * width)})",
        insert_at_once=max(1, min(ROWS_AT_ONCE, _VALUES_AT_ONCE // width)),
        copy_further_columns=(
            f"UPDATE {table} SET ({further}) = (SELECT {further} FROM {table} WHERE record_id = :source)"
            " WHERE record_id = :target"
            if further
            else None
        ),
        find_by_contact=(
            f"{_of_contacts(found, given('record_id'), is_indexed=is_indexed)}"
            f" UNION ALL {found}, json_each(?1) AS k WHERE {beyond_ascii('contact_info')} AND {given('record_id')}"
            f" AND {may_be_of('contact_info', 'k.value')}"
        ),
        find_by_chain=f"{found} WHERE {whole_chains}",
        find_by_customer_id=(
            f"{found} WHERE {in_any_part('record_id')} AND {trimmed(quoted(customer_id.column))} = ?"
            f" AND {given(quoted(customer_id.column))} AND contact_info IS NOT NULL"
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
        records_of_chains=(
            f"SELECT {record} FROM {table} AS t WHERE {whole_chains}"
            " ORDER BY coalesce(chain_id, record_id), chain_n, record_id"
        ),
        chain_sizes=(
            # Without the table itself where its index is enough.
            f"SELECT coalesce(chain_id, record_id), count(*) FROM {table} WHERE {of_chains} GROUP BY 1"
            if may_lack_chain
            else f"SELECT chain_id, count(*) FROM {table} WHERE {of_chains} GROUP BY chain_id"
        ),
        record_statuses=(
            f"SELECT record_id, coalesce(nullif(record_status, 0), 1) FROM {table}"
            " WHERE record_id IN (SELECT value FROM json_each(?)) AND typeof(coalesce(record_status, 1)) = 'integer'"
        ),
        records_by_contact=(
            # Not UNION, for whose order the planner reads the whole table.
            f"{_of_contacts(f'SELECT record_id, contact_info FROM {table}', are_numbers, is_indexed=is_indexed)}"
            f" UNION ALL SELECT record_id, contact_info FROM {table}"
            f" WHERE {beyond_ascii('contact_info')} AND {are_numbers}"
        ),
        export_records=(
            f"SELECT {record} FROM {table} AS t"
            " WHERE t.record_id > :after AND typeof(t.record_id) = 'integer' AND t.contact_info IS NOT NULL"
            " ORDER BY t.record_id LIMIT :at_most"
        ),
        count_by_status=(
            "SELECT status, count(*), max(record_id) FROM (SELECT record_id,"
            f" coalesce(nullif(record_status, 0), 1) AS status FROM {table}"
            " WHERE record_id > :after AND typeof(record_id) = 'integer'"
            " ORDER BY record_id LIMIT :at_most) AS slice GROUP BY 1"
        ),
        delete_records=(
            f"DELETE FROM {table} WHERE record_id IN (SELECT value FROM json_each(?))"
            " AND coalesce(record_status, 1) <> 2"
        ),
        windows=windows_text(table),
        ready_records=ready_records_text(table, record, may_lack_chain=may_lack_chain),
        waiting_agents=waiting_agents_text(table),
        ready_records_but=ready_records_text(table, record, may_lack_chain=may_lack_chain, but_some=True),
        reset_unexplained=(
            f"UPDATE {table} SET record_status = 1 WHERE record_status = 2 AND record_id NOT IN"
            " (SELECT record_id FROM ocsgw_handle WHERE list_dbid = ?)"
        ),
        table=table,
        columns=columns,
    )


def _of_contacts(found: str, condition: str, *, is_indexed: bool) -> str:
    """Return the statement for what is found of the contacts with search keys, its parameter as a JSON list.

    Each key is looked up in each part of the index. Were they asked for by IN, the planner would read whole parts
    where statistics of other programs say that they are short. Without an index one pass over the table is best.
    """
    key = search_key_of("contact_info")
    if not is_indexed:
        return f"{found} WHERE {key} IN (SELECT value FROM json_each(?1)) AND {condition}"
    source = found.replace(" FROM ", " FROM json_each(?1) AS k CROSS JOIN ", 1)
    return f"{source} WHERE {in_any_part('record_id')} AND {key} = k.value AND {condition}"


def _highest(table: str, column: str, condition: str = "") -> str:
    """Return the expression for the highest number in a column; what other programs write beyond 32 bits is none."""
    return f"(SELECT max({column}) FROM {table} WHERE {condition}{column} <= {INT32_MAX})"


def change_text(text: ListStatements, columns: Sequence[str]) -> str:
    """Return the statement that sets columns of records; its parameter is a JSON list of (record id, values...)."""
    settings = ", ".join(
        f"{quoted(column)} = json_extract(j.value, '$[{at}]')" for at, column in enumerate(columns, start=1)
    )
    return (
        f"UPDATE {text.table} AS t SET {settings} FROM json_each(?) AS j"
        " WHERE t.record_id = json_extract(j.value, '$[0]')"
    )


@lru_cache(maxsize=1024)
def same_text(table: str, key: str, columns: tuple[str, ...]) -> str:
    """Return the statement that sets columns of some rows to the same values; its last parameter are their keys."""
    return f"UPDATE {table} SET {' = ?, '.join(columns)} = ? WHERE {key} IN (SELECT value FROM json_each(?))"


def list_indexes(calling_list: CallingList) -> dict[int, Index]:
    """Return the indexes of a list by the numbers in their names (K23)."""
    indexes = {
        1: Index(f"{part_of('record_id')}, {search_key_of('contact_info')}"),
        2: Index("contact_info", beyond_ascii("contact_info")),
        3: Index(*ready_index()),
        5: Index("record_id", unless_leading="record_id"),
        6: Index("chain_id, chain_n", unless_leading="chain_id"),
        # Empty as a rule: what other programs have written that is no number (K63) is counted without a scan.
        7: Index("record_id", doubtful("")),
    }
    if calling_list.customer_id is not None:
        column = quoted(calling_list.customer_id.column)
        indexes[4] = Index(f"{part_of('record_id')}, {trimmed(column)}", given(column))
    return indexes
