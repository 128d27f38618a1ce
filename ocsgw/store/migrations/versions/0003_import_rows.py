"""Which rows an import has stored, and as what, so that it can be taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Imports of earlier versions have no number: which rows are theirs is not known.
    op.add_column("ocsgw_import", sa.Column("number", sa.BigInteger))
    op.create_index("ocsgw_import_number", "ocsgw_import", ["number"])
    op.create_table(
        "ocsgw_import_rows",
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("first_row", sa.BigInteger, nullable=False),
        sa.Column("rows", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", "first_row"),
    )
