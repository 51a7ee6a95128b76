"""What of a study is shared with the domain, and whose it is there.

Source: use-cases.md UC-124; IMG-046, IMG-048.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from xdsi.model.manifest import IssuedId
from xdsi.model.study import SeriesHeader, StudyHeader
from xdsi.model.values import CX


@dataclass(frozen=True, slots=True)
class Share:
    """Which series and instances are shared; what is named twice over is not.

    only_modalities: of series, as DICOM codes; none: all
    without_modalities: of series
    without_classes: SOP Class UIDs of instances
    without_descriptions: of series, `*` for any text, `?` for any character, capitals do not count
    """

    only_modalities: tuple[str, ...] = ()
    without_modalities: tuple[str, ...] = ()
    without_classes: tuple[str, ...] = ()
    without_descriptions: tuple[str, ...] = ()


EVERYTHING = Share()


def shared(study: StudyHeader, *shares: Share) -> StudyHeader:
    """The study with what all of these let through; that may be nothing."""
    for share in shares:
        left = (_without(each, share) for each in study.series if _is_shared(each, share))
        study = replace(study, series=tuple(each for each in left if each.instances))
    return study


def _is_shared(series: SeriesHeader, share: Share) -> bool:
    if share.only_modalities and series.modality not in share.only_modalities:
        return False
    description = series.description.casefold()
    return series.modality not in share.without_modalities and not any(
        fnmatchcase(description, each.casefold()) for each in share.without_descriptions
    )


def _without(series: SeriesHeader, share: Share) -> SeriesHeader:
    if not share.without_classes:
        return series
    kept = (each for each in series.instances if each.sop_class_uid not in share.without_classes)
    return replace(series, instances=tuple(kept))


def domain_patient(study: StudyHeader, authorities: Collection[str], issuer: str = "") -> CX:
    """The identifier that the header gives the patient in the domain.

    authorities: OIDs whose identifiers the domain knows; the first identifier of one is taken
    issuer: OID of a Patient ID that comes without one
    Raises ValueError, which says what to do, when there is none.
    """
    patient = study.patient
    main = patient.id
    if main.value and issuer and not main.issuer_uid:
        main = replace(main, issuer_uid=issuer, issuer_type="ISO")
    for each in (main, *patient.other_ids):
        if each.issuer_oid in authorities:
            identifier = CX(f"{each.value}^^^&{each.issuer_oid}&ISO")
            if identifier.problem is None:
                return identifier
    raise ValueError(_no_patient((main, *patient.other_ids), authorities))


def _no_patient(ids: Collection[IssuedId], authorities: Collection[str]) -> str:
    if not authorities:
        return (
            "no assigning authority of the domain is known; name them in "
            "imaging.patient_authorities, or give --patient"
        )
    for each in ids:
        if each.value and each.issuer_oid in authorities:
            return (
                f"the identifier of {each.issuer_oid} in its header has characters that no "
                "identifier may have, such as ^ or a backslash; give --patient"
            )
    issuers = sorted({each.issuer_uid for each in ids if each.value and each.issuer_uid})
    found = f"identifiers of {', '.join(issuers)}" if issuers else "no identifier with an issuer"
    return (
        f"its header has {found}, the domain knows {', '.join(authorities)}; give --patient, "
        "or imaging.patient_issuer where the issuer is missing"
    )
