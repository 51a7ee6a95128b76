"""What is wanted of a manifest, and what became of it.

Source: IMG-190 to IMG-197; UC-104 to UC-107.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from xdsi.model.manifest import Manifest
from xdsi.model.objects import DocumentEntry
from xdsi.model.values import is_uid
from xdsi.standard import dicom


@dataclass(frozen=True, slots=True)
class Wanted:
    """One instance to be fetched.

    source: Retrieve Location UID of its series (IMG-190)
    home: homeCommunityId of the manifest's entry, where that came from another community
    retrieve_url: of its series, as the manifest gives it (IMG-192)
    retrieve_ae_title: of its series, likewise (IMG-153)
    in_series: how many instances of the series the manifest names
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    source: str
    home: str | None = None
    retrieve_url: str = ""
    in_series: int = 0
    retrieve_ae_title: str = ""

    @property
    def has_uids(self) -> bool:
        """Whether it can be asked for and name a file (SEC-T-152)."""
        uids = self.study_instance_uid, self.series_instance_uid, self.sop_instance_uid
        return all(map(is_uid, uids))

    def path(self, folder: Path) -> Path:
        """Where it lies once it has come, if it has UIDs."""
        return folder / self.series_instance_uid / f"{self.sop_instance_uid}.dcm"

    def is_in(self, folder: Path) -> bool:
        """Whether it has come; a file there is a whole one."""
        return self.has_uids and self.path(folder).exists()


class Fetched(NamedTuple):
    """One instance that has come. size in octets."""

    wanted: Wanted
    path: Path
    size: int


class Missing(NamedTuple):
    """One instance that has not.

    reason: in plain words; said: what the source said, "" when it said nothing
    """

    wanted: Wanted
    reason: str
    said: str = ""


def is_manifest(entry: DocumentEntry) -> bool:
    """By its code alone: schemes vary in the field (imaging.md 8, 7)."""
    code = entry.format_code
    return code is not None and str(code.code) == dicom.KEY_OBJECT_SELECTION


def chosen(
    manifest: Manifest,
    *,
    home: str | None = None,
    series: Collection[str] = (),
) -> tuple[Wanted, ...]:
    """The instances of a manifest, of these series alone where some are given."""
    return tuple(
        Wanted(
            study.study_instance_uid,
            of.series_instance_uid,
            one.sop_instance_uid,
            one.sop_class_uid,
            of.retrieve_location_uid,
            home,
            of.retrieve_url,
            len(of.instances),
            of.retrieve_ae_title,
        )
        for study, of, one in manifest.references()
        if not series or of.series_instance_uid in series
    )


def remaining(wanted: Iterable[Wanted], folder: Path) -> tuple[Wanted, ...]:
    """Those that are not in the folder yet."""
    return tuple(each for each in wanted if not each.is_in(folder))


def estimate(wanted: Iterable[Wanted]) -> int:
    """Octets they may have, about; a manifest does not tell (KOS-114)."""
    return sum(dicom.usual_size(each.sop_class_uid) for each in wanted)
