"""The tables.

- `patient`: identifiers of the affinity domain. A merge points to the survivor and rewrites
  `object.patient`, so no query follows chains.
- `code`: coded values, interned.
- `object`: one row a version of an object, with whatever queries and rules compare. Times are the
  earliest instant they may mean (SQ-031); all text is NFC (SQ-039). Columns that do not belong to
  an object's kind are NULL.
- `object_value`: attributes with several values.
- `fragment`: the bytes an object is answered with, see `registry.fragments`. What may change later
  is written from columns.
- `association`: the ends. `object.submission` says which set registered it; itself when that set
  has been removed.
- `unique_id`: who holds a uniqueId. Every submission inserts or compares here, so duplicates, races
  and versions all follow from one key; it is released with the last object that bears it.
- `demographics`, `other_id`: what the identity feed told of a patient, for discovery alone. A merge
  leaves none of a merged patient.
"""

from enum import IntEnum
from types import MappingProxyType
from typing import Any
from unicodedata import normalize

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import postgresql

from xdsi.model.objects import Association, DocumentEntry, Folder, SubmissionSet
from xdsi.standard import urns


class Kind(IntEnum):
    """`object.kind` and `unique_id.kind`."""

    DOCUMENT_ENTRY = 1
    SUBMISSION_SET = 2
    FOLDER = 3
    ASSOCIATION = 4

    @property
    def title(self) -> str:
        """Name in error texts."""
        return str(KINDS[self].__name__)


KINDS: MappingProxyType[Kind, Any] = MappingProxyType(
    {
        Kind.DOCUMENT_ENTRY: DocumentEntry,
        Kind.SUBMISSION_SET: SubmissionSet,
        Kind.FOLDER: Folder,
        Kind.ASSOCIATION: Association,
    }
)
KIND_OF = MappingProxyType({model: kind for kind, model in KINDS.items()})


class Status(IntEnum):
    """`object.status`."""

    DEPRECATED = 0
    APPROVED = 1


STATUS_OF = MappingProxyType({urns.APPROVED: Status.APPROVED, urns.DEPRECATED: Status.DEPRECATED})


class PatientState(IntEnum):
    """`patient.state`."""

    ACTIVE = 1
    MERGED = 2


# `association.type`; numbers are never given anew
ASSOCIATION_TYPES = MappingProxyType(
    {
        urns.HAS_MEMBER: 1,
        urns.RPLC: 2,
        urns.XFRM: 3,
        urns.APND: 4,
        urns.XFRM_RPLC: 5,
        urns.SIGNS: 6,
        urns.IS_SNAPSHOT_OF: 7,
    }
)

# `object.availability`
AVAILABILITIES = MappingProxyType({urns.ONLINE: 1, urns.OFFLINE: 2})


class Many(IntEnum):
    """`object_value.attribute`. AUTHORS holds the authorPerson texts."""

    CONFIDENTIALITY_CODES = 1
    EVENT_CODES = 2
    CODES = 3
    AUTHORS = 4
    REFERENCE_IDS = 5


def comparable(text: str) -> str:
    """Text in the form in which columns hold and queries compare it."""
    return text if text.isascii() else normalize("NFC", text)


metadata = MetaData()

# compared by byte on every database
_TEXT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_ID = BigInteger().with_variant(Integer, "sqlite")


def _partial(name: str, *columns: str, where: str) -> Index:
    """An index on those rows alone that one of a few queries may ask for."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


patient = Table(
    "patient",
    metadata,
    Column("id", _ID, Identity(), primary_key=True),
    Column("cx", _TEXT, nullable=False, unique=True),
    Column("state", SmallInteger, nullable=False),
    Column("survivor", _ID, ForeignKey("patient.id")),
    # a merge looks for those that were merged into the one that now goes
    Index("patient_by_survivor", "survivor"),
)

code = Table(
    "code",
    metadata,
    Column("id", _ID, Identity(), primary_key=True),
    Column("code", _TEXT, nullable=False),
    Column("scheme", _TEXT, nullable=False),
    UniqueConstraint("code", "scheme"),
)

object_ = Table(
    "object",
    metadata,
    Column("id", _ID, Identity(), primary_key=True),
    Column("uuid", _TEXT, nullable=False, unique=True),
    Column("kind", SmallInteger, nullable=False),
    Column("lid", _TEXT, nullable=False),
    Column("version", Integer, nullable=False),
    Column("is_current", Boolean, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("submission", _ID, ForeignKey("object.id"), nullable=False),
    Column("patient", _ID, ForeignKey("patient.id")),
    Column("unique_id", _TEXT),
    Column("is_on_demand", Boolean),
    Column("availability", SmallInteger),
    Column("repository_unique_id", _TEXT),
    Column("class_code", _ID, ForeignKey("code.id")),
    Column("type_code", _ID, ForeignKey("code.id")),
    Column("practice_setting_code", _ID, ForeignKey("code.id")),
    Column("healthcare_facility_type_code", _ID, ForeignKey("code.id")),
    Column("format_code", _ID, ForeignKey("code.id")),
    Column("creation_time", _TEXT),
    Column("service_start_time", _TEXT),
    Column("service_stop_time", _TEXT),
    Column("content_type_code", _ID, ForeignKey("code.id")),
    Column("source_id", _TEXT),
    Column("submission_time", _TEXT),
    Column("last_update_time", _TEXT),
    UniqueConstraint("lid", "version"),
    Index("object_by_patient", "patient", "kind", "status"),
    Index("object_by_unique_id", "unique_id"),
    # for removals alone: without it every object removed would cost a look at all others
    Index("object_by_submission", "submission"),
    # for ITI-51 without patients, as are those of `object_value`
    _partial("object_by_class_code", "class_code", "status", where="class_code IS NOT NULL"),
    _partial(
        "object_by_facility_type",
        "healthcare_facility_type_code",
        "status",
        where="healthcare_facility_type_code IS NOT NULL",
    ),
)

object_value = Table(
    "object_value",
    metadata,
    Column("object", _ID, ForeignKey("object.id"), primary_key=True),
    Column("attribute", SmallInteger, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("code", _ID, ForeignKey("code.id")),
    Column("text", _TEXT),
    # SQLite takes such an index where one side of an OR stands in the statement as it is here
    _partial(
        "object_value_by_code",
        "code",
        "attribute",
        where=f"attribute = {Many.EVENT_CODES:d} OR attribute = {Many.CODES:d}",
    ),
    _partial("object_value_by_reference", "text", where=f"attribute = {Many.REFERENCE_IDS:d}"),
    sqlite_with_rowid=False,
)

fragment = Table(
    "fragment",
    metadata,
    Column("object", _ID, ForeignKey("object.id"), primary_key=True, autoincrement=False),
    Column("start", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

association = Table(
    "association",
    metadata,
    Column("id", _ID, ForeignKey("object.id"), primary_key=True, autoincrement=False),
    Column("type", SmallInteger, nullable=False),
    Column("source", _ID, ForeignKey("object.id"), nullable=False),
    Column("target", _ID, ForeignKey("object.id"), nullable=False),
    Index("association_by_source", "source", "type"),
    Index("association_by_target", "target", "type"),
)

unique_id = Table(
    "unique_id",
    metadata,
    Column("value", _TEXT, primary_key=True),
    Column("kind", SmallInteger, nullable=False),
    # of Stable entries alone
    Column("sha1", _TEXT),
    Column("size", BigInteger),
    sqlite_with_rowid=False,
)

demographics = Table(
    "demographics",
    metadata,
    Column("patient", _ID, ForeignKey("patient.id"), primary_key=True, autoincrement=False),
    Column("family", _TEXT),
    Column("given", _TEXT),
    Column("birth_date", _TEXT),
    Column("sex", _TEXT),
    Column("street", _TEXT),
    Column("city", _TEXT),
    Column("state", _TEXT),
    Column("postal_code", _TEXT),
    Column("country", _TEXT),
    Index("demographics_by_birth_date", "birth_date"),
)

# identifiers of a patient in other domains
other_id = Table(
    "other_id",
    metadata,
    Column("patient", _ID, ForeignKey("patient.id"), primary_key=True),
    Column("cx", _TEXT, primary_key=True),
    Index("other_id_by_cx", "cx"),
    sqlite_with_rowid=False,
)
