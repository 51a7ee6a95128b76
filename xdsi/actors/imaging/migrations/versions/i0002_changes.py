"""an index to find studies that have changed"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index("ix_instance_stored", "instance", ["stored"])
