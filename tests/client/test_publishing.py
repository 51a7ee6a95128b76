"""A study shared at a node as its users run it: new, unchanged, changed, raced for, gone."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Thread

import pytest
from pydicom.sequence import Sequence

from tests.client.imagestudies import Study
from tests.node import Node, change, fresh_patient, init, serving
from tests.wire.studies import SR, code
from xdsi.client import DocumentConsumer, DocumentSource, MetadataSource, NoAnswer, compose
from xdsi.client.publishing import Outcome, Publisher
from xdsi.model.errors import XDSError, XDSUnknownPatientId, leaves
from xdsi.model.manifest import Manifest
from xdsi.model.messages import ProvideRequest
from xdsi.model.objects import DocumentEntry
from xdsi.model.sharing import Share, domain_patient
from xdsi.model.values import CX, OID
from xdsi.standard import anatomy, mado, urns
from xdsi.wire import kos

DIGITAL_X_RAY, SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.7"
LOCATION = "2.999.40"
OTHER = "2.999.41"
AUTHORITIES = ("2.999.7",)


class Domain:
    """A node, and what is current there of a study."""

    def __init__(self, node: Node, folder: Path) -> None:
        self.node, self.folder = node, folder
        self.source, self.consumer = node.source(), node.consumer()

    def publisher(self, **changes: object) -> Publisher:
        made = Publisher(
            self.source,
            self.consumer,
            LOCATION,
            lambda study: domain_patient(study, AUTHORITIES),
        )
        for name, value in changes.items():
            setattr(made, name, value)
        return made

    def entries(self, study: Study, *statuses: str) -> tuple[DocumentEntry, ...]:
        patient = domain_patient(study.header, AUTHORITIES)
        return self.consumer.find_by_reference(patient, study.uid, statuses or (urns.APPROVED,))

    def manifests(self, study: Study) -> list[Manifest]:
        received = self.consumer.retrieve(self.entries(study), self.folder)
        return [kos.read_manifest(each.path) for each in received]

    def only(self, study: Study) -> Manifest:
        (manifest,) = self.manifests(study)
        return manifest

    def submit(self, study: Study, location: str) -> str:
        """A manifest from somebody who looks for no other; its uniqueId."""
        made = kos.manifest_of(study.header, retrieve_location_uid=location)
        file = self.folder / "field.dcm"
        kos.write_manifest(made, file)
        patient = domain_patient(study.header, AUTHORITIES)
        wishes = compose.Wishes(patient=patient, source_id=OID(location))
        self.source.provide(compose.provide_request([file], wishes))
        return str(made.SOPInstanceUID)


@pytest.fixture
def domain(real_node: Node, tmp_path: Path) -> Iterator[Domain]:
    folder = tmp_path / "received"
    folder.mkdir()
    made = Domain(real_node, folder)
    with made.source, made.consumer:
        yield made


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Two series of two and three instances."""
    made = Study(tmp_path / "study")
    made.add_series(1, 2, SeriesDescription="Axial", StudyDescription="Head")
    made.add_series(2, 3, SeriesDescription="Dose Report", Modality="SR")
    return made


def uids(manifest: Manifest) -> list[str]:
    return [each.sop_instance_uid for _, _, each in manifest.references()]


@pytest.mark.proves("IMG-012", "KOS-085", "UC-120")
def test_new_study_then_nothing_to_do(domain: Domain, study: Study) -> None:
    publisher = domain.publisher()
    new = publisher.publish(study.header)
    assert (new.outcome, new.gained, new.lost, new.replaced) == (Outcome.NEW, 5, 0, ())
    (entry,) = domain.entries(study)
    assert str(entry.unique_id) == new.unique_id
    assert str(entry.title) == "Head"
    assert str(entry.patient_id) == f"{study.patient}^^^&2.999.7&ISO"
    assert entry.source_patient_id == entry.patient_id
    assert [str(each.code) for each in entry.event_codes] == ["CT"]
    assert domain.only(study).studies[0].series[0].retrieve_location_uid == LOCATION
    again = publisher.publish(study.header)
    assert (again.outcome, again.unique_id) == (Outcome.UNCHANGED, new.unique_id)
    assert len(domain.entries(study, urns.APPROVED, urns.DEPRECATED)) == 1


@pytest.mark.proves("IMG-012", "KOS-086", "UC-122", "UC-152")
def test_study_that_gained_a_series_is_one_study_with_three_series(
    domain: Domain, study: Study
) -> None:
    publisher = domain.publisher()
    first = publisher.publish(study.header)
    before = domain.only(study)
    study.add_series(3, 4)
    done = publisher.publish(study.header)
    assert (done.outcome, done.gained, done.lost) == (Outcome.REPLACED, 4, 0)
    assert done.replaced == (first.unique_id,)
    after = domain.only(study)
    assert [len(each.series) for each in after.studies] == [3]
    assert after.study_instance_uid == before.study_instance_uid
    assert after.sop_instance_uid != before.sop_instance_uid
    assert after.series_instance_uid != before.series_instance_uid


Changed = Callable[[Study], object]
CHANGES: dict[str, tuple[Changed, int, int]] = {
    "rejected": (lambda study: study.reject((1, 2)), 0, 1),
    "removed": (lambda study: (study.folder / "1-2.dcm").unlink(), 0, 1),
    "corrected": (lambda study: study.add(1, 2, SOPInstanceUID=f"{study.uid}.9.9"), 1, 1),
    "rejected and corrected": (
        lambda study: (study.reject((1, 2), title="113037"), study.add(1, 3)), 1, 1,
    ),
    "described anew": (
        lambda study: study.add_series(1, 2, StudyDescription="Head, corrected"), 0, 0,
    ),
}  # fmt: skip


@pytest.mark.proves("IMG-012", "IMG-014", "IMG-016", "KOS-086", "UC-122")
@pytest.mark.parametrize("case", CHANGES)
def test_changed_study_is_replaced(domain: Domain, study: Study, case: str) -> None:
    alter, gained, lost = CHANGES[case]
    publisher = domain.publisher()
    publisher.publish(study.header)
    before = set(uids(domain.only(study)))
    alter(study)
    done = publisher.publish(study.header)
    assert (done.outcome, done.gained, done.lost) == (Outcome.REPLACED, gained, lost)
    after = set(uids(domain.only(study)))
    assert (len(after - before), len(before - after)) == (gained, lost)
    assert publisher.publish(study.header).outcome is Outcome.UNCHANGED


@pytest.mark.proves("IMG-014", "KOS-132")
def test_several_current_manifests_become_one(domain: Domain, study: Study) -> None:
    there = {domain.submit(study, LOCATION) for _ in range(3)}
    done = domain.publisher().publish(study.header)
    assert (done.outcome, done.gained, done.lost) == (Outcome.REPLACED, 0, 0)
    assert set(done.replaced) == there
    assert domain.only(study).sop_instance_uid == done.unique_id


@pytest.mark.proves("KOS-132")
def test_manifest_of_another_source_stays(domain: Domain, study: Study) -> None:
    field = domain.submit(study, OTHER)
    done = domain.publisher().publish(study.header)
    assert done.outcome is Outcome.NEW
    assert done.notes == (f"manifest {field} of another source stays as it is",)
    assert {each.sop_instance_uid for each in domain.manifests(study)} == {field, done.unique_id}


def test_manifest_in_an_unknown_repository_is_told(domain: Domain, study: Study) -> None:
    there = domain.submit(study, LOCATION)
    with DocumentConsumer(f"{domain.node.base}/registry", {}) as consumer:
        planned = domain.publisher(consumer=consumer).planned(study.header)
    assert planned.outcome is Outcome.NEW
    (note,) = planned.notes
    assert note.startswith(f"manifest {there} lies in repository {domain.node.repository_id}")


@pytest.mark.proves("UC-122", "KOS-132")
@pytest.mark.parametrize("is_there", [False, True], ids=["new", "replacement"])
def test_of_publishers_at_once_one_manifest_is_current(
    domain: Domain, study: Study, is_there: bool
) -> None:
    if is_there:
        domain.publisher().publish(study.header)
        study.add_series(3, 1)
    header, number = study.header, 4
    start, done = Barrier(number), []

    class Late(DocumentSource):
        """All look before any submits."""

        waits = True

        def provide(self, request: ProvideRequest) -> tuple[XDSError, ...]:
            if self.waits:
                self.waits = False
                start.wait(30)
            return super().provide(request)

    def publish() -> None:
        with Late(f"{domain.node.base}/repository") as source, domain.node.consumer() as consumer:
            done.append(domain.publisher(documents=source, consumer=consumer).publish(header))

    threads = [Thread(target=publish) for _ in range(number)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert len(done) == number
    current = domain.only(study)
    assert sorted(uids(current)) == sorted(
        each.sop_instance_uid for series in header.series for each in series.instances
    )
    assert current.sop_instance_uid in {each.unique_id for each in done}


def test_who_loses_a_race_reads_the_study_again(domain: Domain, study: Study) -> None:
    """What was read before must not take the place of what somebody else saw later."""
    domain.publisher().publish(study.header)
    study.add_series(3, 1)
    old = study.header
    study.add_series(4, 1)

    class Overtaken(DocumentSource):
        def provide(self, request: ProvideRequest) -> tuple[XDSError, ...]:
            with domain.node.source() as other:
                domain.publisher(documents=other).publish(study.header)
            return super().provide(request)

    with Overtaken(f"{domain.node.base}/repository") as source:
        publisher = domain.publisher(documents=source)
        done = publisher.publish(old, lambda: study.header)
    assert done.outcome is Outcome.UNCHANGED
    assert len(domain.only(study).studies[0].series) == 4


def test_dry_run_sends_nothing(domain: Domain, study: Study) -> None:
    planned = domain.publisher().planned(study.header)
    assert (planned.outcome, planned.gained) == (Outcome.NEW, 5)
    assert domain.entries(study) == ()


SHARES: dict[str, tuple[Share, list[int]]] = {
    "everything": (Share(), [1, 2, 3]),
    "only CT": (Share(only_modalities=("CT",)), [1, 3]),
    "no SR": (Share(without_modalities=("SR",)), [1, 3]),
    "no dose": (Share(without_descriptions=("*DOSE*",)), [1, 3]),
    "no MR class": (Share(without_classes=("1.2.840.10008.5.1.4.1.1.4",)), [1, 2]),
    "both": (Share(only_modalities=("CT",), without_descriptions=("ax?al",)), [3]),
}


@pytest.mark.proves("UC-124")
@pytest.mark.parametrize("case", SHARES)
def test_what_is_shared_is_chosen(domain: Domain, study: Study, case: str) -> None:
    share, numbers = SHARES[case]
    study.add_series(3, 2, SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    done = domain.publisher(shares=(Share(), share)).publish(study.header)
    series = [each.series_instance_uid for each in domain.only(study).studies[0].series]
    assert series == [f"{study.uid}.{number}" for number in numbers]
    assert done.left_out == 7 - done.gained


@pytest.mark.proves("IMG-015", "UC-124")
def test_nothing_left_to_share(domain: Domain, study: Study) -> None:
    nothing = domain.publisher(shares=(Share(only_modalities=("MG",)),))
    assert nothing.publish(study.header).outcome is Outcome.NOTHING
    shared_ = domain.publisher().publish(study.header)
    stale = nothing.publish(study.header)
    assert (stale.outcome, stale.replaced) == (Outcome.STALE, (shared_.unique_id,))
    assert len(domain.entries(study)) == 1


@pytest.mark.proves("IMG-015", "IMG-016")
@pytest.mark.parametrize("how", ["gone", "rejected"])
def test_manifest_of_a_study_without_instances_is_withdrawn(
    domain: Domain, study: Study, how: str
) -> None:
    patient = domain_patient(study.header, AUTHORITIES)
    with MetadataSource(f"{domain.node.base}/registry") as updates:
        publisher = domain.publisher(updates=updates)
        new = publisher.publish(study.header)
        if how == "gone":
            done = publisher.gone(study.uid, patient)
        else:
            study.reject(*((1, 1), (1, 2), (2, 1), (2, 2), (2, 3)), title="113039")
            done = publisher.publish(study.header)
        assert (done.outcome, done.replaced) == (Outcome.WITHDRAWN, (new.unique_id,))
        assert domain.entries(study) == ()
        (entry,) = domain.entries(study, urns.DEPRECATED)
        assert str(entry.unique_id) == new.unique_id
        assert publisher.gone(study.uid, patient).outcome is Outcome.NOTHING


@pytest.mark.proves("IMG-015")
def test_withdrawal_not_offered_is_explained(tmp_path: Path, study: Study) -> None:
    config = change(init(tmp_path / "node"), without='["metadata-update"]')
    with serving(config) as node:
        domain = Domain(node, tmp_path)
        with domain.source, domain.consumer, MetadataSource(f"{node.base}/registry") as updates:
            publisher = domain.publisher(updates=updates)
            publisher.publish(study.header)
            with pytest.raises(NoAnswer) as refused:
                publisher.gone(study.uid, domain_patient(study.header, AUTHORITIES))
            (entry,) = domain.entries(study)
    assert str(entry.entry_uuid) in refused.value.__notes__[0]


def test_refusal_of_the_registry_is_raised(domain: Domain, study: Study) -> None:
    stranger = fresh_patient("2.999.1")
    with pytest.raises(ExceptionGroup) as refused:
        domain.publisher(patient=lambda study: stranger).publish(study.header)
    assert [type(each) for each in leaves(refused.value)] == [XDSUnknownPatientId]


@pytest.mark.proves("IMG-032", "IMG-033", "IMG-034", "IMG-035", "IMG-036")
def test_entry_says_what_was_acquired_where_and_why(domain: Domain, tmp_path: Path) -> None:
    """Also where classes tell nothing or another modality: an endoscopy, a dental panorama."""
    study = Study(tmp_path / "teeth")
    procedure = Sequence([code("P-1", "99TEST", "Teeth and more")])
    told = {"ProcedureCodeSequence": procedure, "BodyPartExamined": "JAW"}
    study.add(1, 1, SOPClassUID=DIGITAL_X_RAY, Modality="PX", **told)
    study.add(2, 1, SOPClassUID=SECONDARY_CAPTURE, Modality="ES", **told)
    study.add(3, 1, SOPClassUID=SR, Modality="SR", **told)
    domain.publisher().publish(study.header)
    (entry,) = domain.entries(study)
    jaw = anatomy.body_part("JAW")
    assert jaw is not None
    assert [(each.code, str(each.display)) for each in entry.event_codes] == [
        ("PX", "Panoramic X-Ray"),
        ("ES", "Endoscopy"),
        (jaw.value, jaw.meaning),
        ("P-1", "Teeth and more"),
    ]
    assert entry.type_code is not None and entry.type_code.code == "P-1"


@pytest.mark.proves("UC-120")
def test_descriptors_are_a_change(domain: Domain, study: Study) -> None:
    domain.publisher().publish(study.header)
    described = domain.publisher(making=kos.Making(mado=mado.DIALECTS["trial"]))
    assert described.publish(study.header).outcome is Outcome.REPLACED
    assert described.publish(study.header).outcome is Outcome.UNCHANGED
    assert domain.only(study).descriptors is not None


# the rule for patients


def test_identifier_of_the_domain_is_taken(study: Study) -> None:
    expected = CX(f"{study.patient}^^^&2.999.7&ISO")
    assert domain_patient(study.header, ("2.999.6", "2.999.7")) == expected


def test_issuer_is_supplied(tmp_path: Path) -> None:
    study = Study(tmp_path / "bare", authority=None)
    study.add(1, 1)
    assert domain_patient(study.header, ("2.999.7",), "2.999.7") == CX(
        f"{study.patient}^^^&2.999.7&ISO"
    )


@pytest.mark.parametrize(
    ("authority", "authorities", "told"),
    [
        ("2.999.7", (), "imaging.patient_authorities"),
        ("2.999.7", ("2.999.6",), "identifiers of 2.999.7, the domain knows 2.999.6"),
        (None, ("2.999.6",), "no identifier with an issuer"),
    ],
)
def test_foreign_patient_is_refused(
    tmp_path: Path, authority: str | None, authorities: tuple[str, ...], told: str
) -> None:
    study = Study(tmp_path / "foreign", authority)
    study.add(1, 1)
    with pytest.raises(ValueError, match=told) as refused:
        domain_patient(study.header, authorities)
    assert "--patient" in str(refused.value)
    assert study.patient not in str(refused.value)


@pytest.mark.parametrize("patient", ["A^B", "A\\B"])
def test_identifier_that_cannot_be_written_is_the_reason(study: Study, patient: str) -> None:
    header = study.header
    id_ = replace(header.patient.id, value=patient)
    with pytest.raises(
        ValueError, match=r"2\.999\.7 in its header has characters.*--patient"
    ) as no:
        domain_patient(replace(header, patient=replace(header.patient, id=id_)), ("2.999.7",))
    assert patient not in str(no.value)
