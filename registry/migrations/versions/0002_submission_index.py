"""index of what a submission registered"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index("object_by_submission", "object", ["submission"])
