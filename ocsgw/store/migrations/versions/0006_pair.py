"""The lease of a pair of servers, and who is ready to take it (C81)."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "ocsgw_lease",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        # Which start of the machine `expires_at` counts from, where it is not a time of day.
        sa.Column("boot", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("objects", sa.Text, nullable=False),
    )
    op.create_table(
        "ocsgw_standby",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("boot", sa.Text, nullable=False),
        sa.Column("ready_until", sa.Double, nullable=False),
    )
