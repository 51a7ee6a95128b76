"""HL7 v2 tables as far as the patient identity feed needs them.

Source: HL7 v2.5.1 tables 0104, 0103, 0211, 0357; ITI TF-2 3.8, Appendix C.2 (PIF-013 to PIF-016,
PIF-052).
"""

from types import MappingProxyType

VERSIONS = frozenset({"2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8"})

# MSH-11: production, training, debugging
PROCESSING = frozenset("PTD")

# MSH-18 to Python's codec; every one leaves ASCII as it is
CHARACTER_SETS = MappingProxyType(
    {
        "": "utf-8",
        "ASCII": "ascii",
        "UNICODE UTF-8": "utf-8",
        "UNICODE": "utf-8",
        **{f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
    }
)

# ERR-3
SEGMENT_SEQUENCE, FIELD_MISSING, DATA_TYPE, TABLE_VALUE = 100, 101, 102, 103
TYPE, EVENT, PROCESSING_ID, VERSION = 200, 201, 202, 203
UNKNOWN_KEY, DUPLICATE_KEY, INTERNAL = 204, 205, 207
CONDITIONS = MappingProxyType(
    {
        SEGMENT_SEQUENCE: "Segment sequence error",
        FIELD_MISSING: "Required field missing",
        DATA_TYPE: "Data type error",
        TABLE_VALUE: "Table value not found",
        TYPE: "Unsupported message type",
        EVENT: "Unsupported event code",
        PROCESSING_ID: "Unsupported processing id",
        VERSION: "Unsupported version id",
        UNKNOWN_KEY: "Unknown key identifier",
        DUPLICATE_KEY: "Duplicate key identifier",
        INTERNAL: "Application internal error",
    }
)
