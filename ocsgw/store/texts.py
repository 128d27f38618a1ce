"""The statements of tables, as an engine writes them once for each; what they take and give is the same everywhere.

Every statement takes a whole run of rows, as one JSON parameter or, where it inserts, as one list of values: row by
row, each statement would give up and queue again for the interpreter lock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from ocsgw.protocol.columns import CALLING_LIST_COLUMNS

INSERTED_COLUMNS = tuple(column.name for column in CALLING_LIST_COLUMNS if column.block == 1)
# A copy begins its treatments anew (H232).
FURTHER_COLUMNS = tuple(
    column.name for column in CALLING_LIST_COLUMNS if column.block != 1 and column.name != "treatments"
)
# Statements that insert so many rows are kept prepared, one for each number.
ROWS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class UsableColumn:
    """A column of a table: its name as it stands there, and its type."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True, eq=False)
class ListStatements:
    """The statements of one calling list.

    `highest_ids` are expressions: two for record ids, of the table and of all that were seen, then those for chain ids.
    `find_by_customer_id` is None if the list has no customer id, `copy_further_columns` if its table has no column of
    the second block. `insert` takes `insert_at_once` rows at most; with an `insert_row` it is followed by as
    many of these as there are rows. `chain_sizes` are chains with their numbers of rows. `columns` are those of the
    table that may be used, by their names in lower case.
    """

    highest_ids: str
    chain_ends: str
    insert: str
    insert_row: str
    insert_at_once: int
    copy_further_columns: str | None
    find_by_contact: str
    find_by_chain: str
    find_by_customer_id: str | None
    mark_do_not_call: str
    records: str
    records_of_chains: str
    chain_sizes: str
    record_statuses: str
    records_by_contact: str
    export_records: str
    count_by_status: str
    delete_records: str
    windows: str
    ready_records: str
    waiting_agents: str
    ready_records_but: str
    reset_unexplained: str
    table: str
    columns: Mapping[str, UsableColumn]


@dataclass(frozen=True, slots=True, eq=False)
class DncStatements:
    """The statements of the do-not-call table.

    `blocked` are the places of look-ups with the contacts of entries that have one of their search keys, NULL where the
    customer id is the same. `beyond_ascii` are the entries whose search keys SQL cannot compute, with their scopes,
    `newest_beyond_ascii` the number of the last of them and `added_beyond_ascii` the contacts of those behind a number,
    both empty where that cannot be told, `of_contacts` those with one of a list of texts, `without_form` the contacts
    of those that have no stored normal form, and `any_beyond_ascii` an expression for whether there are any. `lasting`
    are the contacts of entries without an end that have one of some search keys. `blocking`, None where indexes are
    forbidden, are entries for lists of search keys and customer ids: which of them it is, the contact, NULL for a
    customer id, and the campaign. The others are for `StoredEntry` by search keys and customer ids, or by number.
    """

    blocked: str
    any_beyond_ascii: str
    beyond_ascii: str
    newest_beyond_ascii: str
    added_beyond_ascii: str
    of_contacts: str
    without_form: str
    lasting: str
    insert: str
    entries_for: str
    entries: str
    export_entries: str
    import_entries: str
    change_entries: str
    delete_entries: str
    table: str
    has_expiry: bool
    blocking: str | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """An index of ours: its columns or expressions, and its condition, empty without one.

    One that is `unless_leading` a column is needed only if no other index begins with that column.
    """

    body: str
    condition: str = ""
    unless_leading: str = ""


@lru_cache(maxsize=1024)
def insert_text(text: ListStatements, rows: int) -> str:
    """Return the statement that inserts so many rows; its parameters are their values, one row after the other."""
    return text.insert + ", ".join([text.insert_row] * rows)
