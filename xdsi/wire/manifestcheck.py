"""A document that is, or calls itself, an imaging manifest: read under limits and checked.

Only a window of the file and what the checks look at are in memory. What cannot be read is a
finding like all others; beyond a limit of size or time nobody knows, and that is a warning.
Source: kos-manifest.md section 10 (KOS-113, KOS-120, KOS-121, KOS-133); SEC-T-150, SEC-T-151.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

from xdsi.model.errors import InvalidDocumentContent
from xdsi.model.manifestchecks import CurrentManifest, findings, says_manifest
from xdsi.model.manifestobject import Finding, Level
from xdsi.model.messages import Reader, as_bytes
from xdsi.model.objects import DocumentEntry
from xdsi.standard import dicom
from xdsi.wire import kosreader
from xdsi.wire.dicomfile import Limits, Shape, read
from xdsi.wire.stream import Stream

_SOP_CLASS = Shape(frozenset({dicom.SOP_CLASS_UID}), until=dicom.SOP_CLASS_UID)
_HEAD = 128 << 10  # bytes in which a SOP class must stand
_NOT_CHECKED = "KOS-113"
_REMEDIES = {
    "KOS-113": "the rest was not checked; send a smaller manifest, or ask the operator",
    "KOS-120": "send a DICOM Part 10 file",
    "KOS-133": "the file is cut or damaged, take it from its source again",
}


def is_candidate(entry: DocumentEntry) -> bool:
    """Whether a document may be a manifest, by its entry: media type or format."""
    media_type = (entry.mime_type or "").partition(";")[0].strip().lower()
    return media_type == dicom.MEDIA_TYPE or says_manifest(entry)


def as_current(path: Path) -> CurrentManifest:
    """A manifest as others are checked against it (KOS-132). Raises InvalidDocumentContent."""
    manifest = kosreader.read_as_it_is(path, what=path.name)
    places = (each.retrieve_location_uid for study in manifest.studies for each in study.series)
    return CurrentManifest(
        manifest.sop_instance_uid,
        tuple(each.study_instance_uid for each in manifest.studies),
        tuple(dict.fromkeys(places)),
    )


def check(
    opened: Callable[[], Reader],
    size: int,
    entry: DocumentEntry | None = None,
    *,
    current: Iterable[CurrentManifest] = (),
    limits: Limits = kosreader.DEFAULT_LIMITS,
) -> Iterator[Finding]:
    """Every finding about one document of `size` bytes, in the order of section 10.

    opened: gives it from its start, each time
    entry: its DocumentEntry; without one the document is taken for a manifest
    Other DICOM objects are none of ours, unless the entry calls them manifests (IMG-010).
    Raises OSError when the document cannot be read from its medium.
    """
    is_manifest = entry is None or says_manifest(entry)
    try:
        with closing(opened()) as reader:
            # an image may be of any size: its first bytes tell that it is none of ours
            header = read(as_bytes(reader.read(_HEAD)), _SOP_CLASS, limits=limits)
        sop_class = header.data.uid(dicom.SOP_CLASS_UID)
        if sop_class != dicom.KEY_OBJECT_SELECTION:
            if is_manifest:
                yield Finding(
                    "KOS-121",
                    "error",
                    "SOP Class UID (0008,0016)",
                    "is not that of a Key Object Selection document",
                    "send the manifest, or the formatCode of what was sent",
                    sop_class,
                    about_entry=True,
                )
            return
        is_manifest = True
        with closing(opened()) as reader:
            manifest = kosreader.read_as_it_is(Stream(reader, size), limits=limits)
    except InvalidDocumentContent as unread:
        if is_manifest or unread.rule == "KOS-120":
            yield _unread(unread)
        return
    yield from findings(manifest, entry, current=current)


def _unread(error: InvalidDocumentContent) -> Finding:
    level: Level = "warning" if error.rule == _NOT_CHECKED else "error"
    return Finding(
        error.rule, level, "manifest", error.problem, _REMEDIES[error.rule], error.value,
        about_entry=True,
    )  # fmt: skip
