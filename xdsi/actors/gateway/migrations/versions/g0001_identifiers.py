"""identifiers of patients in other communities"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "identifier",
        sa.Column("patient", _TEXT, primary_key=True),
        sa.Column("community", _TEXT, primary_key=True),
        sa.Column("source", _TEXT, primary_key=True),
        sa.Column("identifier", _TEXT, nullable=False),
        sa.Column("expires", sa.BigInteger),
        sa.Column("degree", sa.Integer),
        sa.Column("is_locator", sa.Boolean, nullable=False),
    )
