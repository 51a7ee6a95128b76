"""Reading of a Key Object Selection document: any title, several studies, repeated entries.

Source: DICOM PS3.3 A.35.4, C.17.6; kos-manifest.md sections 2 to 6, 9 and 11.
"""

from collections.abc import Iterable
from dataclasses import replace

from xdsi.model.errors import InvalidDocumentContent
from xdsi.model.manifest import (
    CodedConcept,
    ContentItem,
    IdenticalDocument,
    Manifest,
    ManifestInstance,
    ManifestSeries,
    ManifestStudy,
    ReferencedRequest,
)
from xdsi.model.values import is_uid
from xdsi.standard import dicom, mado
from xdsi.wire import dicomshapes as shapes
from xdsi.wire.dicomfile import DicomFile, Item, Limits, Shape, Source, read
from xdsi.wire.mado import read_descriptors, unwrapped

DEFAULT_LIMITS = Limits()


# One string for texts that repeat thousands of times. Only known ones: what an interpreter interns
# it may keep for good, and these bytes are foreign.
_SHARED = {
    text: text
    for text in (
        *dicom.IMAGE_STORAGE,
        *dicom.WAVEFORM_STORAGE,
        *("CONTAINS", "HAS ACQ CONTEXT", "IMAGE", "WAVEFORM", "COMPOSITE", "CODE", "NUM", "TEXT"),
    )
}


_CONCEPTS = {
    code: code
    for concept in (*mado.COMMON, *(each for of in mado.DIALECTS.values() for each in of.concepts))
    for code in (CodedConcept(concept.value, concept.scheme, concept.meaning),)
}


def _shared(text: str) -> str:
    return _SHARED.get(text, text)


def _instance(item: Item) -> ManifestInstance | None:
    uid = item.uid(dicom.REFERENCED_SOP_INSTANCE_UID)
    if not uid:
        return None
    return ManifestInstance(_shared(item.uid(dicom.REFERENCED_SOP_CLASS_UID)), uid)


def _display_uri(item: Item) -> str:
    """The address of a viewer (MADO-035); "" without one."""
    if address := item.text(mado.DISPLAY_URI):
        return address
    owned = (tag for tag in item.values if item.text(tag) == mado.PRIVATE_CREATOR)
    return next((item.text(mado.private_display_uri(tag & 0xFF)) for tag in owned), "")


def _concept_name(item: Item) -> CodedConcept | None:
    """One object for a concept that names thousands of items."""
    code = shapes.code(item)
    return _CONCEPTS.get(code, code) if code else None


_REFERENCE = Shape(
    frozenset({dicom.REFERENCED_SOP_CLASS_UID, dicom.REFERENCED_SOP_INSTANCE_UID}),
    make=_instance,
)
_SERIES = Shape(
    frozenset(
        {
            dicom.SERIES_INSTANCE_UID,
            dicom.RETRIEVE_LOCATION_UID,
            dicom.RETRIEVE_AE_TITLE,
            dicom.RETRIEVE_URL,
            dicom.RETRIEVE_URI,
        }
    ),
    {dicom.REFERENCED_SOP_SEQUENCE: _REFERENCE},
    make=lambda item: ManifestSeries(
        item.uid(dicom.SERIES_INSTANCE_UID),
        item.made(dicom.REFERENCED_SOP_SEQUENCE, ManifestInstance),
        item.uid(dicom.RETRIEVE_LOCATION_UID),
        item.text(dicom.RETRIEVE_AE_TITLE),
        item.text(dicom.RETRIEVE_URL),
        item.text(dicom.RETRIEVE_URI),
    ),
)
# Display URI has a tag in the final form and stands in a private block of any number in trial use.
_DISPLAY = frozenset({mado.DISPLAY_URI}).union(
    *(
        {mado.private_creator(block), mado.private_display_uri(block)}
        for block in mado.PRIVATE_BLOCKS
    )
)
EVIDENCE = Shape(
    frozenset({dicom.STUDY_INSTANCE_UID}) | _DISPLAY,
    {dicom.REFERENCED_SERIES_SEQUENCE: _SERIES},
    make=lambda item: ManifestStudy(
        item.uid(dicom.STUDY_INSTANCE_UID),
        item.made(dicom.REFERENCED_SERIES_SEQUENCE, ManifestSeries),
        _display_uri(item),
    ),
)
_TEXTS = (
    dicom.TEXT_VALUE,
    dicom.DATE,
    dicom.TIME,
    dicom.UID,
    dicom.CONTINUITY_OF_CONTENT,
)


def _content_item(item: Item) -> ContentItem:
    number = item.first(dicom.MEASURED_VALUE_SEQUENCE, str)
    return ContentItem(
        _shared(item.text(dicom.RELATIONSHIP_TYPE)),
        _shared(item.text(dicom.VALUE_TYPE)),
        item.first(dicom.CONCEPT_NAME_CODE_SEQUENCE, CodedConcept),
        item.first(dicom.CONCEPT_CODE_SEQUENCE, CodedConcept),
        number or next((text for tag in _TEXTS if (text := item.text(tag))), ""),
        item.first(dicom.REFERENCED_SOP_SEQUENCE, ManifestInstance),
        item.made(dicom.CONTENT_SEQUENCE, ContentItem),
    )


_CONTENT_PARTS = {
    dicom.CONCEPT_NAME_CODE_SEQUENCE: Shape(shapes.CODE.values, make=_concept_name),
    dicom.CONCEPT_CODE_SEQUENCE: shapes.CODE_OR_MEANING,
    dicom.MEASURED_VALUE_SEQUENCE: Shape(
        frozenset({dicom.NUMERIC_VALUE}), make=lambda item: item.text(dicom.NUMERIC_VALUE)
    ),
    dicom.REFERENCED_SOP_SEQUENCE: _REFERENCE,
}
CONTENT = Shape(
    frozenset({dicom.RELATIONSHIP_TYPE, dicom.VALUE_TYPE, *_TEXTS}),
    _CONTENT_PARTS,
    make=_content_item,
)
_CONTENT_PARTS[dicom.CONTENT_SEQUENCE] = CONTENT  # content items hold content items

_TEMPLATE = Shape(
    frozenset({dicom.TEMPLATE_IDENTIFIER}), make=lambda item: item.text(dicom.TEMPLATE_IDENTIFIER)
)

_MANIFEST = Shape(
    shapes.PATIENT_VALUES
    | _DISPLAY
    | {
        dicom.SOP_CLASS_UID,
        dicom.SOP_INSTANCE_UID,
        dicom.STUDY_INSTANCE_UID,
        dicom.SERIES_INSTANCE_UID,
        dicom.MODALITY,
        dicom.ACCESSION_NUMBER,
        dicom.STUDY_ID,
        dicom.STUDY_DATE,
        dicom.STUDY_TIME,
        dicom.STUDY_DESCRIPTION,
        dicom.INSTANCE_CREATION_DATE,
        dicom.INSTANCE_CREATION_TIME,
        dicom.CONTENT_DATE,
        dicom.CONTENT_TIME,
        dicom.TIMEZONE_OFFSET_FROM_UTC,
        dicom.MANUFACTURER,
        dicom.INSTITUTION_NAME,
        dicom.REFERRING_PHYSICIAN_NAME,
        dicom.SERIES_NUMBER,
        dicom.INSTANCE_NUMBER,
        dicom.VALUE_TYPE,
        dicom.CONTINUITY_OF_CONTENT,
    },
    {
        **shapes.PATIENT_SEQUENCES,
        dicom.ISSUER_OF_ACCESSION_NUMBER_SEQUENCE: shapes.ISSUER,
        dicom.CONCEPT_NAME_CODE_SEQUENCE: shapes.CODE,
        dicom.REFERENCED_REQUEST_SEQUENCE: shapes.REQUEST,
        dicom.CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE: EVIDENCE,
        dicom.IDENTICAL_DOCUMENTS_SEQUENCE: EVIDENCE,
        dicom.CONTENT_TEMPLATE_SEQUENCE: _TEMPLATE,
        dicom.CONTENT_SEQUENCE: CONTENT,
    },
)


def read_manifest(
    source: Source, *, what: str = "manifest", limits: Limits = DEFAULT_LIMITS
) -> Manifest:
    """What a Key Object Selection document says.

    source: path, bytes or binary stream of one Part 10 file
    what: how errors call it, e.g. the uniqueId of its DocumentEntry
    A study or series that stands twice is merged; of an instance named twice the first place
    counts. Missing attributes are "" or empty: whether they matter is for the checks.
    Raises InvalidDocumentContent: not Part 10, no KOS, beyond a limit, unreadable, no valid UID.
    Source: kos-manifest.md sections 2 to 6, KOS-113, SEC-T-150 to SEC-T-152.
    """
    manifest = read_as_it_is(source, what=what, limits=limits)
    for uid in manifest.uids():
        if not is_uid(uid):
            raise InvalidDocumentContent(
                what, "has a UID that is none", value=uid, rule="SEC-T-152"
            )
    return manifest


def read_as_it_is(
    source: Source, *, what: str = "manifest", limits: Limits = DEFAULT_LIMITS
) -> Manifest:
    """As `read_manifest`, for the checks: UIDs are whatever stands there, path-like texts too."""
    file = read(source, _MANIFEST, what=what, limits=limits)
    sop_class = file.data.uid(dicom.SOP_CLASS_UID)
    if sop_class != dicom.KEY_OBJECT_SELECTION:
        raise InvalidDocumentContent(
            what, "is no Key Object Selection document", value=sop_class, rule="KOS-121"
        )
    manifest = _manifest(file)
    if manifest.instance_count > limits.instances:
        raise InvalidDocumentContent(
            what, f"references more than {limits.instances} instances", rule="KOS-113"
        )
    return manifest


def _manifest(file: DicomFile) -> Manifest:
    item = file.data
    tree = item.made(dicom.CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, ManifestStudy)
    studies, repeated = _merged(tree)
    if len(studies) == 1 and not studies[0].viewer_url:
        studies = (replace(studies[0], viewer_url=_display_uri(item)),)
    title = item.first(dicom.CONCEPT_NAME_CODE_SEQUENCE, CodedConcept)
    content = item.made(dicom.CONTENT_SEQUENCE, ContentItem)
    return Manifest(
        sop_class_uid=item.uid(dicom.SOP_CLASS_UID),
        sop_instance_uid=item.uid(dicom.SOP_INSTANCE_UID),
        study_instance_uid=item.uid(dicom.STUDY_INSTANCE_UID),
        series_instance_uid=item.uid(dicom.SERIES_INSTANCE_UID),
        title=title,
        patient=shapes.patient(item),
        modality=item.text(dicom.MODALITY),
        accession=shapes.accession(item),
        study_id=item.text(dicom.STUDY_ID),
        study_date=item.text(dicom.STUDY_DATE),
        study_time=item.text(dicom.STUDY_TIME),
        study_description=item.text(dicom.STUDY_DESCRIPTION),
        instance_creation_date=item.text(dicom.INSTANCE_CREATION_DATE),
        instance_creation_time=item.text(dicom.INSTANCE_CREATION_TIME),
        content_date=item.text(dicom.CONTENT_DATE),
        content_time=item.text(dicom.CONTENT_TIME),
        timezone=item.text(dicom.TIMEZONE_OFFSET_FROM_UTC),
        manufacturer=item.text(dicom.MANUFACTURER),
        institution_name=item.text(dicom.INSTITUTION_NAME),
        referring_physician=item.text(dicom.REFERRING_PHYSICIAN_NAME).rstrip("=^"),
        series_number=item.text(dicom.SERIES_NUMBER),
        instance_number=item.text(dicom.INSTANCE_NUMBER),
        requests=item.made(dicom.REFERENCED_REQUEST_SEQUENCE, ReferencedRequest),
        studies=studies,
        content=unwrapped(content),
        descriptors=read_descriptors(title, content, studies),
        identical_documents=tuple(
            IdenticalDocument(
                study.study_instance_uid,
                series.series_instance_uid,
                copy.sop_class_uid,
                copy.sop_instance_uid,
            )
            for study in item.made(dicom.IDENTICAL_DOCUMENTS_SEQUENCE, ManifestStudy)
            for series in study.series
            for copy in series.instances
        ),
        repeated=repeated,
        file_sop_class_uid=file.meta.uid(dicom.MEDIA_STORAGE_SOP_CLASS_UID),
        file_sop_instance_uid=file.meta.uid(dicom.MEDIA_STORAGE_SOP_INSTANCE_UID),
        value_type=item.text(dicom.VALUE_TYPE),
        continuity=item.text(dicom.CONTINUITY_OF_CONTENT),
        template=item.first(dicom.CONTENT_TEMPLATE_SEQUENCE, str) or "",
    )


def _merged(studies: Iterable[ManifestStudy]) -> tuple[tuple[ManifestStudy, ...], int]:
    """The tree with every study once, every series once per place, every instance once.

    Sources that collect from several systems list a study once for each (kos-manifest.md 11, 7).
    Returns the tree and how many references it lost.
    """
    places: dict[str, dict[tuple[str, str, str, str, str], list[ManifestInstance]]] = {}
    viewers: dict[str, str] = {}
    seen: set[str] = set()
    given = 0
    for study in studies:
        series_of = places.setdefault(study.study_instance_uid, {})
        viewers[study.study_instance_uid] = (
            viewers.get(study.study_instance_uid) or study.viewer_url
        )
        for series in study.series:
            place = (
                series.series_instance_uid,
                series.retrieve_location_uid,
                series.retrieve_ae_title,
                series.retrieve_url,
                series.retrieve_uri,
            )
            members = series_of.setdefault(place, [])
            for instance in series.instances:
                given += 1
                if instance.sop_instance_uid not in seen:
                    seen.add(instance.sop_instance_uid)
                    members.append(instance)
    tree = tuple(
        ManifestStudy(
            study,
            tuple(
                ManifestSeries(uid, tuple(members), *place)
                for (uid, *place), members in series_of.items()
                if members
            ),
            viewers[study],
        )
        for study, series_of in places.items()
    )
    return tree, given - len(seen)
