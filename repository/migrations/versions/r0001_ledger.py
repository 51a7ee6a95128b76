"""blobs, claims and the identity of the store"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "blob",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("document_unique_id", _TEXT, nullable=False, unique=True),
        sa.Column("name", _TEXT, nullable=False, unique=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha1", _TEXT, nullable=False),
        sa.Column("sha256", _TEXT, nullable=False),
        sa.Column("mime_type", _TEXT, nullable=False),
        sa.Column("stored", sa.BigInteger, nullable=False),
        sa.Column("failing_until", sa.BigInteger),
    )
    op.create_table(
        "claim",
        sa.Column("key", _TEXT, primary_key=True),
        sa.Column("blob_id", _ID, sa.ForeignKey("blob.id"), primary_key=True),
        sa.Column("submission", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("opened", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_claim_blob_id", "claim", ["blob_id"])
    op.create_index("ix_claim_state_opened", "claim", ["state", "opened"])
    op.create_table(
        "store",
        sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("identity", _TEXT, nullable=False),
    )
