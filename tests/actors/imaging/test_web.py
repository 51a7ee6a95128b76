"""DICOMweb and WADO-URI, asked as functions, over real files."""

import io
import json
import re
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pydicom
import pytest
from PIL import Image

from tests.actors.imaging import samples
from tests.actors.imaging.folder import FolderArchive, held
from tests.actors.imaging.samples import EXPLICIT, J2K, JPEG, MR, OTHERS, RLE, STUDY, UIDS
from tests.bodies import MemoryStaged
from xdsi.actors.imaging.dicomweb import resources
from xdsi.actors.imaging.source import Source
from xdsi.config import Limits
from xdsi.model.imaging import HeldInstance
from xdsi.model.messages import Content
from xdsi.model.web import WebAnswer, WebError, WebRequest
from xdsi.plug import ArchiveBusy, ArchiveError, Call

ALL = 'multipart/related; type="application/dicom"'
OCTETS = 'multipart/related; type="application/octet-stream"'
UNKNOWN = "1.2.3.4"


@pytest.fixture(scope="module")
def indexed(files: dict[str, Path]) -> FolderArchive:
    return FolderArchive(files["rle"].parent)


@pytest.fixture
def archive(indexed: FolderArchive) -> FolderArchive:
    """One that a test may change."""
    mine = copy(indexed)
    mine.index = list(indexed.index)
    return mine


@pytest.fixture
def ask(archive: FolderArchive) -> Callable[..., WebAnswer]:
    """A request as the server hands it on."""
    source = Source(samples.SOURCE, archive, Limits())
    served = resources(source, "https://images.example.org", keep=archive.keep)

    def asked(address: str, accept: str = "", method: str = "GET", **more: Any) -> WebAnswer:
        path, _, query = address.partition("?")
        resource = next(each for each in served if f"{path}/".startswith(each.path + "/"))
        segments = tuple(filter(None, path.removeprefix(resource.path).split("/")))
        headers = {"accept": accept, **more.pop("headers", {})}
        pairs = tuple(parse_qsl(query, keep_blank_values=True))
        request = WebRequest(method, segments, pairs, headers)
        route = resource.route(request)
        return route.handler(replace(request, **more), Call.internal(1e6))

    return asked


def body(answer: WebAnswer) -> bytes:
    """Everything, with the sizes as promised."""
    found = []
    for piece in answer.body:
        if isinstance(piece, Content):
            octets = samples.everything(piece.open())
            assert piece.size in (None, len(octets))
            found.append(octets)
        else:
            found.append(piece)
    return b"".join(found)


def parts(answer: WebAnswer) -> list[tuple[str, bytes]]:
    """Content-Type and content of each part, split by hand; a length that is told is right."""
    boundary = re.fullmatch(
        r'multipart/related; type="[^"]+"; boundary="([^"]+)"', answer.media_type
    )
    assert boundary is not None, answer.media_type
    first, *pieces, last = body(answer).split(b"\r\n--" + boundary[1].encode())
    assert (first, last) == (b"", b"--\r\n")
    found = []
    for piece in pieces:
        head, _, content = piece.partition(b"\r\n\r\n")
        kind, _, length = head.decode().partition("\r\nContent-Length: ")
        assert length in ("", str(len(content)))
        found.append((kind.removeprefix("\r\nContent-Type: "), content))
    return found


def read(content: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(io.BytesIO(content))


def place(name: str) -> str:
    return f"/dicom-web/studies/{STUDY}/series/{samples.NAMES[name][0]}/instances/{UIDS[name]}"


def status(ask: Callable[..., WebAnswer], *args: Any, **more: Any) -> int:
    with pytest.raises(WebError) as caught:
        ask(*args, **more)
    assert "\n" not in caught.value.reason
    return caught.value.status


# WADO-RS


@pytest.mark.proves("IMG-160", "IMG-161", "IMG-164")
@pytest.mark.parametrize(
    ("path", "names"),
    [
        (f"/dicom-web/studies/{STUDY}", set(UIDS)),
        (f"/dicom-web/studies/{STUDY}/series/{MR}", {n for n in UIDS if samples.NAMES[n][0] == MR}),
        (place("jpeg"), {"jpeg"}),
    ],
    ids=["study", "series", "instance"],
)
def test_instances_as_stored_are_byte_for_byte(ask, files, path, names):
    answer = ask(path, f"{ALL}; transfer-syntax=*")
    assert answer.status == 200
    kinds, contents = zip(*parts(answer), strict=True)
    assert set(kinds) == {"application/dicom"}
    assert sorted(contents) == sorted(files[name].read_bytes() for name in names)


def test_each_part_tells_how_long_it_is(ask):
    whole = body(ask(place("explicit"), f"{ALL}; transfer-syntax=*"))
    head, _, content = whole.partition(b"\r\n\r\n")
    (length,) = re.findall(rb"\r\nContent-Length: (\d+)", head)
    assert content[int(length) :].startswith(b"\r\n--xdsi-")


@pytest.mark.proves("IMG-161", "IMG-102")
@pytest.mark.parametrize("accept", ["", "*/*", ALL, f"{ALL}; transfer-syntax={EXPLICIT}"])
def test_instances_come_in_explicit_little_endian_unless_told_otherwise(ask, files, accept):
    answer = ask(f"/dicom-web/studies/{STUDY}/series/{MR}", accept)
    found = [read(content) for _, content in parts(answer)]
    assert {each.file_meta.TransferSyntaxUID for each in found} == {EXPLICIT}
    pixels = pydicom.dcmread(files["explicit"]).PixelData
    assert all(each.PixelData == pixels for each in found)


@pytest.mark.proves("IMG-161")
@pytest.mark.parametrize(
    ("accept", "syntax"),
    [
        (f"{ALL}; transfer-syntax={RLE}", RLE),
        (f"{ALL}; transfer-syntax={J2K}; q=0.3, {ALL}; transfer-syntax={RLE}; q=0.7", RLE),
        (f"{ALL}; transfer-syntax={JPEG}, {ALL}; transfer-syntax={J2K}; q=0.1", J2K),
        (f"{ALL}; transfer-syntax=1.2.3, {ALL}; q=0.1", EXPLICIT),
        ("application/dicom; transfer-syntax=*", RLE),
        ("application/dicom", EXPLICIT),
        (f"application/dicom; q=0.5, {ALL}; q=0.1; transfer-syntax=*", EXPLICIT),
        ('multipart/related; type=application/dicom; transfer-syntax="*"', RLE),
        ("text/html, application/*; q=0.5", EXPLICIT),
    ],
)
def test_what_is_accepted_decides(ask, accept, syntax):
    answer = ask(place("rle"), accept)
    if answer.media_type == "application/dicom":
        assert accept.startswith(("application", "text"))
        content = body(answer)
    else:
        ((_, content),) = parts(answer)
    assert read(content).file_meta.TransferSyntaxUID == syntax


@pytest.mark.proves("IMG-161")
def test_very_many_wishes(ask):
    many = ", ".join(f"{ALL}; transfer-syntax=1.2.{each}" for each in range(2000))
    assert status(ask, place("rle"), many) == 406


@pytest.mark.proves("IMG-161")
def test_query_parameter_goes_before_the_header(ask):
    asked = f"{place('rle')}?accept=application%2Fdicom; transfer-syntax=*"
    assert ask(asked, "text/html").media_type == "application/dicom"


@pytest.mark.proves("IMG-164")
@pytest.mark.parametrize(
    ("path", "accept", "expected"),
    [
        (f"/dicom-web/studies/{UNKNOWN}", "", 404),
        (f"/dicom-web/studies/{STUDY}/series/{UNKNOWN}", "", 404),
        (f"/dicom-web/studies/{STUDY}/series/{OTHERS}/instances/{UIDS['rle']}", "", 404),
        (f"/dicom-web/studies/{UNKNOWN}/metadata", "", 404),
        (f"/dicom-web/studies/{STUDY}", "text/html", 406),
        (f"/dicom-web/studies/{STUDY}", "application/dicom", 406),  # one body for many
        (f"/dicom-web/studies/{STUDY}", "nonsense", 406),
        (f"/dicom-web/studies/{STUDY}", f"{ALL};q=0", 406),
        (f"/dicom-web/studies/{STUDY}", OCTETS, 406),
        (f"/dicom-web/studies/{STUDY}/metadata", "application/dicom+xml", 406),
        (place("rle"), f"{ALL}; transfer-syntax={JPEG}", 406),
        (place("rle"), f"{ALL}; transfer-syntax=x", 406),
        ("/dicom-web/nothing", "", 404),
        (f"/dicom-web/studies/{STUDY}/thumbnails", "", 404),
        (f"{place('rle')}/frames/2", "", 404),
        (f"{place('rle')}/frames/0", "", 404),
        (f"{place('rle')}/frames/x", "", 400),
        (f"{place('rle')}/frames/1,", "", 400),
        (f"{place('rle')}/frames/1,1", "image/dicom-rle", 406),
        (f"{place('report')}/frames/1", "", 406),
        (f"{place('rle')}/frames/1", "image/jpeg", 406),
        (f"{place('rle')}/frames/1/rendered", "text/html", 406),
        (f"{place('two frames')}/frames/3/rendered", "", 404),
        (f"{place('two frames')}/rendered", "", 406),
        (f"{place('report')}/rendered", "", 406),
        (f"{place('rle')}/bulkdata/00289999", "", 404),
        (f"{place('rle')}/bulkdata/7FE00010", "image/jpeg", 406),
        (f"{place('two frames')}/bulkdata/7FE00010", "application/octet-stream", 406),
        (f"{place('rle')}/bulkdata/..", "", 400),
    ],
)
def test_what_cannot_be_given(ask, path, accept, expected):
    assert status(ask, path, accept) == expected


@pytest.mark.proves("SEC-T-127")
@pytest.mark.parametrize("uid", ["..", "1.2.x", "1" * 65, "1.2.3'--", "１.２", "%2e"])
def test_what_is_no_uid_is_refused(ask, uid):
    for path in (
        f"studies/{uid}",
        f"studies/{STUDY}/series/{uid}/metadata",
        f"studies/{uid}/series",
    ):
        assert status(ask, f"/dicom-web/{path}") == 400
    for name in ("studyUID", "seriesUID", "objectUID"):
        assert status(ask, wado(**{name: uid.replace("%", "")})) == 400


@pytest.mark.proves("IMG-164")
def test_some_of_a_study(ask):
    answer = ask(f"/dicom-web/studies/{STUDY}", f"{ALL}; transfer-syntax={JPEG}")
    assert answer.status == 206
    found = [read(content) for _, content in parts(answer)]
    assert {str(each.SOPInstanceUID) for each in found} == {
        UIDS[name]
        for name in ("jpeg", "report", "plan")  # no pixels: as Explicit VR LE
    }
    ((name, text),) = answer.headers
    assert name == "Warning"
    assert re.fullmatch(r'299 xdsi "8 of 11 instances cannot be sent: [^"\\]+"', text)


@pytest.mark.proves("IMG-164")
@pytest.mark.parametrize("error", [ArchiveBusy("at night"), ArchiveError("no answer")])
def test_archive_that_does_not_answer(ask, archive, error):
    def fails(series: str) -> None:
        raise error

    archive.before = fails
    for path in (f"/dicom-web/studies/{STUDY}", f"{place('rle')}/rendered", wado()):
        with pytest.raises(WebError) as caught:
            ask(path)
        assert caught.value.status == 503
        assert dict(caught.value.headers)["Retry-After"]


@pytest.mark.proves("IMG-164")
@pytest.mark.parametrize("error", [OSError("kept back"), ArchiveError("no answer for it")])
@pytest.mark.parametrize("syntax", ["*", RLE])
def test_instance_known_to_be_damaged_is_left_out(ask, archive, monkeypatch, error, syntax):
    whole = FolderArchive.open

    def opened(self: FolderArchive, instance: HeldInstance, call: Call) -> Content:
        if instance.sop_instance_uid == UIDS["rle"]:
            raise error
        return whole(self, instance, call)

    monkeypatch.setattr(FolderArchive, "open", opened)
    answer = ask(f"/dicom-web/studies/{STUDY}", f"{ALL}; transfer-syntax={syntax}")
    assert answer.status == 206 and answer.headers
    assert UIDS["rle"] not in {str(read(each).SOPInstanceUID) for _, each in parts(answer)}


@pytest.mark.proves("IMG-164")
def test_instance_that_breaks_is_left_out_the_next_time(ask, archive, tmp_path):
    """Streamed it cuts the answer; asked again, all others come with 206."""
    for each in archive.index:
        (tmp_path / each.key).write_bytes((archive.folder / each.key).read_bytes())
    archive.folder = tmp_path
    path, as_stored = f"/dicom-web/studies/{STUDY}", f"{ALL}; transfer-syntax=*"
    broken = archive.folder / f"{UIDS['deflated']}.dcm"
    broken.write_bytes(broken.read_bytes()[:1000])
    for address, accept in ((path, as_stored), (f"{path}/metadata", "")):
        with pytest.raises(OSError, match=r"stored file|size"):
            body(ask(address, accept))
        again = ask(address, accept)
        assert again.status == 206
        assert body(again)


def metadata(answer: WebAnswer) -> list[pydicom.Dataset]:
    assert (answer.status, answer.media_type) == (200, "application/dicom+json")
    return [pydicom.Dataset.from_json(each) for each in json.loads(body(answer))]


@pytest.mark.proves("IMG-162")
@pytest.mark.parametrize("accept", ["", "application/dicom+json", "application/json", "*/*"])
def test_metadata_of_a_study(ask, files, accept):
    found = json.loads(body(ask(f"/dicom-web/studies/{STUDY}/metadata", accept)))
    told = {each["00080018"]["Value"][0]: each for each in found}
    assert set(told) == set(UIDS.values())
    for name, path in files.items():
        item, model = pydicom.dcmread(path), told[UIDS[name]]
        assert model["00083002"]["Value"] == [item.file_meta.TransferSyntaxUID]
        expected = json.loads(item.to_json(suppress_invalid_tags=True))
        for tag, attribute in expected.items():
            if "InlineBinary" in attribute and tag not in ("7FE00010",):
                assert "BulkDataURI" in model[tag] or model[tag] == attribute
            elif tag == "00080005":
                assert model[tag]["Value"] == ["ISO_IR 192"]
            elif tag != "7FE00010" and not tag.endswith("0000"):
                assert model[tag] == attribute, (name, tag)
        if "PixelData" in item:
            uri = f"https://images.example.org{place(name)}/bulkdata/7FE00010"
            assert model["7FE00010"]["BulkDataURI"] == uri
            assert "InlineBinary" not in model["7FE00010"]


def test_numbers_that_json_cannot_say(ask, archive, tmp_path):
    item = pydicom.dcmread(archive.folder / f"{UIDS['report']}.dcm")
    item.add_new(0x00189322, "FD", [1.5, float("nan"), float("inf")])
    archive.folder = tmp_path
    item.save_as(tmp_path / f"{UIDS['report']}.dcm")
    content = body(ask(f"{place('report')}/metadata"))
    (told,) = json.loads(content, parse_constant=pytest.fail)
    assert told["00189322"]["Value"] == [1.5, "nan", "inf"]


@pytest.mark.proves("IMG-160")
def test_bulk_data(ask, files):
    pixels = pydicom.dcmread(files["explicit"]).PixelData
    path = f"{place('explicit')}/bulkdata/7FE00010"
    assert body(ask(path, "application/octet-stream")) == pixels
    ((kind, content),) = parts(ask(path, OCTETS))
    assert (kind, content) == ("application/octet-stream", pixels)
    ((_, content),) = parts(ask(f"{place('big endian')}/bulkdata/7FE00010"))
    assert content == pixels
    tag = f"{place('explicit')}/bulkdata/0020000D"
    assert body(ask(tag, "application/octet-stream")).rstrip(b"\0").decode() == STUDY


@pytest.mark.proves("IMG-160")
@pytest.mark.parametrize(
    ("name", "accept"),
    [
        ("rle", ""),
        ("two frames", OCTETS),
        ("two frames", 'multipart/related; type="image/dicom-rle"'),
        ("jpeg", f"{OCTETS}; transfer-syntax=*"),
        ("jpeg", "image/jpeg"),
    ],
)
def test_bulk_data_of_compressed_pixels_is_its_frames(ask, name, accept):
    (model,) = json.loads(body(ask(f"{place(name)}/metadata")))
    path = model["7FE00010"]["BulkDataURI"].removeprefix("https://images.example.org")
    numbers = "1,2" if name == "two frames" else "1"
    whole, each = (ask(at, accept) for at in (path, f"{place(name)}/frames/{numbers}"))
    if accept.startswith("image"):
        assert body(whole) == body(each)
    else:
        assert parts(whole) == parts(each)


@pytest.mark.proves("IMG-162")
def test_bulk_data_that_cannot_be_served_has_no_address(ask, archive, tmp_path):
    item = pydicom.dcmread(archive.folder / f"{UIDS['rle']}.dcm")
    item.file_meta.TransferSyntaxUID = samples.VIDEO
    archive.folder = tmp_path
    item.save_as(tmp_path / f"{UIDS['rle']}.dcm")
    (model,) = json.loads(body(ask(f"{place('rle')}/metadata")))
    assert set(model["7FE00010"]) == {"vr"}


@pytest.mark.proves("IMG-162")
@pytest.mark.parametrize(
    "name", ["explicit", "implicit", "big endian", "rle", "jpeg 2000", "jpeg-ls", "two frames"]
)
def test_frames_uncompressed(ask, files, name):
    item = pydicom.dcmread(files[name])
    count = int(item.get("NumberOfFrames") or 1)
    numbers = ",".join(str(each) for each in range(count, 0, -1))
    found = parts(ask(f"{place(name)}/frames/{numbers}"))
    expected = item.pixel_array if count > 1 else item.pixel_array[None]
    expected = [frame.astype(frame.dtype.newbyteorder("<")).tobytes() for frame in expected]
    assert [content for _, content in found] == expected[::-1]
    assert {kind for kind, _ in found} == {f"application/octet-stream; transfer-syntax={EXPLICIT}"}


@pytest.mark.proves("IMG-162")
@pytest.mark.parametrize(
    ("name", "accept", "kind"),
    [
        ("jpeg", 'multipart/related; type="image/jpeg"', "image/jpeg"),
        ("jpeg", 'multipart/related; type="image/*"; transfer-syntax=*', "image/jpeg"),
        ("jpeg 2000", f'multipart/related; type="image/jp2"; transfer-syntax={J2K}', "image/jp2"),
        ("rle", f"{OCTETS}; transfer-syntax=*", "application/octet-stream"),
        ("jpeg-ls", "image/jls", "image/jls"),
    ],
)
def test_frames_as_they_are_stored(ask, files, name, accept, kind):
    item = pydicom.dcmread(files[name])
    (expected,) = pydicom.encaps.generate_frames(item.PixelData, number_of_frames=1)
    answer = ask(f"{place(name)}/frames/1", accept)
    if accept.startswith("image"):
        assert (answer.media_type, body(answer)) == (kind, expected)
    else:
        ((told, content),) = parts(answer)
        assert told == f"{kind}; transfer-syntax={item.file_meta.TransferSyntaxUID}"
        assert content == expected


@pytest.mark.proves("IMG-162")
@pytest.mark.parametrize("name", ["explicit", "implicit", "big endian"])
def test_frames_stored_uncompressed_are_little_endian_and_say_so(ask, files, name):
    stored = str(pydicom.dcmread(files[name]).file_meta.TransferSyntaxUID)
    plain = parts(ask(f"{place(name)}/frames/1"))
    for syntax in ("*", stored):
        assert parts(ask(f"{place(name)}/frames/1", f"{OCTETS}; transfer-syntax={syntax}")) == plain
    assert plain[0][0].endswith(f"={EXPLICIT}")


def image(answer: WebAnswer) -> Image.Image:
    return Image.open(io.BytesIO(body(answer)))


@pytest.mark.proves("IMG-162")
@pytest.mark.parametrize(
    ("path", "accept", "form", "size"),
    [
        (f"{place('rle')}/rendered", "", "JPEG", (64, 64)),
        (f"{place('rle')}/rendered", "image/png;q=0.4, image/gif;q=0.9", "GIF", (64, 64)),
        (f"{place('jpeg')}/frames/1/rendered", "image/png", "PNG", (3, 3)),
        (f"{place('rle')}/rendered?viewport=32,32", "", "JPEG", (32, 32)),
        (f"{place('rle')}/rendered?viewport=32,32,0,0,32,16", "", "JPEG", (32, 16)),
        (f"{place('rle')}/rendered?window=600,1200,linear&quality=50", "", "JPEG", (64, 64)),
        (f"{place('rle')}/rendered?accept=image/png", "", "PNG", (64, 64)),
    ],
)
def test_pictures(ask, path, accept, form, size):
    answer = ask(path, accept)
    picture = image(answer)
    assert answer.media_type == f"image/{form.lower()}"
    assert (picture.format, picture.size) == (form, size)


@pytest.mark.parametrize(
    "query",
    [
        "viewport=1",
        "viewport=0,5",
        "viewport=,",
        "viewport=5,5,60,60,10,10",
        "viewport=5,5,-1,0,1,1",
        "viewport=99999,5",
        "window=1",
        "window=1,0",
        "window=a,b",
        "window=nan,5",
        "window=1,2,sigmoid",
        "quality=0",
        "quality=101",
        "annotation=patient",
    ],
)
def test_pictures_with_odd_parameters(ask, query):
    assert status(ask, f"{place('rle')}/rendered?{query}") == 400


# WADO-URI


def wado(name: str = "rle", **more: str | None) -> str:
    given = {
        "requestType": "WADO",
        "studyUID": STUDY,
        "seriesUID": samples.NAMES[name][0],
        "objectUID": UIDS[name],
        **more,
    }
    return "/wado?" + "&".join(
        f"{key}={value}" for key, value in given.items() if value is not None
    )


@pytest.mark.proves("IMG-150", "IMG-155")
@pytest.mark.parametrize(
    ("address", "accept", "kind"),
    [
        (wado(), "", "image/jpeg"),
        (wado(), "application/dicom", "application/dicom"),
        (wado(), "image/gif;q=0.5, application/dicom;q=0.9", "application/dicom"),
        (wado(), "text/html, */*;q=0.1", "image/jpeg"),
        (wado(), "image/png", "image/png"),
        (wado(), "text/html", None),
        (wado("two frames"), "image/jpeg, application/dicom", "application/dicom"),
        (wado("two frames"), "image/jpeg", None),
        (wado("two frames", frameNumber="2"), "image/jpeg", "image/jpeg"),
        (wado("two frames", frameNumber="2"), "", "image/jpeg"),
        (wado("report"), "image/jpeg", None),
        (wado(contentType="application/dicom"), "*/*", "application/dicom"),
        (wado(contentType="application%2Fdicom"), "", "application/dicom"),
        (wado(contentType="image/png"), "image/*", "image/png"),
        (wado(contentType="text/html,image/gif"), "", "image/gif"),
        (wado("two frames"), "", "application/dicom"),
        (wado("report"), "", "application/dicom"),
        (wado("two frames", frameNumber="2", contentType="image/jpeg"), "", "image/jpeg"),
        (wado(contentType="image/png"), "image/jpeg", None),
        (wado("report", contentType="image/jpeg"), "", None),
        (wado(contentType="text/html"), "", None),
        (wado("two frames", contentType="image/jpeg"), "", None),
    ],
)
def test_content_type_agrees_with_accept(ask, address, accept, kind):
    if kind is None:
        assert status(ask, address, accept) == 406
    else:
        answer = ask(address, accept)
        assert (answer.status, answer.media_type) == (200, kind)
        assert body(answer)[:3] == b"\xff\xd8\xff" if kind == "image/jpeg" else body(answer)


@pytest.mark.proves("IMG-150")
def test_what_can_be_had_of_several_frames_is_told(ask):
    for address in (wado("two frames"), wado("two frames", contentType="image/jpeg")):
        with pytest.raises(WebError, match="name one"):
            ask(address, "image/jpeg")
    with pytest.raises(WebError, match="frameNumber: only with a picture"):
        ask(wado("two frames", frameNumber="2"), "application/dicom")


@pytest.mark.proves("IMG-152", "IMG-154")
def test_transfer_syntax(ask, files):
    dicom = {"contentType": "application/dicom"}
    plain = read(body(ask(wado(**dicom))))
    assert plain.file_meta.TransferSyntaxUID == EXPLICIT
    stored = body(ask(wado(**dicom, transferSyntax=RLE)))
    assert stored == files["rle"].read_bytes()
    assert status(ask, wado(**dicom, transferSyntax=JPEG)) == 406
    assert status(ask, wado(contentType="image/jpeg", transferSyntax=RLE)) == 400


@pytest.mark.proves("IMG-152")
def test_pictures_by_uri(ask):
    asked = wado(rows="16", columns="40", contentType="image/png")
    assert image(ask(asked)).size == (16, 16)
    asked = wado(region="0,0,0.5,0.25", contentType="image/png")
    assert image(ask(asked)).size == (32, 16)
    window = wado(windowCenter="600", windowWidth="1200", imageQuality="80")
    assert image(ask(window)).format == "JPEG"


@pytest.mark.proves("IMG-150", "IMG-155")
@pytest.mark.parametrize(
    "change",
    [
        {"requestType": None},
        {"requestType": "wado-rs"},
        {"studyUID": None},
        {"seriesUID": ""},
        {"objectUID": None},
        {"studyUID": f"{STUDY}&studyUID={STUDY}"},
        {"anonymize": "yes"},
        {"annotation": "patient"},
        {"presentationUID": "1.2"},
        {"rows": "0"},
        {"rows": "x"},
        {"region": "0,0,1"},
        {"region": "0.5,0,0.4,1"},
        {"region": "0,0,2,1"},
        {"windowCenter": "5"},
        {"windowWidth": "5"},
        {"windowCenter": "5", "windowWidth": "x"},
        {"frameNumber": "0"},
        {"imageQuality": "1000"},
        {"contentType": "application/dicom", "rows": "5"},
        {"contentType": "application/dicom", "transferSyntax": "x"},
    ],
)
def test_bad_parameters(ask, change):
    assert status(ask, wado(**change)) == 400


@pytest.mark.proves("IMG-155")
@pytest.mark.parametrize("name", ["studyUID", "seriesUID", "objectUID"])
def test_unknown_instance(ask, name):
    assert status(ask, wado(**{name: UNKNOWN})) == 404


# QIDO-RS


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (f"StudyInstanceUID={STUDY}", 1),
        (f"0020000D={STUDY}&includefield=all&limit=5", 1),
        (f"StudyInstanceUID={STUDY}&offset=1", 0),
        (f"StudyInstanceUID={STUDY}&PatientID=nobody", 0),
        (f"StudyInstanceUID={STUDY}&ModalitiesInStudy=MR", 1),
        (f"StudyInstanceUID={STUDY}&ModalitiesInStudy=US", 0),
        (f"StudyInstanceUID={UNKNOWN}", 0),
    ],
)
def test_search_for_studies(ask, archive, query, count):
    one_patient(archive)
    answer = ask(f"/dicom-web/studies?{query}", "application/dicom+json")
    assert answer.status == (200 if count else 204)
    found = json.loads(body(answer)) if count else []
    assert len(found) == count
    for each in found:
        told = pydicom.Dataset.from_json(each)
        assert (told.StudyInstanceUID, told.NumberOfStudyRelatedInstances) == (STUDY, 6)
        assert told.RetrieveURL == f"https://images.example.org/dicom-web/studies/{STUDY}"


def one_patient(archive: FolderArchive) -> None:
    """The files of the MR series alone: the others are of other patients."""
    archive.index = [each for each in archive.index if each.series_instance_uid == MR]


def test_search_for_series_and_instances(ask, archive):
    one_patient(archive)
    path = f"/dicom-web/studies/{STUDY}"
    (series,) = json.loads(body(ask(f"{path}/series?Modality=MR")))
    assert series["0020000E"]["Value"] == [MR]
    assert ask(f"{path}/series?Modality=CT").status == 204
    for address in (f"{path}/instances", f"{path}/series/{MR}/instances"):
        found = json.loads(body(ask(address)))
        assert {each["00080018"]["Value"][0] for each in found} == {
            each.sop_instance_uid for each in archive.index
        }
    first, second = (json.loads(body(ask(f"{path}/instances?limit=2&offset={n}"))) for n in (0, 1))
    assert (len(first), first[1]) == (2, second[0])
    (one,) = json.loads(body(ask(f"{path}/instances?SOPInstanceUID={UIDS['rle']}")))
    assert one["00083002"]["Value"] == [RLE]


@pytest.mark.parametrize(
    ("below", "query", "count"),
    [
        ("series", f"StudyInstanceUID={STUDY}", 1),
        ("series", f"StudyInstanceUID={UNKNOWN}", 0),
        ("instances", f"0020000D={STUDY}", 6),
        ("instances", f"StudyInstanceUID={UNKNOWN}", 0),
        (f"series/{MR}/instances", f"StudyInstanceUID={STUDY}&SeriesInstanceUID={MR}", 6),
        (f"series/{MR}/instances", f"SeriesInstanceUID={OTHERS}", 0),
    ],
)
def test_search_with_a_key_that_the_path_has(ask, archive, below, query, count):
    one_patient(archive)
    answer = ask(f"/dicom-web/studies/{STUDY}/{below}?{query}")
    assert len(json.loads(body(answer)) if count else []) == count
    assert answer.status == (200 if count else 204)


def test_search_tells_names_in_their_scripts_and_numbers_that_are_some(ask, archive, tmp_path):
    item = pydicom.dcmread(samples.FILES / "CT_small.dcm")
    item.SpecificCharacterSet = "ISO_IR 192"
    item.PatientName = "Ωμέγα^Ærø=山田^太郎"
    item.ReferringPhysicianName = "=山田"
    item.StudyInstanceUID = UNKNOWN
    item.SeriesNumber = 4177
    archive.folder = tmp_path
    item.save_as(one := tmp_path / "one.dcm")
    one.write_bytes(one.read_bytes().replace(b"IS\4\0004177", b"IS\4\0+-77"))
    archive.index = [held(one)]
    (study,) = json.loads(body(ask(f"/dicom-web/studies?StudyInstanceUID={UNKNOWN}")))
    assert study["00100010"]["Value"] == [{"Alphabetic": "Ωμέγα^Ærø", "Ideographic": "山田^太郎"}]
    assert study["00080090"]["Value"] == [{"Ideographic": "山田"}]
    (series,) = json.loads(body(ask(f"/dicom-web/studies/{UNKNOWN}/series")))
    assert series["00200011"] == {"vr": "IS"}


@pytest.mark.parametrize(
    "query",
    [
        "PatientID=1",
        "",
        "PatientName=X",
        f"StudyInstanceUID={STUDY}&StudyInstanceUID={STUDY}",
        "StudyInstanceUID=x",
        f"StudyInstanceUID={STUDY}&limit=x",
        f"StudyInstanceUID={STUDY}&StudyDate=2020",
        f"StudyInstanceUID={STUDY}&PatientID=*",
    ],
)
def test_search_that_cannot_be_done(ask, query):
    assert status(ask, f"/dicom-web/studies?{query}") == 400


# STOW-RS


def store(ask, *contents: bytes, study: str = "", kind: str = ALL) -> WebAnswer:
    documents = tuple(MemoryStaged(each) for each in contents)
    path = f"/dicom-web/studies/{study}".rstrip("/")
    return ask(path, method="POST", documents=documents, headers={"content-type": kind})


def invented(uid: str) -> bytes:
    item = pydicom.dcmread(samples.FILES / "CT_small.dcm")
    item.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.5"
    item.SOPInstanceUID = item.file_meta.MediaStorageSOPInstanceUID = uid
    room = io.BytesIO()
    item.save_as(room)
    return room.getvalue()


@pytest.mark.parametrize(
    ("contents", "study", "expected"),
    [
        ((b"1", b"2"), "", 200),
        ((b"1",), "1.2.826.0.1.3680043.8.498.5", 200),
        ((b"1", b"no DICOM"), "", 202),
        ((b"1",), "1.2.3", 409),
        ((b"no DICOM",), "", 409),
    ],
)
def test_store(ask, archive, tmp_path, contents, study, expected):
    archive.folder = tmp_path
    made = [
        each if len(each) > 1 else invented(f"1.2.826.0.1.3680043.8.498.6.{each.decode()}")
        for each in contents
    ]
    answer = store(ask, *made, study=study)
    assert (answer.status, answer.media_type) == (expected, "application/dicom+json")
    told = pydicom.Dataset.from_json(json.loads(body(answer)))
    kept = sum(len(each) > 1000 for each in made) if expected != 409 else 0
    assert len(told.get("ReferencedSOPSequence", ())) == kept
    assert len(list(tmp_path.glob("*.dcm"))) == kept
    if kept:
        stored = told.ReferencedSOPSequence[0]
        assert told.RetrieveURL.endswith("/studies/1.2.826.0.1.3680043.8.498.5")
        assert stored.RetrieveURL.endswith(f"/instances/{stored.ReferencedSOPInstanceUID}")
    if study == "1.2.3":
        (failed,) = told.FailedSOPSequence
        assert failed.FailureReason == 0xA900
        assert failed.ReferencedSOPInstanceUID == "1.2.826.0.1.3680043.8.498.6.1"
    if b"no DICOM" in made:
        assert told[0x0008119A].value[0].FailureReason == 0xC000


@pytest.mark.parametrize(
    ("kind", "accept", "expected"),
    [
        ("application/dicom+json", "", 415),
        ('multipart/related; type="application/dicom+json"', "", 415),
        ("multipart/related", "", 415),
        ("", "", 415),
        (ALL, "text/html", 406),
        (ALL, "", 400),  # nothing in it
    ],
)
def test_store_that_is_refused(ask, kind, accept, expected):
    headers = {"content-type": kind, "accept": accept}
    assert status(ask, "/dicom-web/studies", method="POST", headers=headers) == expected


@pytest.mark.parametrize(
    ("path", "allow"), [(f"studies/{STUDY}/metadata", "GET"), ("studies", "GET, POST")]
)
def test_other_methods(ask, path, allow):
    with pytest.raises(WebError) as caught:
        ask(f"/dicom-web/{path}", method="PUT")
    assert caught.value.status == 405
    assert dict(caught.value.headers)["Allow"] == allow
