"""The official schemas, for every codec test."""

from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree


@pytest.fixture(scope="session")
def schema(shared: Path) -> etree.XMLSchema:
    """Judges any body element of XDS, with documents inline."""
    return etree.XMLSchema(etree.parse(str(shared / "schema" / "xds-all.xsd")))


@pytest.fixture(scope="session")
def judged(shared: Path) -> Callable[[etree._Element], None]:
    """Raises when an interaction does not follow its official schema."""
    folder = shared / "schema" / "hl7v3" / "multicacheschemas"
    schemas: dict[str, etree.XMLSchema] = {}

    def judge(root: etree._Element) -> None:
        name = etree.QName(root).localname
        if name not in schemas:
            schemas[name] = etree.XMLSchema(etree.parse(folder / f"{name}.xsd"))
        schemas[name].assertValid(root)

    return judge
