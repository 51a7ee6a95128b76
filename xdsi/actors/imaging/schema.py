"""The index of the embedded archive: studies, their series, their instances.

Names of tables are no other actor's, so that all may share one PostgreSQL database. Times are
seconds since 1970 in UTC.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

METADATA = MetaData()
# Compared and sorted by byte on both databases.
TEXT = String().with_variant(String(collation="C"), "postgresql")
ID = BigInteger().with_variant(Integer(), "sqlite")

STUDY = Table(
    "study",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("study_instance_uid", TEXT, nullable=False, unique=True),
)

# A Series Instance UID in two studies is two series here: foreign anonymisers do that.
# number: of its first instance; series without one come last
SERIES = Table(
    "series",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("study_id", ID, ForeignKey("study.id"), nullable=False),
    Column("series_instance_uid", TEXT, nullable=False),
    Column("number", BigInteger, nullable=False),
    UniqueConstraint("study_id", "series_instance_uid", name="uq_series_study_id"),
)

# start: octets of the file before its data set; frames: 0 without pixel data
# stamp: another one for each file ever stored, so that sums of them tell a change; ids return
# failing_until: not delivered before this time, because its bytes were wrong or could not be read
INSTANCE = Table(
    "instance",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("series_id", ID, ForeignKey("series.id"), nullable=False),
    Column("sop_instance_uid", TEXT, nullable=False, unique=True),
    Column("sop_class_uid", TEXT, nullable=False),
    Column("transfer_syntax_uid", TEXT, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("frames", BigInteger, nullable=False),
    Column("name", TEXT, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("sha256", TEXT, nullable=False),
    Column("seal", TEXT),  # none for files of before there were seals
    Column("start", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("failing_until", BigInteger),
    Column("stamp", BigInteger, nullable=False, server_default="0"),
    Index("ix_instance_series_id", "series_id"),
    Index("ix_instance_stored", "stored"),
)

# its small elements (xdsi.wire.archived); apart, for they are much longer than the rest
HEADER = Table(
    "header",
    METADATA,
    Column("instance_id", ID, ForeignKey("instance.id", ondelete="CASCADE"), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

# What a rejection note takes back, whether it is there already or comes later (IMG-016). In force
# for as long as the note is kept.
REJECTION = Table(
    "rejection",
    METADATA,
    Column("note_id", ID, ForeignKey("instance.id", ondelete="CASCADE"), primary_key=True),
    Column("sop_instance_uid", TEXT, primary_key=True),
    Column("study_instance_uid", TEXT, nullable=False),
    Index("ix_rejection_sop_instance_uid", "sop_instance_uid"),
    Index("ix_rejection_study_instance_uid", "study_instance_uid"),
)

# one row: the identity of the store of files this index belongs to
IMAGE_STORE = Table(
    "image_store",
    METADATA,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("identity", TEXT, nullable=False),
)
