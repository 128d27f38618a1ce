"""What has changed, in order, for histories of records and web clients; and what is to be sent to receivers."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "ocsgw_outbox",
        # Never given again, so that readers know where they are (SQLite: AUTOINCREMENT).
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("list_dbid", sa.Integer, nullable=False),
        sa.Column("chain_id", sa.Integer, nullable=False),
        sa.Column("record_id", sa.Integer, nullable=False),
        sa.Column("group_dbid", sa.Integer, nullable=False),
        sa.Column("handle", sa.BigInteger, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ocsgw_outbox_chain", "ocsgw_outbox", ["list_dbid", "chain_id", "record_id"])
    op.create_index(
        "ocsgw_outbox_handle",
        "ocsgw_outbox",
        ["handle"],
        sqlite_where=sa.text("handle > 0"),
        postgresql_where=sa.text("handle > 0"),
    )
    op.create_table(
        "ocsgw_delivery",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("list_dbid", sa.Integer, nullable=False),
        sa.Column("chain_id", sa.Integer, nullable=False),
        sa.Column("written_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
