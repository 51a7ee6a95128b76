"""Value sets: the codes that the affinity domain accepts for an attribute (REG-074, REG-075).

A code is its pair (code, scheme); the display name is never compared. A submission costs one
lookup per code; what would be accepted instead is looked for only after a miss.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

from registry.findings import refuse
from registry.schema import comparable
from xdsi import config
from xdsi.config import ConfigurationError
from xdsi.model.errors import XDSError
from xdsi.model.objects import (
    Association,
    Code,
    DocumentEntry,
    Folder,
    RegistryObject,
    SubmissionSet,
)
from xdsi.model.values import Value
from xdsi.standard import attributes, urns
from xdsi.standard.attributes import Attribute, Place
from xdsi.wire.codefile import CodeFile, codes_from_xml

# what is compared; no difference of codes lies behind so many characters
_COMPARED = 64
_NEAREST = 3

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ValueSet:
    """What one attribute may hold.

    row: of the attribute; is_strict: what is not accepted is an error, else a warning
    accepted: display name by (code, scheme); same: other names of schemes, see `codefile`
    """

    row: Attribute
    is_strict: bool
    accepted: Mapping[Pair, str]
    same: Mapping[str, str]

    def refused(self, obj: RegistryObject) -> Iterator[Pair]:
        """What the object holds of this attribute and is not accepted, as sent."""
        value = getattr(obj, self.row.name)
        for one in value if self.row.many else (value,):
            if not one:
                continue
            pair = _pair(one)
            # what is incomplete has been found as such
            is_complete = pair[0] and (pair[1] or not isinstance(one, Code))
            if is_complete and self._key(pair) not in self.accepted:
                yield pair

    def _key(self, pair: Pair) -> Pair:
        code, scheme = comparable(pair[0]), comparable(pair[1])
        if self.row.name == _LANGUAGE:
            code = code.lower()
        return code, self.same.get(scheme, scheme)

    def nearest(self, pair: Pair) -> str:
        """What to send instead, in words."""
        code, scheme = self._key(pair)
        if schemes := sorted({known for value, known in self.accepted if value == code}):
            return f"the code is accepted in scheme {' or '.join(schemes[:_NEAREST])}"
        known = {value: name for (value, of), name in self.accepted.items() if of == scheme}
        if known or not scheme:
            where = " in this scheme" if scheme else ""
            return f"nearest{where}: {self._near(code, known)}"
        listed = ", ".join(sorted({of for _, of in self.accepted})[:_NEAREST])
        near = self._near(code, {value: name for (value, _), name in self.accepted.items()})
        return f"the scheme is not accepted; accepted are {listed}; nearest codes: {near}"

    def _near(self, code: str, known: Mapping[str, str]) -> str:
        """The accepted codes that resemble a code, or else the first ones."""
        folded = {value[:_COMPARED].casefold(): value for value in sorted(known)}
        wanted = code[:_COMPARED].casefold()
        found = get_close_matches(wanted, folded, n=_NEAREST, cutoff=0.5)
        values = [folded[each] for each in found] or sorted(known)[:_NEAREST]
        return ", ".join(f"{each} ({known[each]})" if known[each] else each for each in values)


def _pair(value: Code | Value | str) -> Pair:
    if isinstance(value, Code):
        return value.code or "", value.scheme or ""
    return str(value), ""


ValueSets = Mapping[type, tuple[ValueSet, ...]]

_LANGUAGE = "language_code"
# attributes that may be restricted: setting, kind, field, name in files without classScheme
_RESTRICTABLE = (
    ("class_code", DocumentEntry, "class_code", "classCode"),
    ("type_code", DocumentEntry, "type_code", "typeCode"),
    ("format_code", DocumentEntry, "format_code", "formatCode"),
    ("confidentiality_code", DocumentEntry, "confidentiality_codes", "confidentialityCode"),
    ("event_code_list", DocumentEntry, "event_codes", "eventCodeList"),
    ("practice_setting_code", DocumentEntry, "practice_setting_code", "practiceSettingCode"),
    (
        "healthcare_facility_type_code",
        DocumentEntry,
        "healthcare_facility_type_code",
        "healthcareFacilityTypeCode",
    ),
    ("content_type_code", SubmissionSet, "content_type_code", "contentTypeCode"),
    ("folder_code_list", Folder, "codes", "folderCodeList"),
    ("association_documentation", Association, "documentation", "associationDocumentation"),
    ("mime_type", DocumentEntry, "mime_type", "mimeType"),
    ("language_code", DocumentEntry, _LANGUAGE, "languageCode"),
)
_ROWS: Mapping[type, tuple[Attribute, ...]] = MappingProxyType(
    {
        DocumentEntry: attributes.DOCUMENT_ENTRY,
        SubmissionSet: attributes.SUBMISSION_SET,
        Folder: attributes.FOLDER,
        Association: attributes.ASSOCIATION,
    }
)


def load(settings: config.ValueSets) -> ValueSets:
    """The value sets of a configuration, by kind of object.

    Raises ConfigurationError for a file that cannot be used, and for an attribute that is to be
    checked and of which no file has a code.
    """
    files = [_file(path) for path in settings.files]
    found: dict[type, list[ValueSet]] = {}
    for setting, kind, name, in_files in _RESTRICTABLE:
        mode = getattr(settings, setting)
        if mode == "off":
            continue
        (row,) = (each for each in _ROWS[kind] if each.name == name)
        keys = {in_files, *([row.key] if row.place is Place.CODE else [])}
        one = _value_set(row, mode == "strict", files, keys)
        if not one.accepted:
            problem = f"'{mode}', but no file of value_sets.files has codes of {in_files}"
            raise ConfigurationError(f"registry.value_sets.{setting}: {problem}")
        found.setdefault(kind, []).append(one)
    return {kind: tuple(sets) for kind, sets in found.items()}


def _file(path: Path) -> CodeFile:
    where = f"registry.value_sets.files: {path}"
    try:
        return codes_from_xml(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{where}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error


def _value_set(
    row: Attribute, is_strict: bool, files: Iterable[CodeFile], keys: set[str]
) -> ValueSet:
    same = {comparable(each): comparable(of) for file in files for each, of in file.same.items()}
    one = ValueSet(row, is_strict, {}, same)
    accepted = {
        one._key((each.code, each.scheme)): each.display
        for file in files
        for key in keys
        for each in file.codes.get(key, ())
    }
    return ValueSet(row, is_strict, accepted, same)


MOST_HINTS = 20  # per submission: looking for what is near costs milliseconds


def findings(objects: Iterable[RegistryObject], sets: ValueSets) -> Iterator[XDSError]:
    """REG-074, REG-075: errors, or warnings where the attribute is not checked strictly."""
    hints: dict[tuple[str, Pair], str] = {}
    for obj in objects:
        for one in sets.get(type(obj), ()):
            for pair in one.refused(obj):
                key = one.row.key, pair
                if key not in hints and len(hints) < MOST_HINTS:
                    hints[key] = "; " + one.nearest(pair)
                yield _finding(obj, one, pair, hints.get(key, ""))


def _finding(obj: RegistryObject, one: ValueSet, pair: Pair, hint: str) -> XDSError:
    problem = f"not accepted in this domain{hint}"
    value = "^^".join(pair) if pair[1] else pair[0]
    rule = "REG-074" if one.row.name == "mime_type" else "REG-075"
    error = refuse(obj, one.row.ihe, problem, rule, value)
    if not one.is_strict:
        error.severity = urns.SEVERITY_WARNING
    return error
