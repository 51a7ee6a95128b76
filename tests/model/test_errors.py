"""Error codes are those of the framework."""

import re
from pathlib import Path

import pytest

from xdsi.model.errors import XDSError

# where codes are listed, and what they look like
TABLES = ("register", "lifecycle", "cross-community", "imaging", "stored-queries", "security")
CODE = re.compile(r"\b(?:XDS\w+|\w+Exception|\w+Error|InvalidDocumentContent)\b")
OWN = {"XDSWarning"}  # a remark of a partner under no listed code


@pytest.mark.proves("REG-145", "REG-117", "REG-170")
def test_codes_are_listed_ones_or_collide_with_none(shared: Path) -> None:
    files = [shared / "spec" / f"{name}.md" for name in TABLES]
    listed = {code for file in files for code in CODE.findall(file.read_text(encoding="utf-8"))}
    assert set(XDSError.by_code) - listed == OWN
    # deprecated by the framework: known to readers, never ours
    assert "XDSReplaceFailed" in listed
    assert "XDSReplaceFailed" not in XDSError.by_code


def test_each_class_has_a_code_of_its_own() -> None:
    codes = [each.code for each in XDSError.by_code.values()]
    assert len(codes) == len(set(codes))
