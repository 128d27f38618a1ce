"""Normal forms of contacts in the do-not-call table that SQL cannot compute (K40)."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "ocsgw_contact_form",
        sa.Column("rules", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("country", sa.Text, primary_key=True),
        sa.Column("contact", sa.Text, primary_key=True),
        sa.Column("form", sa.Text, nullable=False),
    )
    op.create_index("ocsgw_contact_form_form", "ocsgw_contact_form", ["rules", "country", "form"])
