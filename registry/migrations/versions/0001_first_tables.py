"""first tables"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "patient",
        sa.Column("id", ID, sa.Identity(), primary_key=True),
        sa.Column("cx", TEXT, nullable=False, unique=True),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("survivor", ID, sa.ForeignKey("patient.id")),
    )
    op.create_table(
        "code",
        sa.Column("id", ID, sa.Identity(), primary_key=True),
        sa.Column("code", TEXT, nullable=False),
        sa.Column("scheme", TEXT, nullable=False),
        sa.UniqueConstraint("code", "scheme"),
    )
    op.create_table(
        "object",
        sa.Column("id", ID, sa.Identity(), primary_key=True),
        sa.Column("uuid", TEXT, nullable=False, unique=True),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("lid", TEXT, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("is_current", sa.Boolean, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("submission", ID, sa.ForeignKey("object.id"), nullable=False),
        sa.Column("patient", ID, sa.ForeignKey("patient.id")),
        sa.Column("unique_id", TEXT),
        sa.Column("is_on_demand", sa.Boolean),
        sa.Column("availability", sa.SmallInteger),
        sa.Column("repository_unique_id", TEXT),
        sa.Column("class_code", ID, sa.ForeignKey("code.id")),
        sa.Column("type_code", ID, sa.ForeignKey("code.id")),
        sa.Column("practice_setting_code", ID, sa.ForeignKey("code.id")),
        sa.Column("healthcare_facility_type_code", ID, sa.ForeignKey("code.id")),
        sa.Column("format_code", ID, sa.ForeignKey("code.id")),
        sa.Column("creation_time", TEXT),
        sa.Column("service_start_time", TEXT),
        sa.Column("service_stop_time", TEXT),
        sa.Column("content_type_code", ID, sa.ForeignKey("code.id")),
        sa.Column("source_id", TEXT),
        sa.Column("submission_time", TEXT),
        sa.Column("last_update_time", TEXT),
        sa.UniqueConstraint("lid", "version"),
    )
    op.create_index("object_by_patient", "object", ["patient", "kind", "status"])
    op.create_index("object_by_unique_id", "object", ["unique_id"])
    op.create_table(
        "object_value",
        sa.Column("object", ID, sa.ForeignKey("object.id"), primary_key=True),
        sa.Column("attribute", sa.SmallInteger, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("code", ID, sa.ForeignKey("code.id")),
        sa.Column("text", TEXT),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "fragment",
        sa.Column("object", ID, sa.ForeignKey("object.id"), primary_key=True, autoincrement=False),
        sa.Column("start", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "association",
        sa.Column("id", ID, sa.ForeignKey("object.id"), primary_key=True, autoincrement=False),
        sa.Column("type", sa.SmallInteger, nullable=False),
        sa.Column("source", ID, sa.ForeignKey("object.id"), nullable=False),
        sa.Column("target", ID, sa.ForeignKey("object.id"), nullable=False),
    )
    op.create_index("association_by_source", "association", ["source", "type"])
    op.create_index("association_by_target", "association", ["target", "type"])
    op.create_table(
        "unique_id",
        sa.Column("value", TEXT, primary_key=True),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("sha1", TEXT),
        sa.Column("size", sa.BigInteger),
        sqlite_with_rowid=False,
    )
