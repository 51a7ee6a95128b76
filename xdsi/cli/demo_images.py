"""The demo's images: a series by its manifest, and a preview, held against the originals."""

from collections.abc import Mapping
from pathlib import Path

from xdsi.cli import screen
from xdsi.client.imaging import ImagingConsumer
from xdsi.client.wanted import Fetched, Missing, Wanted, chosen
from xdsi.model.manifest import Manifest
from xdsi.standard import dicom
from xdsi.standard import transactions as t
from xdsi.wire import instances
from xdsi.wire.pixels import PixelLimits
from xdsi.wire.rendering import Rendering, rendered

_BOX = 512  # rows and columns of the preview at most
_PICTURE = "image/png"


def originals(folder: Path) -> dict[str, Path]:
    """The files of a folder by their SOP Instance UID."""
    return {
        instances.header(path).data.uid(dicom.SOP_INSTANCE_UID): path for path in folder.iterdir()
    }


def fetch(
    consumer: ImagingConsumer, manifest: Manifest, sent: Mapping[str, Path], into: Path
) -> bool:
    """Fetch the largest series and a preview of it; whether all of it is as it was sent."""
    study = manifest.studies[0]
    series = max(study.series, key=lambda each: len(each.instances)).series_instance_uid
    wanted = chosen(manifest, series=(series,))
    results = list(consumer.fetch(wanted, into))
    equal = [each for each in results if is_equal(each, sent)]
    verdict = "byte for byte as stored" if len(equal) == len(wanted) else "NOT as stored"
    screen.step(
        screen.named(t.RETRIEVE_IMAGING),
        f"series {series}: {len(equal)} of {len(wanted)} images, {verdict}",
    )
    return _preview(consumer, wanted[len(wanted) // 2], sent, into) and len(equal) == len(wanted)


def is_equal(result: Fetched | Missing, sent: Mapping[str, Path]) -> bool:
    """Whether it came, as it was sent."""
    if isinstance(result, Missing):
        return False
    return result.path.read_bytes() == sent[result.wanted.sop_instance_uid].read_bytes()


def _preview(
    consumer: ImagingConsumer, wanted: Wanted, sent: Mapping[str, Path], into: Path
) -> bool:
    """One image as a picture, held against the one that the original gives."""
    path = into / "preview.png"
    path.write_bytes(consumer.preview(wanted, most=_BOX, media_type=_PICTURE))
    wish = Rendering(_PICTURE, rows=_BOX, columns=_BOX)
    own = rendered(lambda: sent[wanted.sop_instance_uid].open("rb"), wish, PixelLimits())
    is_equal = path.read_bytes() == own
    verdict = "the picture that the original gives" if is_equal else "ANOTHER picture"
    screen.step(screen.named(t.RETRIEVE_RENDERED), f"{path}: {verdict}")
    return is_equal
