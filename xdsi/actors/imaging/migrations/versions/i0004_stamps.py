"""stamps, by which changed studies are told, and an index to find who rejects their instances"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("instance", sa.Column("stamp", sa.BigInteger, nullable=False, server_default="0"))
    op.execute("UPDATE instance SET stamp = id")  # what has been told of so far stays as it is
    op.create_index("ix_rejection_study_instance_uid", "rejection", ["study_instance_uid"])
