"""Codes against the value sets of the affinity domain."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from registry import rules, valuesets
from registry.known import Domain
from tests import samples
from tests.registry.conftest import Maker, Registry
from xdsi import config
from xdsi.config import ConfigurationError
from xdsi.model.messages import Submission
from xdsi.model.objects import Code, DocumentEntry
from xdsi.model.values import Language
from xdsi.standard import urns

CODES = (Path(__file__).parents[1] / "codes.xml").read_text(encoding="utf-8")
ALL = tuple(name for name in config.ValueSets.__dataclass_fields__ if name != "files")

MakeSets = Callable[..., valuesets.ValueSets]


@pytest.fixture
def sets(tmp_path: Path) -> MakeSets:
    """Value sets of a file with CODES; everything strict unless told otherwise."""

    def make(**modes: Any) -> valuesets.ValueSets:
        file = tmp_path / "codes.xml"
        file.write_text(CODES, encoding="utf-8")
        return valuesets.load(config.ValueSets((file,), **(modes or dict.fromkeys(ALL, "strict"))))

    return make


def of_codes(sent: Submission, sets: valuesets.ValueSets) -> list[tuple[str, str]]:
    """Attribute and rule of each finding."""
    found = rules.of_message(sent, Domain(value_sets=sets))
    return [(each.what.rpartition(".")[2], each.rule) for each in found]


def whole(**changes: Any) -> Submission:
    """Every restricted attribute, each with an accepted code."""
    entry, box = samples.document_entry(**changes), samples.folder()
    link = samples.association(
        urns.XFRM, entry, samples.new_uuid(), documentation=samples.CORRECTED
    )
    return samples.submission(
        [entry], folders=[box], filed=[(box, entry)], associations=[link]
    )  # fmt: skip


@pytest.mark.proves("REG-075", "MD-100", "MD-101")
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="all accepted"),
        pytest.param(
            {"class_code": Code.of("REPORTS", "1.3.6.1.4.1.19376.1.2.6.1", "Befunde")},
            id="the display name does not count",
        ),
        pytest.param({"event_codes": (Code.of("CT", "DCM", "CT"),)}, id="scheme of the same name"),
        pytest.param({"event_codes": ()}, id="absent"),
        pytest.param(
            {"event_codes": (Code.of("Mu\u0308ll", "1.2.3", "x"),)}, id="other normal form"
        ),
        pytest.param({"language_code": Language("DE-at")}, id="language in another case"),
    ],
)
def test_accepted_codes(sets: MakeSets, changes: dict[str, Any]) -> None:
    assert of_codes(whole(**changes), sets()) == []


OTHER = Code.of("other", "1.2.3", "Other")


@pytest.mark.proves("REG-074", "REG-075", "MD-100", "MD-118", "MD-174")
@pytest.mark.parametrize("setting", ALL)
def test_each_attribute_is_restricted_by_its_own_setting(sets: MakeSets, setting: str) -> None:
    good = whole()
    (entry,), (box,), link = good.entries, good.folders, good.associations[-1]
    fields = {"confidentiality_code": "confidentiality_codes", "event_code_list": "event_codes"}
    sent = good
    if setting == "content_type_code":
        sent = replace(good, submission_sets=(
            replace(good.submission_set, content_type_code=OTHER),))  # fmt: skip
    elif setting == "folder_code_list":
        sent = replace(good, folders=(replace(box, codes=(samples.REFERRALS, OTHER)),))
    elif setting == "association_documentation":
        bad = replace(link, documentation=OTHER)
        sent = replace(good, associations=(*good.associations[:-1], bad))
    else:
        value: Any = {"mime_type": "text/goofy", "language_code": Language("fr")}.get(
            setting, (OTHER,) if setting in fields else OTHER
        )
        sent = replace(
            good, entries=(replace(entry, **{fields.get(setting, setting): value}),)
        )  # fmt: skip
    names = {"folder_code_list": "codeList", "event_code_list": "eventCodeList"}
    words = setting.split("_")
    ihe = names.get(setting, words[0] + "".join(word.title() for word in words[1:]))
    expected = [(ihe, "REG-074" if setting == "mime_type" else "REG-075")]
    assert of_codes(sent, sets()) == expected
    assert of_codes(sent, sets(**{setting: "strict"})) == expected
    others = {name: "strict" for name in ALL if name != setting}
    assert of_codes(sent, sets(**others)) == []


@pytest.mark.proves("REG-075", "SEC-T-105")
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param(
            {"class_code": Code.of("REPORT", "1.3.6.1.4.1.19376.1.2.6.1", "x")},
            "1.2.7 DocumentEntry.classCode: not accepted in this domain; nearest in this scheme: "
            "REPORTS (Reports), got 'REPORT^^1.3.6.1.4.1.19376.1.2.6.1' [REG-075]",
            id="a neighbour",
        ),
        pytest.param(
            {"class_code": Code.of("images", "1.3.6.1.4.1.19376.1.2.6.1", "x")},
            "nearest in this scheme: IMAGES (Images), got 'images^^",
            id="another case",
        ),
        pytest.param(
            {"class_code": Code.of("42", "1.3.6.1.4.1.19376.1.2.6.1", "x")},
            "nearest in this scheme: IMAGES (Images), REPORTS (Reports), got",
            id="nothing like it",
        ),
        pytest.param(
            {"class_code": Code.of("REPORTS", "1.9", "x")},
            "the code is accepted in scheme 1.3.6.1.4.1.19376.1.2.6.1, got 'REPORTS^^1.9'",
            id="code of another scheme",
        ),
        pytest.param(
            {"class_code": Code.of("bild", "1.9", "x")},
            "the scheme is not accepted; accepted are 1.2.3, 1.3.6.1.4.1.19376.1.2.6.1; "
            "nearest codes: BILDER (Bilder & Serien), got 'bild^^1.9'",
            id="unknown scheme",
        ),
        pytest.param(
            {"mime_type": "text/plane"},
            "nearest: text/plain, got 'text/plane' [REG-074]",
            id="MIME",
        ),
    ],
)
def test_error_names_what_would_be_accepted(
    sets: MakeSets, changes: dict[str, Any], says: str
) -> None:
    entry = samples.document_entry(unique_id=samples.Identifier("1.2.7"), **changes)
    (error,) = valuesets.findings([entry], sets())
    assert says in error.context
    assert (error.code, error.location) == ("XDSRegistryMetadataError", entry.entry_uuid)
    assert error.severity == urns.SEVERITY_ERROR


@pytest.mark.proves("REG-075", "REG-141")
def test_warning_stands_in_the_success(registry: Registry, make: Maker, sets: MakeSets) -> None:
    entry = make.entry(class_code=OTHER)
    domain = Domain(admits=True, value_sets=sets(class_code="warn", type_code="strict"))
    answer = registry.register(make.submission([entry]), domain)
    (warning,) = answer.errors
    assert (answer.status, warning.severity) == (urns.SUCCESS, urns.SEVERITY_WARNING)
    assert "DocumentEntry.classCode" in warning.context
    assert registry.entry(entry.entry_uuid).class_code == OTHER
    # beside an error it stays a warning
    errors = registry.errors(
        make.submission([make.entry(class_code=OTHER, type_code=OTHER)]), domain
    )
    assert [each.is_warning for each in errors] == [True, False]


def test_incomplete_code_is_said_once(sets: MakeSets) -> None:
    for code in (replace(OTHER, code=""), replace(OTHER, scheme=None)):
        assert of_codes(whole(class_code=code), sets()) == [("classCode", "MD-094")]


@pytest.mark.proves("SEC-T-105")
def test_only_the_first_misses_are_searched_for_neighbours(sets: MakeSets) -> None:
    many = tuple(Code.of(f"{'x' * 300}{number}", "1.2.3", "x") for number in range(200))
    errors = list(valuesets.findings([samples.document_entry(event_codes=many)], sets()))
    assert len(errors) == 200
    assert sum("nearest" in each.context for each in errors) == valuesets.MOST_HINTS


BROKEN = [
    pytest.param(None, "No such file", id="missing"),
    pytest.param("<Codes>", "not well-formed XML", id="cut"),
    pytest.param("<Codes/>", "holds no CodeType", id="empty"),
    pytest.param("<html/>", "expected the element Codes, got html", id="another"),
    pytest.param(CODES.replace('code="IMAGES" ', ""), "Code in line 6 has no code", id="no code"),
    pytest.param(
        CODES.replace('codingScheme="1.2.3" display="B', 'display="B'),
        "Code in line 7 has no codingScheme",
        id="no scheme",
    ),
    pytest.param(CODES.replace(' name="mimeType"', ""), "has no name", id="no name"),
    pytest.param('<!DOCTYPE Codes SYSTEM "x"><Codes/>', "the file has a DOCTYPE", id="DOCTYPE"),
]


@pytest.mark.parametrize(("text", "says"), BROKEN)
def test_file_that_cannot_be_used(tmp_path: Path, text: str | None, says: str) -> None:
    file = tmp_path / "codes.xml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=says) as found:
        valuesets.load(config.ValueSets((file,)))
    assert str(file) in str(found.value)


def test_attribute_without_codes_is_not_checked_silently(tmp_path: Path) -> None:
    file = tmp_path / "codes.xml"
    file.write_text('<Codes><CodeType name="x"/></Codes>', encoding="utf-8")
    for files in ((), (file,)):
        with pytest.raises(ConfigurationError, match=r"value_sets.class_code: 'warn', but no file"):
            valuesets.load(config.ValueSets(files, class_code="warn"))


def test_files_together_are_the_sets(tmp_path: Path) -> None:
    more = (
        '<Codes><CodeType name="classCode"><Code code="other" codingScheme="1.2.3"/>'
        "</CodeType></Codes>"
    )
    files = tmp_path / "a.xml", tmp_path / "b.xml"
    for file, text in zip(files, (CODES, more), strict=True):
        file.write_text(text, encoding="utf-8")
    both = valuesets.load(config.ValueSets(files, class_code="strict"))
    assert of_codes(whole(class_code=OTHER), both) == of_codes(whole(), both) == []


@pytest.mark.proves("REG-075", "MD-100")
def test_codes_of_the_connectathon_load_as_they_are(shared: Path) -> None:
    file = shared / "samples" / "codes" / "connectathon-codes.xml"
    if not file.is_file():
        pytest.skip("needs samples/codes/connectathon-codes.xml beside the schemas")
    # languageCode is not in it
    modes: Any = {name: "strict" for name in ALL if name != "language_code"}
    loaded = valuesets.load(config.ValueSets((file,), **modes))
    counts = {one.row.ihe: len(one.accepted) for sets in loaded.values() for one in sets}
    assert counts["mimeType"] == 14
    assert counts["confidentialityCode"] == 6
    assert counts["eventCodeList"] > 400
    assert of_codes(whole(), loaded) == []
    bad = whole(practice_setting_code=Code.of("R-3027B", "1.2.840.10008.2.16.4", "Radiology"))
    assert of_codes(bad, loaded) == [("practiceSettingCode", "REG-075")]


def test_without_files_nothing_is_looked_at() -> None:
    assert valuesets.load(config.ValueSets()) == {}
    unheard = DocumentEntry(entry_uuid="x", class_code=OTHER)
    assert list(valuesets.findings([unheard], {})) == []
