"""A study shared: its manifest made, submitted, and replaced when the study has changed.

Of a study and a source at most one manifest is current. The registry decides between publishers
that work at once: a replacement of what is no longer current is refused, and whoever submitted
looks again, so that of two new manifests one is replaced.
Source: RAD TF-3 4.68.4.1.1, 4.68.4.1.2.1 (IMG-012, IMG-014 to IMG-016, KOS-085, KOS-086, KOS-132);
UC-120, UC-122.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory

from pydicom.dataset import Dataset

from xdsi.client import DocumentConsumer, DocumentSource, MetadataSource, NoAnswer, compose
from xdsi.client.wanted import is_manifest
from xdsi.model.errors import (
    InvalidDocumentContent,
    XDSError,
    XDSRegistryDeprecatedDocumentError,
    leaves,
)
from xdsi.model.manifest import Manifest
from xdsi.model.objects import DocumentEntry
from xdsi.model.sharing import Share, shared
from xdsi.model.study import StudyHeader
from xdsi.model.values import CX, OID
from xdsi.wire import kos

_LOOKS = 6  # at the registry; each lost race costs one


class Outcome(Enum):
    """What became of a study, or would become of it."""

    NEW = "new"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"
    NOTHING = "nothing to share"  # and nothing is shared
    STALE = "still shared"  # nothing is left to be shared, a manifest is current all the same
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Publication:
    """A study and its manifest in the registry.

    unique_id: of the manifest that is current, "" without one
    gained, lost: instances against what was current; for a new one gained is all there are
    left_out: instances that are not shared, by rule or by rejection
    replaced: uniqueIds of the manifests that were current
    notes: what else there is to know, one line each
    """

    study: str
    patient: CX
    outcome: Outcome
    unique_id: str = ""
    gained: int = 0
    lost: int = 0
    left_out: int = 0
    replaced: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[XDSError, ...] = ()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a look at the registry says is to be done.

    study: what is shared of it; current: of this source, with entries
    """

    publication: Publication
    study: StudyHeader
    manifest: Dataset | None
    current: Mapping[str, DocumentEntry]


@dataclass(slots=True)
class Publisher:
    """Keeps the manifests of one imaging source current in one domain.

    source_id: OID of the imaging source: Retrieve Location UID, and sourceId of submissions
    patient: whose a study is in the domain; raises ValueError for one it cannot say of
    making: how manifests are made, without the place
    shares: what all of them let through is shared
    updates: takes withdrawals [ITI-57]; None: what cannot be shared any more is only told
    """

    documents: DocumentSource
    consumer: DocumentConsumer
    source_id: str
    patient: Callable[[StudyHeader], CX]
    making: kos.Making = field(default_factory=lambda: kos.Making())
    shares: tuple[Share, ...] = ()
    updates: MetadataSource | None = None

    def planned(self, study: StudyHeader) -> Publication:
        """What `publish` would do; nothing is sent but questions."""
        return self._plan(study, {}).publication

    def publish(
        self, study: StudyHeader, read: Callable[[], StudyHeader | None] | None = None
    ) -> Publication:
        """Make the registry say of a study what is to be shared of it.

        read: the study as it is now, for when somebody else turns out to be at work, who may have
            seen more of it; None: as it is given
        Raises ValueError for a study that cannot be shared, an ExceptionGroup of XDSErrors when the
        other side refuses, NoAnswer, OSError. All may be tried again.
        """
        known: dict[str, Manifest | None] = {}
        done: list[Publication] = []
        for look in range(_LOOKS):
            plan = self._plan(study, known)
            if look and plan.manifest is not None and read is not None:
                if (study_now := read()) is None:
                    raise ValueError("it went while it was published")
                plan = self._plan(study := study_now, known)
            if plan.manifest is None:
                break
            warnings = self._submit(plan, known)
            if warnings is not None:
                done.append(replace(plan.publication, warnings=warnings))
        else:
            raise XDSRegistryDeprecatedDocumentError(
                f"study {study.study_instance_uid}",
                "others replaced its manifest again and again; try later",
                rule="REG-133",
            )
        if done:
            return _together(done, plan.publication.unique_id)
        if plan.publication.outcome is Outcome.STALE:
            return self._withdrawn(plan.publication, plan.current.values())
        return plan.publication

    def gone(self, study: str, patient: CX) -> Publication:
        """The same for a study of which the source has nothing any more (IMG-015)."""
        current, notes = self._current(study, patient, {})
        outcome = Outcome.STALE if current else Outcome.NOTHING
        found = Publication(study, patient, outcome, notes=notes, replaced=tuple(current))
        entries = [entry for entry, _ in current.values()]
        return self._withdrawn(found, entries) if current else found

    def moved(self, study: str, was: CX, patient: CX) -> Publication | None:
        """The same under a patient whose study it turned out not to be; None for nothing there.

        To be done when it is published under the right one, so that it can be found all the time.
        """
        if was == patient:
            return None
        found = self.gone(study, was)
        if found.outcome is Outcome.NOTHING:
            return None
        note = f"that is its manifest under {was}, whose study it is not"
        return replace(found, notes=(*found.notes, note))

    def _plan(self, whole: StudyHeader, known: dict[str, Manifest | None]) -> _Plan:
        study, patient = shared(whole, *self.shares), self.patient(whole)
        current, notes = self._current(study.study_instance_uid, patient, known)
        entries = {unique_id: entry for unique_id, (entry, _) in current.items()}
        publication = Publication(
            study.study_instance_uid,
            patient,
            Outcome.NOTHING,
            left_out=_count(whole) - _count(study) + _rejected(whole),
            notes=notes,
            replaced=tuple(current),
        )
        if not study.series:
            outcome = Outcome.STALE if current else Outcome.NOTHING
            return _Plan(replace(publication, outcome=outcome), study, None, entries)
        manifest = kos.manifest_of(study, retrieve_location_uid=self.source_id, **self.making)
        draft = kos.read_manifest(kos.manifest_bytes(manifest))
        if len(current) == 1:
            ((unique_id, (_, there)),) = current.items()
            if _lasting(there) == _lasting(draft):
                same = replace(publication, outcome=Outcome.UNCHANGED, replaced=())
                return _Plan(replace(same, unique_id=unique_id), study, None, entries)
        now = _instances(draft)
        before = {each for _, there in current.values() for each in _instances(there)}
        publication = replace(
            publication,
            outcome=Outcome.REPLACED if current else Outcome.NEW,
            unique_id=draft.sop_instance_uid,
            gained=len(now - before),
            lost=len(before - now),
        )
        return _Plan(publication, study, manifest, entries)

    def _current(
        self, study: str, patient: CX, known: dict[str, Manifest | None]
    ) -> tuple[dict[str, tuple[DocumentEntry, Manifest]], tuple[str, ...]]:
        """Current manifests of this source by uniqueId, and what is to be said of others.

        known: manifests read before, by uniqueId; None for one that cannot be read
        """
        candidates: dict[str, DocumentEntry] = {}
        notes: list[str] = []
        for entry in self.consumer.find_by_reference(patient, study):
            if not is_manifest(entry):
                continue
            if self.consumer.knows(str(entry.repository_unique_id)):
                candidates[str(entry.unique_id)] = entry
            else:
                notes.append(
                    f"manifest {entry.unique_id} lies in repository {entry.repository_unique_id}, "
                    "whose address is not known: whether it is of this source cannot be told"
                )
        self._read([each for uid, each in candidates.items() if uid not in known], known)
        ours: dict[str, tuple[DocumentEntry, Manifest]] = {}
        for unique_id, entry in candidates.items():
            manifest = known[unique_id]
            if manifest is None:
                notes.append(f"manifest {unique_id} cannot be read and stays as it is")
            elif self._is_ours(manifest, study):
                ours[unique_id] = entry, manifest
            else:
                notes.append(f"manifest {unique_id} of another source stays as it is")
        return ours, tuple(notes)

    def _read(self, entries: Iterable[DocumentEntry], known: dict[str, Manifest | None]) -> None:
        with TemporaryDirectory(prefix="xdsi-") as folder:
            for each in self.consumer.retrieve(entries, Path(folder)):
                unique_id = each.request.document_unique_id
                try:
                    known[unique_id] = kos.read_manifest(each.path, what=unique_id)
                except InvalidDocumentContent:
                    known[unique_id] = None
                each.path.unlink()

    def _is_ours(self, manifest: Manifest, study: str) -> bool:
        """Whether all that it references is of this study and comes from this source."""
        studies = {each.study_instance_uid for each in manifest.studies}
        places = {series.retrieve_location_uid for _, series, _ in manifest.references()}
        return studies == {study} and places == {self.source_id}

    def _submit(
        self, plan: _Plan, known: dict[str, Manifest | None]
    ) -> tuple[XDSError, ...] | None:
        """Register the manifest; None when what it replaces was replaced by somebody else."""
        assert plan.manifest is not None  # noqa: S101 - asked before
        wishes = compose.Wishes(
            patient=plan.publication.patient,
            source_id=OID(self.source_id),
            replaces=tuple(str(entry.entry_uuid) for entry in plan.current.values()),
            study=plan.study,
        )
        with TemporaryDirectory(prefix="xdsi-") as folder:
            file = Path(folder) / "manifest.dcm"
            kos.write_manifest(plan.manifest, file)
            known[plan.publication.unique_id] = kos.read_manifest(file)
            try:
                return self.documents.provide(compose.provide_request([file], wishes))
            except ExceptionGroup as error:
                if plan.current and all(
                    isinstance(each, XDSRegistryDeprecatedDocumentError) or each.is_warning
                    for each in leaves(error)
                    if isinstance(each, XDSError)
                ):
                    return None
                raise

    def _withdrawn(self, publication: Publication, entries: Iterable[DocumentEntry]) -> Publication:
        """Deprecate what names nothing any more, where that is wished for (IMG-015)."""
        if self.updates is None:
            return publication
        ids = [str(each.entry_uuid) for each in entries]
        request = compose.withdrawal(ids, publication.patient, OID(self.source_id))
        try:
            warnings = self.updates.update(request)
        except NoAnswer as error:
            error.add_note(
                "a manifest is withdrawn by ITI-57; a registry that does not offer it leaves that "
                f"to its operator: deprecate {', '.join(ids)}"
            )
            raise
        return replace(publication, outcome=Outcome.WITHDRAWN, warnings=warnings)


def _together(done: list[Publication], current: str) -> Publication:
    """Several submissions told as one: that publishers raced is no news."""
    return replace(
        done[0],
        unique_id=current,
        replaced=tuple(dict.fromkeys(uid for each in done for uid in each.replaced)),
        warnings=tuple(warning for each in done for warning in each.warnings),
    )


def _count(study: StudyHeader) -> int:
    return sum(len(series.instances) for series in study.series)


def _rejected(study: StudyHeader) -> int:
    return len({uid for note in study.rejections for uid in note.sop_instance_uids})


def _instances(manifest: Manifest) -> set[str]:
    return {instance.sop_instance_uid for _, _, instance in manifest.references()}


def _lasting(manifest: Manifest) -> Manifest:
    """What two manifests of one study have in common: all but their UIDs and times (KOS-085)."""
    return replace(
        manifest,
        sop_instance_uid="",
        series_instance_uid="",
        file_sop_instance_uid="",
        instance_creation_date="",
        instance_creation_time="",
        content_date="",
        content_time="",
    )
