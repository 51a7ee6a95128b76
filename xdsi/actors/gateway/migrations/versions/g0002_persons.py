"""of discovered identifiers, by which demographics; those from before are discovered once more"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    text = sa.String().with_variant(sa.String(collation="C"), "postgresql")
    op.add_column("identifier", sa.Column("person", text))
