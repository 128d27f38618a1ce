"""The contact that a record had when it was handed out: its handle is not for another row with its number (K16)."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # Handles of earlier versions do not know it.
    op.add_column("ocsgw_handle", sa.Column("contact", sa.Text))
