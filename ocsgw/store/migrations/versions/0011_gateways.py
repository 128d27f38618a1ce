"""What several servers that serve at once need: whose turn it is to write, and what they tell each other."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    # Has no rows: it is there to be locked.
    op.create_table("ocsgw_turn", sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))
    op.create_table(
        "ocsgw_news",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
