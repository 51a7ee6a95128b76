"""The ledger's tables: what is stored, and which submissions claim it.

A blob exists as long as a claim on it does. A claim is `open` from before registration until its
outcome is known, then `held`, or gone. Times are seconds since 1970 in UTC.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, String, Table

METADATA = MetaData()
# Compared and sorted by byte on both databases, so that locks are taken in one order.
TEXT = String().with_variant(String(collation="C"), "postgresql")
ID = BigInteger().with_variant(Integer(), "sqlite")

OPEN, HELD = "open", "held"

BLOB = Table(
    "blob",
    METADATA,
    Column("id", ID, primary_key=True),
    Column("document_unique_id", TEXT, nullable=False, unique=True),
    Column("name", TEXT, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("sha1", TEXT, nullable=False),
    Column("sha256", TEXT, nullable=False),
    Column("mime_type", TEXT, nullable=False),
    Column("stored", BigInteger, nullable=False),
    # not delivered before this time, because its bytes were wrong or could not be read
    Column("failing_until", BigInteger),
    Column("seal", TEXT),  # none for documents of before there were seals
)

# key: of one ITI-41 request; two identical requests at once have a claim each
CLAIM = Table(
    "claim",
    METADATA,
    Column("key", TEXT, primary_key=True),
    Column("blob_id", ID, ForeignKey("blob.id"), primary_key=True),
    Column("submission", TEXT, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("opened", BigInteger, nullable=False),
    Index("ix_claim_blob_id", "blob_id"),
    Index("ix_claim_state_opened", "state", "opened"),
)

# one row: the identity of the document store this ledger belongs to
STORE = Table(
    "store",
    METADATA,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("identity", TEXT, nullable=False),
)
