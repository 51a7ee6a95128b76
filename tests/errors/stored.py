"""What the registry of the table holds, by fixed ids: no row may change it."""

from xdsi.model.values import CX


def _uuid(number: int) -> str:
    return f"urn:uuid:00000000-0000-4000-8000-{number:012d}"


def _oid(number: int) -> str:
    return f"1.2.3.4.5.77.{number}"


PATIENT_DOMAIN = "1.3.6.1.4.1.21367.13.20.1000"
PATIENT = CX(f"TEST-0001^^^&{PATIENT_DOMAIN}&ISO")
OTHER = CX(f"TEST-0002^^^&{PATIENT_DOMAIN}&ISO")
MERGED = CX(f"TEST-0003^^^&{PATIENT_DOMAIN}&ISO")  # subsumed by PATIENT

# entries; OLD is in BOX, PLAIN in no Folder, MADE a transformation of PLAIN
OLD, PLAIN, MADE = _uuid(1), _uuid(2), _uuid(3)
GONE, NEWER = _uuid(4), _uuid(5)  # Deprecated by its replacement
ON_DEMAND, EXPIRED = _uuid(6), _uuid(7)  # On-Demand; the second one Deprecated
THEIRS = _uuid(8)  # of OTHER
STRAYED = _uuid(9)  # of PATIENT, in a Folder that is now of OTHER
TWIN = _uuid(31)  # of the same document as PLAIN
FILED, SPARE, LONE = _uuid(32), _uuid(33), _uuid(34)  # in SHELF; in no Folder
REVISED, LATEST = _uuid(35), _uuid(36)  # versions 1 and 2 of one entry
# Folders; CLOSED is Deprecated, SHELF holds FILED, PILE nothing
BOX, CLOSED, THEIR_BOX, STRAY_BOX = _uuid(11), _uuid(12), _uuid(13), _uuid(14)
SHELF, PILE = _uuid(15), _uuid(16)
FIRST_SET, LINK = _uuid(21), _uuid(22)  # a SubmissionSet, and an association of it
MADE_LINK, LONE_LINK = _uuid(23), _uuid(24)  # from MADE to PLAIN; of LONE and its set
# a submission that nothing else names: set, entry, Folder, and their HasMembers
PARCEL = PARCEL_SET, PARCEL_ENTRY, PARCEL_BOX, IN_SET, BOX_IN_SET, IN_BOX, FILING_IN_SET = tuple(
    _uuid(number) for number in range(41, 48)
)
NOBODY = _uuid(99)

# uniqueIds
OLD_ID, PLAIN_ID, GONE_ID, ON_DEMAND_ID, REVISED_ID = (_oid(each) for each in (1, 2, 4, 6, 35))
BOX_ID, CLOSED_ID, SHELF_ID, SET_ID = (_oid(each) for each in (11, 12, 15, 21))
# octets of PLAIN: as many as those of Document01, but others
PLAIN_OCTETS = b"A plain invented report.\n"
