"""The names of the counters of a list begin with its table, so that what concerns one list lies together."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    # By way of names that nobody has: a table may have a name like that of a counter.
    for kind in ("record", "chain"):
        op.execute(
            f"UPDATE ocsgw_counter SET name = ' ' || substr(name, {len(kind) + 2}) || ' {kind}'"
            f" WHERE substr(name, 1, {len(kind) + 1}) = '{kind} '"
        )
    op.execute("UPDATE ocsgw_counter SET name = substr(name, 2) WHERE substr(name, 1, 1) = ' '")
