"""The published schemas, for what callers send."""

from pathlib import Path

import pytest
from lxml import etree


@pytest.fixture(scope="session")
def official(shared: Path) -> etree.XMLSchema:
    """The published schemas in one."""
    return etree.XMLSchema(etree.parse(shared / "schema" / "xds-all.xsd"))
