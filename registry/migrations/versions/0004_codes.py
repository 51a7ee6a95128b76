"""indices of what stands for a patient in queries for several"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for name, table, columns, where in (
        ("object_by_class_code", "object", ["class_code", "status"], "class_code IS NOT NULL"),
        (
            "object_by_facility_type",
            "object",
            ["healthcare_facility_type_code", "status"],
            "healthcare_facility_type_code IS NOT NULL",
        ),
        (
            "object_value_by_code",
            "object_value",
            ["code", "attribute"],
            "attribute = 2 OR attribute = 3",
        ),
        ("object_value_by_reference", "object_value", ["text"], "attribute = 5"),
    ):
        op.create_index(
            name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
        )
