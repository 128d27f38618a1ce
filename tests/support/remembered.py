"""What the embedded store remembers instead of reading it again has to be what is stored."""

from ocsgw.store.bulk import BulkTransaction
from ocsgw.store.sqlite.engine import SQLiteEngine
from ocsgw.store.sqlite.transaction import SQLiteTransaction


def demand_what_is_stored(store: SQLiteEngine) -> int:
    """Raise `AssertionError` if something that would be used from memory is not so; return how many chains would be."""
    with store.transaction(1.0) as tx:
        memory = tx._memory
        if not memory.is_sure(tx._connection):
            return 0
        for known in memory.chains:
            handout, record = known.handout, known.record
            stored = tx.handouts_of_handles([known.handle.handle])
            assert stored == [(handout, [known.handle])], f"{stored} instead of {known}"
            records = tx.records_of_chains(known.calling_list, [handout.chain_id])
            assert records == [record], f"{records} instead of {record}"
        _demand_windows(tx)
        read = tx._connection.rows("SELECT dbid, state, dial_mode, guid, auto_complete FROM ocsgw_group")
        assert memory.groups in (None, read), f"{read} instead of {memory.groups}"
        if memory.knows_entries(tx._connection):
            text = tx._do_not_call_text()
            asked = f"SELECT EXISTS (SELECT 1 FROM {text.table}), {text.any_beyond_ascii}"
            entries = [(memory.has_entries, memory.any_beyond_ascii)]
            assert tx._connection.rows(asked) == entries, entries
        return len(memory.chains)


def _demand_windows(tx: SQLiteTransaction) -> None:
    """Nothing may be ready in a window that is not remembered."""
    for (calling_list, campaigns, agents), known in tx._memory.windows.items():
        read = BulkTransaction.windows(tx, calling_list, campaigns, agents)
        assert {*read} <= {*known}, f"{read} beyond {known}"
