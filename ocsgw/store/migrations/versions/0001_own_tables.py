"""Answers under idempotency keys, hand-outs with their handles, states of campaign groups."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "ocsgw_idempotency",
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("principal", "key"),
    )
    op.create_index("ocsgw_idempotency_expires_at", "ocsgw_idempotency", ["expires_at"])
    op.create_table(
        "ocsgw_handout",
        sa.Column("handout_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("list_dbid", sa.Integer, nullable=False),
        sa.Column("chain_id", sa.Integer, nullable=False),
        sa.Column("record_id", sa.Integer, nullable=False),
        sa.Column("group_dbid", sa.Integer, nullable=False),
        sa.Column("agent_id", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("timeout", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("rescheduled", sa.Text, nullable=False),
    )
    op.create_index("ocsgw_handout_expires_at", "ocsgw_handout", ["expires_at"])
    op.create_index("ocsgw_handout_group", "ocsgw_handout", ["group_dbid"])
    op.create_table(
        "ocsgw_handle",
        sa.Column("handle", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("handout_id", sa.BigInteger, nullable=False),
        sa.Column("list_dbid", sa.Integer, nullable=False),
        sa.Column("record_id", sa.Integer, nullable=False),
        sa.Column("prior_status", sa.Integer, nullable=False),
        sa.Column("guid", sa.Text, nullable=False),
        sa.Column("attempts_set", sa.Integer, nullable=False),
        sa.Column("status_set", sa.Integer),
        sa.Column("treatment", sa.Text),
    )
    op.create_index("ocsgw_handle_handout", "ocsgw_handle", ["handout_id"])
    op.create_index("ocsgw_handle_record", "ocsgw_handle", ["list_dbid", "record_id"])
    op.create_table(
        "ocsgw_spent_handle",
        sa.Column("handle", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("event", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "ocsgw_group",
        sa.Column("dbid", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("dial_mode", sa.Text, nullable=False),
        sa.Column("guid", sa.Text, nullable=False),
    )
    op.create_table(
        "ocsgw_counter",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
