"""The gateway's table: what patients are called in other communities.

Times are seconds since 1970 in UTC.
"""

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, String, Table

METADATA = MetaData()
# compared by byte on both databases
TEXT = String().with_variant(String(collation="C"), "postgresql")

# where an identifier comes from: an operator, or patient discovery
TABLE, DISCOVERY = "table", "discovery"

IDENTIFIER = Table(
    "identifier",
    METADATA,
    Column("patient", TEXT, primary_key=True),
    Column("community", TEXT, primary_key=True),
    Column("source", TEXT, primary_key=True),
    Column("identifier", TEXT, nullable=False),
    # of discovery: not used from then on
    Column("expires", BigInteger),
    # of discovery: how well the patient fitted, 0 to 100, where that was told
    Column("degree", Integer),
    # of discovery: digest of what the patient was asked for by
    Column("person", TEXT),
    # the community knows where else the patient has documents
    Column("is_locator", Boolean, nullable=False),
)
