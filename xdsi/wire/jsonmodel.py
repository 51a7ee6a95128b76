"""DICOM JSON as we write it: headers of instances without bulk data, small data sets of our own.

`xdsi.wire.dicomjson` reads it.

Source: DICOM PS3.18 10.4.1.1.2 (metadata), F (the model).
"""

import io
import json
import math
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Lock
from typing import Any, BinaryIO

from xdsi.wire.dicomparts import Element, Piece, Stored, Unreadable, size_of
from xdsi.wire.pixels import PixelLimits
from xdsi.wire.recoding import taken_apart
from xdsi.wire.transfersyntax import SYNTAXES

MEDIA_TYPE = "application/dicom+json"

_INLINE = 1024  # octets of a binary value that still stand in the text
_BINARY = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"UN"))
_CHARACTER_SET, _AVAILABLE_SYNTAX = "00080005", "00083002"
# what pydicom raises for values it cannot make anything of
_FAILURES = (
    *(ValueError, TypeError, LookupError, AttributeError, EOFError),
    *(NotImplementedError, RecursionError, OverflowError),
)

Model = dict[str, Any]

_PYDICOM = Lock()


def metadata(open_: Callable[[], BinaryIO], uri: str, limits: PixelLimits) -> Model:
    """The header of an instance. uri: below which its bulk data is served, by tag

    Raises OSError for a file that cannot be read.
    """
    try:
        with closing(taken_apart(open_, limits)) as stored:
            return _metadata(stored, uri, limits)
    except Unreadable as why:
        raise OSError(f"the stored file {why}") from None
    except _FAILURES as failure:
        raise OSError(f"the stored file has a value that cannot be told: {failure!r:.80}") from None


def _metadata(stored: Stored, uri: str, limits: PixelLimits) -> Model:
    # pydicom costs a third of a second when it is first needed
    from pydicom.filereader import read_dataset

    plain: list[Piece] = []
    bulk: dict[str, bytes] = {}
    for element in stored.elements:
        vr = _vr(stored, element)
        if vr in _BINARY and size_of(element.pieces) > _INLINE:
            bulk[f"{element.tag:08X}"] = vr
        else:
            plain += element.pieces
    if size_of(plain) > limits.header:
        raise Unreadable(f"has a header above {limits.header} octets")
    content = b"".join(chunk for piece in plain for chunk in stored.octets(piece))
    with _unvalidated():
        data = read_dataset(io.BytesIO(content), is_implicit_VR=False, is_little_endian=True)
        model: Model = data.to_json_dict(suppress_invalid_tags=True)
    pixels = stored.pixels
    if pixels is not None:
        bulk[f"{pixels.tag:08X}"] = pixels.vr
    for tag, vr in bulk.items():
        model[tag] = {"vr": vr.decode("ascii"), "BulkDataURI": f"{uri}/{tag}"}
    if pixels is not None and pixels.fragments is not None and stored.syntax not in SYNTAXES:
        # video, private: it comes with the whole instance alone
        del model[f"{pixels.tag:08X}"]["BulkDataURI"]
    if _CHARACTER_SET in model:
        model[_CHARACTER_SET]["Value"] = ["ISO_IR 192"]  # JSON is UTF-8
    model[_AVAILABLE_SYNTAX] = {"vr": "UI", "Value": [stored.syntax]}
    return dict(sorted(model.items()))


@contextmanager
def _unvalidated() -> Iterator[None]:
    """What is wrong with a value is for its maker; a warning would put it into the log.

    The setting is pydicom's own, of the whole process, so one thread at a time changes it.
    """
    from pydicom import config

    with _PYDICOM:
        before = config.settings.reading_validation_mode
        config.settings.reading_validation_mode = config.IGNORE
        try:
            yield
        finally:
            config.settings.reading_validation_mode = before


def _vr(stored: Stored, element: Element) -> bytes:
    first = element.pieces[0]
    octets = first if isinstance(first, bytes) else next(stored.octets(first))
    return octets[4:6]


def text(model: Model | list[Model]) -> bytes:
    """The model as it is sent."""
    try:
        written = json.dumps(model, ensure_ascii=False, allow_nan=False)
    except ValueError:  # JSON has no word for such numbers: as texts then
        written = json.dumps(_told(model), ensure_ascii=False)
    return written.encode("utf-8", "replace")


def _told(value: Any) -> Any:
    match value:
        case dict():
            return {name: _told(each) for name, each in value.items()}
        case list():
            return [_told(each) for each in value]
        case float() if not math.isfinite(value):
            return str(value)
    return value


def attribute(vr: str, *values: Any) -> Model:
    """One attribute; empty values leave it empty."""
    given = [each for each in values if each not in ("", None)]
    if vr == "PN":
        given = [groups for groups in map(_component_groups, given) if groups]
    return {"vr": vr, "Value": given} if given else {"vr": vr}


def _component_groups(name: str) -> Model:
    """A person's name in its scripts (PS3.18 F.2.2)."""
    groups = zip(("Alphabetic", "Ideographic", "Phonetic"), name.split("="), strict=False)
    return {script: group for script, group in groups if group}
