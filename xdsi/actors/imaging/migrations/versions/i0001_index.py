"""studies, series, instances, their headers, rejections and the identity of the store"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "study",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("study_instance_uid", _TEXT, nullable=False, unique=True),
    )
    op.create_table(
        "series",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("study_id", _ID, sa.ForeignKey("study.id"), nullable=False),
        sa.Column("series_instance_uid", _TEXT, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("study_id", "series_instance_uid", name="uq_series_study_id"),
    )
    op.create_table(
        "instance",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("series_id", _ID, sa.ForeignKey("series.id"), nullable=False),
        sa.Column("sop_instance_uid", _TEXT, nullable=False, unique=True),
        sa.Column("sop_class_uid", _TEXT, nullable=False),
        sa.Column("transfer_syntax_uid", _TEXT, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("frames", sa.BigInteger, nullable=False),
        sa.Column("name", _TEXT, nullable=False, unique=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", _TEXT, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("stored", sa.BigInteger, nullable=False),
        sa.Column("failing_until", sa.BigInteger),
    )
    op.create_index("ix_instance_series_id", "instance", ["series_id"])
    op.create_table(
        "header",
        sa.Column(
            "instance_id", _ID, sa.ForeignKey("instance.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "rejection",
        sa.Column(
            "note_id", _ID, sa.ForeignKey("instance.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("sop_instance_uid", _TEXT, primary_key=True),
        sa.Column("study_instance_uid", _TEXT, nullable=False),
    )
    op.create_index("ix_rejection_sop_instance_uid", "rejection", ["sop_instance_uid"])
    op.create_table(
        "image_store",
        sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("identity", _TEXT, nullable=False),
    )
