"""Who holds a hand-out besides the agent for whom it was made, and auto completion of campaign groups (P126, P129)."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("ocsgw_handout", sa.Column("holders", sa.Text))
    op.add_column("ocsgw_group", sa.Column("auto_complete", sa.Boolean))
