"""Retrieve Rendered Imaging Document Set, as a function."""

import io
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from PIL import Image

from tests.actors.imaging.conftest import CALL
from tests.actors.imaging.folder import FolderArchive
from tests.actors.imaging.samples import Ask, everything
from xdsi.actors.imaging import rendered
from xdsi.actors.imaging.source import Source
from xdsi.config import Limits
from xdsi.model.errors import XDSTooManyResults
from xdsi.model.imaging import RenderedAnswer, RenderedInstance, RenderedRequest
from xdsi.plug import ArchiveError, Call
from xdsi.standard import urns, wado

HALF = Decimal("0.5")


def wish(name: str | Ask, *types: str, **parameters: Any) -> RenderedInstance:
    one = Ask(name) if isinstance(name, str) else name
    return RenderedInstance(one.instance, types or ("image/jpeg",), **parameters)


def render(source: Source, *wishes: RenderedInstance, call: Call = CALL) -> RenderedAnswer:
    return rendered.render(RenderedRequest(wishes), call, source)


@pytest.mark.proves("IMG-184", "IMG-182")
@pytest.mark.parametrize(
    ("asked", "code"),
    [
        pytest.param(wish("explicit", "application/pdf"), wado.NO_SUCH_TYPE, id="no such type"),
        pytest.param(wish("report"), wado.NOT_IN_THIS_TYPE, id="no image"),
        pytest.param(wish("two frames"), wado.FRAME_NEEDED, id="several frames, none named"),
        pytest.param(wish("two frames", frame=3), wado.NO_SUCH_FRAME, id="frame out of range"),
        pytest.param(wish("explicit", frame=2), wado.NO_SUCH_FRAME, id="second of one"),
        pytest.param(
            wish("explicit", window_width=Decimal(400)), wado.BAD_PARAMETER, id="width alone"
        ),
        pytest.param(
            wish("explicit", window_center=Decimal(40)), wado.BAD_PARAMETER, id="centre alone"
        ),
        pytest.param(wish("explicit", anonymize="yes"), wado.CANNOT_ANONYMISE, id="anonymize"),
        pytest.param(
            wish("explicit", presentation_uid="1.2"), wado.UNSUPPORTED_PARAMETER, id="presentation"
        ),
        pytest.param(wish(Ask("rle", uid="1.2")), "XDSDocumentUniqueIdError", id="unknown"),
        pytest.param(wish(Ask("rle", source="1.2")), "XDSUnknownRepositoryId", id="other source"),
    ],
)
def test_what_cannot_be_rendered_is_told_with_its_code(
    source: Source, asked: RenderedInstance, code: str
) -> None:
    answer = render(source, asked)
    assert (answer.status, answer.documents) == (urns.FAILURE, ())
    (error,) = answer.errors
    assert (error.code, error.location) == (code, asked.instance.document.document_unique_id)


@pytest.mark.proves("IMG-183", "IMG-186", "IMG-092")
def test_pictures_come_in_the_order_asked_and_others_as_errors(source: Source) -> None:
    answer = render(
        source,
        wish("two frames", "text/html", "IMAGE/PNG; q=1", "image/jpeg", frame=2),
        wish("report"),
        wish("rle", rows=32, window_width=Decimal(400), window_center=Decimal("40.5")),
        wish("two frames", "image/gif", frame=1, region=(Decimal(0), Decimal(0), HALF, HALF)),
    )
    assert answer.status == urns.PARTIAL_SUCCESS
    assert [each.code for each in answer.errors] == [wado.NOT_IN_THIS_TYPE]
    found = []
    for each in answer.documents:
        data = everything(each.content.open())
        assert len(data) == each.content.size
        with Image.open(io.BytesIO(data)) as picture:
            found.append((each.mime_type, picture.format, picture.size))
    assert found == [
        ("image/png", "PNG", (100, 100)),
        ("image/jpeg", "JPEG", (32, 32)),
        ("image/gif", "GIF", (50, 50)),
    ]


def test_pictures_beyond_the_room_of_an_answer_are_told(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendered, "_TOGETHER", 1)
    answer = render(source, wish("rle"), wish("explicit"))
    assert len(answer.documents) == 1
    assert [each.code for each in answer.errors] == [wado.TOO_MUCH]


def test_a_silent_archive_is_an_error_of_its_instances(
    source: Source, archive: FolderArchive
) -> None:
    def before(series: str) -> None:
        raise ArchiveError("no answer")

    archive.before = before
    assert [each.code for each in render(source, wish("rle")).errors] == ["XDSRepositoryError"]


@pytest.mark.proves("SEC-T-042")
def test_a_request_above_the_limit_is_refused(source: Source) -> None:
    few = replace(source, limits=Limits(imaging_documents=1))
    with pytest.raises(XDSTooManyResults):
        render(few, wish("rle"), wish("rle"))
