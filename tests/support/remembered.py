"""What the embedded store remembers instead of reading it again has to be what is stored."""

from ocsgw.store.bulk import BulkTransaction
from ocsgw.store.sqlite.engine import SQLiteEngine
from ocsgw.store.sqlite.transaction import SQLiteTransaction


def demand_what_is_stored(store: SQLiteEngine) -> int:
    """Raise `AssertionError` if something that would be used from memory is not so; return how many chains would be.

    The store does not notice it: it has still to find out by itself whether others have written.
    """
    connection, memory = store._needed(), store._memory
    if connection.rows("PRAGMA data_version") != memory._version or connection.raw.total_changes != memory._changes:
        return 0
    tx = SQLiteTransaction(connection, store._tables, store._report, memory)
    for known in memory.chains:
        handout, record = known.handout, known.record
        stored = tx.handouts_of_handles([known.handle.handle])
        assert stored == [(handout, [known.handle])], f"{stored} instead of {known}"
        records = tx.records_of_chains(known.calling_list, [handout.chain_id])
        assert records == [record], f"{records} instead of {record}"
    _demand_windows(tx)
    read = connection.rows("SELECT dbid, state, dial_mode, guid, auto_complete FROM ocsgw_group")
    assert memory.groups in (None, read), f"{read} instead of {memory.groups}"
    if memory._knows_entries:
        text = tx._do_not_call_text()
        asked = f"SELECT EXISTS (SELECT 1 FROM {text.table}), {text.any_beyond_ascii}"
        entries = [(memory.has_entries, memory.any_beyond_ascii)]
        assert connection.rows(asked) == entries, entries
    return len(memory.chains)


def _demand_windows(tx: SQLiteTransaction) -> None:
    """Nothing may be ready in a window that is not remembered."""
    for (calling_list, campaigns, agents), known in tx._memory.windows.items():
        read = BulkTransaction.windows(tx, calling_list, campaigns, agents)
        assert {*read} <= {*known}, f"{read} beyond {known}"
