"""demographics"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_index("patient_by_survivor", "patient", ["survivor"])
    op.create_table(
        "demographics",
        sa.Column(
            "patient", ID, sa.ForeignKey("patient.id"), primary_key=True, autoincrement=False
        ),
        sa.Column("family", TEXT),
        sa.Column("given", TEXT),
        sa.Column("birth_date", TEXT),
        sa.Column("sex", TEXT),
        sa.Column("street", TEXT),
        sa.Column("city", TEXT),
        sa.Column("state", TEXT),
        sa.Column("postal_code", TEXT),
        sa.Column("country", TEXT),
    )
    op.create_index("demographics_by_birth_date", "demographics", ["birth_date"])
    op.create_table(
        "other_id",
        sa.Column("patient", ID, sa.ForeignKey("patient.id"), primary_key=True),
        sa.Column("cx", TEXT, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("other_id_by_cx", "other_id", ["cx"])
