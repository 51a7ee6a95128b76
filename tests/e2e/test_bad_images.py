"""Bad images and bad manifests at the doors of a node: each gets its code, nothing is left behind.

The doors are STOW-RS, RAD-69, WADO-RS, WADO-URI and RAD-68; C-STORE has a test module of its own.
"""

import io
import json
import os
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests import samples
from tests.actors.imaging.studies import everything, instance, new_uid
from tests.node import Node, fresh_patient, wait_for
from tests.wire import manifests as m
from xdsi.model.imaging import ImagingRequest, InstanceRequest
from xdsi.model.messages import DocumentRequest
from xdsi.peers.caller import Caller
from xdsi.peers.session import open_session
from xdsi.peers.spool import Spool
from xdsi.plug import Call
from xdsi.standard import dicom, urns
from xdsi.standard.transactions import RETRIEVE_IMAGING

EXPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
RLE = "1.2.840.10008.1.2.5"
JSON = "application/dicom+json"


def held_by(node: Node) -> list[str]:
    """Staged files, and what the node's process has open of its two stores."""
    settings = node.settings
    assert settings.imaging and settings.repository
    roots = [section.store.resolve() for section in (settings.imaging, settings.repository)]
    found = [str(path) for root in roots for path in root.glob("staging/*/*")]
    for link in Path(f"/proc/{node.process.pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            target = os.readlink(link)
            if any(target.startswith(f"{root}/") for root in roots):
                found.append(target)
    return [each for each in found if not (each.endswith("/lock") or Path(each).is_dir())]


@pytest.fixture(autouse=True)
def nothing_is_left(real_node: Node) -> Iterator[None]:
    yield
    assert wait_for(lambda: held_by(real_node) == []), held_by(real_node)
    assert real_node.process.poll() is None


def ask(node: Node, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(f"{node.base}{path}", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def stored(node: Node, file: bytes) -> tuple[int, int]:
    """HTTP status of STOW-RS, and DICOM's reason of a failure."""
    kind = {"Content-Type": "application/dicom", "Accept": JSON}
    status, body = ask(node, "/dicom-web/studies", file, **kind)
    told = Dataset.from_json(json.loads(body))
    failed = told.get("FailedSOPSequence") or (told[0x0008119A].value if 0x0008119A in told else [])
    return status, failed[0].FailureReason if failed else 0


def nested(file: bytes, tag: bytes, depth: int) -> bytes:
    """So many sequences in each other, in front of an element."""
    opens = b"\x40\x00\x30\xa7SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    ends = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    at = file.index(tag)
    return file[:at] + opens * depth + ends * depth + file[at:]


def inflating(file: bytes) -> bytes:
    """A deflated file whose data set becomes 80 MiB of nothing."""
    start = 132 + 12 + int.from_bytes(file[140:144], "little")
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return file[:start] + stream.compress(bytes(80 << 20)) + stream.flush()


PIXELS, CONTENT = b"\xe0\x7f\x10\x00OW", b"\x40\x00\x30\xa7SQ"
CT = instance()
REFUSED = {
    "no DICOM": b"MZ" + bytes(4096),
    "cut in the pixels": CT[:-1],
    "cut in the header": CT[:700],
    "undefined VR": CT.replace(b"\x08\x00\x60\x00CS", b"\x08\x00\x60\x00??"),
    "path-like UID": CT.replace(b"1.3.6.1.4.1.5962.1.2.1.", b"../../../../../../etc/."),
    "sequences too deep": nested(CT, PIXELS, 65),
    "deflate bomb": inflating(instance("image_dfl.dcm")),
}


@pytest.mark.proves("SEC-T-150", "SEC-T-152", "SEC-T-004")
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_instance_is_refused(real_node: Node, case: str) -> None:
    assert stored(real_node, REFUSED[case]) == (409, dicom.CANNOT_UNDERSTAND)


def answered(
    node: Node, syntaxes: tuple[str, ...], *asked: InstanceRequest
) -> tuple[dict[str, bytes], dict[str, tuple[str, str]]]:
    """RAD-69: files and errors (code, text) by SOP Instance UID."""
    with open_session() as session, Spool() as spool:
        source = Caller(RETRIEVE_IMAGING, f"{node.base}/imaging", session, spool=spool)
        answer = source(ImagingRequest(asked, syntaxes), Call.internal())
        assert not any(each.is_warning for each in answer.errors)
        return (
            {e.request.document_unique_id: everything(e.content) for e in answer.documents},
            {e.location or "": (e.code, e.context) for e in answer.errors},
        )


class Study:
    """A study that the node has, and how its instances are asked for."""

    def __init__(self, node: Node) -> None:
        section = node.settings.imaging
        assert section is not None
        self.node, self.source_id, self.uid = node, section.unique_id, new_uid()
        self.series = f"{self.uid}.1"

    def put(self, name: str = "CT_small.dcm", **changes: object) -> tuple[str, bytes]:
        """A sample becomes an instance of the study; its UID and file."""
        ids = self.ids()
        file = instance(name, **ids, **changes)
        assert stored(self.node, file) == (200, 0)
        return ids["SOPInstanceUID"], file

    def ids(self) -> dict[str, str]:
        """Of a new instance, by keyword."""
        return {
            "StudyInstanceUID": self.uid,
            "SeriesInstanceUID": self.series,
            "SOPInstanceUID": new_uid(),
        }

    def request(self, uid: str, source: str = "", series: str = "") -> InstanceRequest:
        document = DocumentRequest(source or self.source_id, uid)
        return InstanceRequest(self.uid, series or self.series, document)

    def path(self, uid: str) -> str:
        return f"/dicom-web/studies/{self.uid}/series/{self.series}/instances/{uid}"

    def wado(self, uid: str, **more: str) -> str:
        query = {"requestType": "WADO", "studyUID": self.uid, "seriesUID": self.series}
        return "/wado?" + urlencode({**query, "objectUID": uid, **more})


@pytest.fixture
def study(real_node: Node) -> Study:
    return Study(real_node)


@pytest.mark.proves("IMG-092", "IMG-093", "IMG-110", "IMG-111", "IMG-112")
def test_each_instance_has_its_own_code_and_the_good_one_comes(
    real_node: Node, study: Study
) -> None:
    good, file = study.put()
    lossy, _ = study.put("JPEG2000.dcm")
    lacking, elsewhere, path = new_uid(), new_uid(), "../../../etc/passwd"
    files, errors = answered(
        real_node,
        (EXPLICIT, RLE),
        study.request(lacking),
        study.request(path),
        study.request(elsewhere, source="1.2.3.4"),
        study.request(good),
        study.request(new_uid(), series="../.."),
        study.request(lossy),
    )
    assert lossy in files and files[good] == file and len(files) == 2
    assert len(errors) == 4
    assert errors[lacking][0] == errors[path][0] == "XDSDocumentUniqueIdError"
    assert errors[elsewhere][0] == "XDSUnknownRepositoryId"
    files, errors = answered(real_node, ("1.2.840.10008.1.2.4.70",), study.request(good))
    assert files == {}
    code, text = errors[good]
    assert code == "XDSRepositoryError" and "[IMG-112]" in text
    assert EXPLICIT in text and "1.2.840.10008.1.2.4.70" in text
    for uid, status in ((path.replace("/", "%2F"), 400), (lacking, 404)):
        assert ask(real_node, study.path(uid))[0] == status
        assert ask(real_node, study.wado(uid))[0] == status


@pytest.mark.proves("IMG-112", "IMG-155", "IMG-164", "SEC-T-150")
@pytest.mark.parametrize("kind", ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm"])
def test_a_picture_that_would_decode_to_gigabytes_is_told_and_kept_as_it_is(
    real_node: Node, study: Study, kind: str
) -> None:
    bomb, file = study.put(kind, Rows=65535, Columns=65535)
    good, _ = study.put()
    files, errors = answered(real_node, (EXPLICIT,), study.request(bomb), study.request(good))
    assert files.keys() == {good}
    assert errors[bomb][0] == "XDSRepositoryError" and "[IMG-112]" in errors[bomb][1]
    syntaxes = (RLE, dicom.JPEG_2000_LOSSLESS)
    assert answered(real_node, syntaxes, study.request(bomb)) == ({bomb: file}, {})
    accept = {"Accept": 'multipart/related; type="application/dicom"'}
    assert ask(real_node, study.path(bomb), **accept)[0] == 406
    assert ask(real_node, f"{study.path(bomb)}/rendered")[0] == 406
    assert ask(real_node, f"{study.path(bomb)}/frames/1")[0] == 406
    assert ask(real_node, study.wado(bomb, contentType="image/jpeg"))[0] == 406


@pytest.mark.proves("IMG-096", "IMG-102", "SEC-T-150")
def test_private_deflated_and_deeply_nested_instances_come_unchanged(
    real_node: Node, study: Study
) -> None:
    deflated, file = study.put("image_dfl.dcm")
    private = Dataset()
    private.add_new(0x00090010, "LO", "XDSI TEST")
    private.add_new(0x00091001, "SQ", Sequence([Dataset()]))
    other, odd = study.put(SourceImageSequence=Sequence([private]))
    assert answered(
        real_node, (EXPLICIT, DEFLATED), study.request(deflated), study.request(other)
    ) == ({deflated: file, other: odd}, {})
    files, errors = answered(real_node, (EXPLICIT,), study.request(deflated))
    assert errors == {} and len(files[deflated]) > len(file)

    ids = study.ids()
    deep, uid = nested(instance(**ids), PIXELS, 60), ids["SOPInstanceUID"]
    assert stored(real_node, deep) == (200, 0)
    assert answered(real_node, (EXPLICIT,), study.request(uid)) == ({uid: deep}, {})
    files, errors = answered(real_node, (RLE,), study.request(uid))
    assert errors == {} and pydicom.dcmread(io.BytesIO(files[uid])).SOPInstanceUID == uid
    assert ask(real_node, f"{study.path(uid)}/metadata")[0] == 200
    assert ask(real_node, f"{study.path(uid)}/rendered")[0] == 200


def kos_file(edit: m.Edit = m.nothing) -> bytes:
    item = m.dataset()
    edit(item)
    return m.file_of(item)


def deflated(item: Dataset) -> None:
    item.file_meta.TransferSyntaxUID = DEFLATED


KOS = kos_file()
MANIFESTS = {
    "another SOP class": (CT, "KOS-121"),
    "no DICOM": (b"MZ" + bytes(4096), "KOS-120"),
    "cut": (KOS[:-9], "KOS-133"),
    "cut in group 0002": (KOS[:150], "KOS-133"),
    "undefined VR": (KOS.replace(b"\x08\x00\x60\x00CS", b"\x08\x00\x60\x00??"), "KOS-133"),
    "path-like UID": (
        kos_file(m.in_first_reference("ReferencedSOPInstanceUID", "1.2.3.4.5.6.7.8.9.10")).replace(
            b"1.2.3.4.5.6.7.8.9.10", b"../../../etc/passwd\0"
        ),
        "SEC-T-152",
    ),
    "sequences too deep": (nested(KOS, CONTENT, 64), "KOS-133"),
    "deflate bomb": (inflating(kos_file(deflated)), "KOS-113"),
    "no place": (kos_file(m.in_every_series("RetrieveLocationUID")), "KOS-127"),
}


@pytest.mark.proves("IMG-017", "KOS-113", "KOS-120", "KOS-121", "KOS-127", "KOS-133", "SEC-T-150")
@pytest.mark.parametrize("case", MANIFESTS)
def test_a_bad_manifest_is_taken_with_a_warning_and_served_as_it_came(
    real_node: Node, case: str, tmp_path: Path
) -> None:
    content, rule = MANIFESTS[case]
    patient = fresh_patient()
    request = samples.provide(content, as_source=True, patient_id=patient)
    (entry,) = request.submission.entries
    entry = m.entry_of(
        m.dataset(), entry_uuid=entry.entry_uuid, unique_id=entry.unique_id, patient_id=patient
    )
    request = replace(request, submission=replace(request.submission, entries=(entry,)))
    with real_node.source() as source:
        (warning,) = source.provide(request)
    assert (warning.code, warning.severity) == ("InvalidDocumentContent", urns.SEVERITY_WARNING)
    assert rule in warning.context and str(entry.unique_id) in warning.context
    with real_node.consumer() as consumer:
        (received,) = consumer.retrieve(consumer.find_documents(patient), tmp_path)
    assert received.path.read_bytes() == content
