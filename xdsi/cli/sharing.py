"""What `publish` and `watch` share: whom to tell of studies, what of them, and what is said."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from xdsi import config as configuration
from xdsi.cli import making, options, partners, screen
from xdsi.client import DocumentSource, MetadataSource
from xdsi.client.publishing import Outcome, Publication, Publisher
from xdsi.config import ConfigurationError
from xdsi.model.errors import XDSError, leaves
from xdsi.model.sharing import EVERYTHING, Share, domain_patient
from xdsi.model.study import StudyHeader
from xdsi.model.values import CX
from xdsi.wire import kos


def arguments(parser: argparse.ArgumentParser) -> None:
    partners.add_addresses(parser)
    own = parser.add_argument_group("the imaging source")
    own.add_argument(
        "--location",
        type=options.oid,
        metavar="OID",
        help="Retrieve Location UID (imaging.unique_id of the configuration)",
    )
    making.add_place(own)
    share = parser.add_argument_group("what is shared", "beside [imaging.share]")
    for name, metavar, help_ in (
        ("only-modality", "CODE", "series of this modality; several: give it again"),
        ("without-modality", "CODE", "no series of this one"),
        ("without-class", "UID", "no instances of this SOP class"),
        ("without-description", "GLOB", "no series so described, such as '*dose report*'"),
    ):
        share.add_argument(f"--{name}", action="append", default=[], metavar=metavar, help=help_)
    share.add_argument(
        "--withdraw",
        action="store_true",
        help="deprecate the manifest of a study of which nothing is left to be shared [ITI-57]",
    )
    making.add_site(parser)
    making.add_descriptors(parser)


def section(args: argparse.Namespace) -> configuration.Imaging | None:
    """[imaging] of the configuration; None without a file or without the section.

    Raises ConfigurationError for a file that is wrong.
    """
    return options.config(args).imaging if args.config.exists() else None


@contextmanager
def publisher(args: argparse.Namespace, patient: CX | None = None) -> Iterator[Publisher]:
    """The publisher that arguments and configuration ask for. patient: of every study.

    Raises ConfigurationError.
    """
    imaging = section(args)
    location = args.location or (imaging.unique_id if imaging else None)
    if location is None:
        raise ConfigurationError(
            f"{args.config} has no [imaging] section; give --location OID of the imaging source"
        )
    with ExitStack() as stack:
        tls = partners.tls(args)
        documents = DocumentSource(partners.repository_address(args), tls)
        yield Publisher(
            stack.enter_context(documents),
            stack.enter_context(partners.consumer(args)),
            location,
            (lambda study: patient) if patient else _by_header(args, imaging),
            _making(args),
            (imaging.share if imaging else EVERYTHING, _share(args)),
            stack.enter_context(MetadataSource(partners.registry_address(args), tls))
            if args.withdraw
            else None,
        )


def _making(args: argparse.Namespace) -> kos.Making:
    """What arguments say, and where they do not what the configuration says of its source."""
    made = making.making(args)
    if args.location is None:
        node = options.config(args)
        public = node.server.public_url
        made["retrieve_ae_title"] = args.ae or (node.imaging.ae_title if node.imaging else None)
        made["retrieve_url"] = args.url or (f"{public}/dicom-web" if public else None)
    return made


def _by_header(
    args: argparse.Namespace, imaging: configuration.Imaging | None
) -> Callable[[StudyHeader], CX]:
    authorities = imaging.patient_authorities if imaging else ()
    registry = options.config(args).registry if args.config.exists() else None
    if not authorities and registry is not None:
        authorities = registry.assigning_authorities
    issuer = args.patient_issuer or (imaging.patient_issuer if imaging else "")

    def patient(study: StudyHeader) -> CX:
        return domain_patient(study, authorities, issuer)

    return patient


def _share(args: argparse.Namespace) -> Share:
    return Share(
        tuple(args.only_modality),
        tuple(args.without_modality),
        tuple(args.without_class),
        tuple(args.without_description),
    )


def line(publication: Publication, would: str = "") -> str:
    """What became of a study, in one line. would: `would be` where nothing was done."""
    words = f"{would}{publication.outcome.value}"
    match publication.outcome:
        case Outcome.NEW:
            words += f", {publication.gained} instances"
        case Outcome.REPLACED:
            words += f" (gained {publication.gained}, lost {publication.lost})"
            if len(publication.replaced) > 1:
                words += f", {len(publication.replaced)} that were current"
        case Outcome.STALE:
            names = ", ".join(publication.replaced)
            words += f": nothing is left of it; withdraw {names} with --withdraw"
    if publication.left_out:
        words += f", {publication.left_out} not shared"
    if publication.unique_id:
        words += f", manifest {publication.unique_id}"
    return f"{publication.study}: {words}"


def as_dict(publication: Publication) -> dict[str, Any]:
    """The same for programs."""
    return {
        "study": publication.study,
        "outcome": publication.outcome.name.lower(),
        "manifest": publication.unique_id or None,
        "gained": publication.gained,
        "lost": publication.lost,
        "leftOut": publication.left_out,
        "replaced": list(publication.replaced),
        "notes": list(publication.notes),
        "warnings": [f"{each.code} {each.context}" for each in publication.warnings],
    }


def remarks(publication: Publication) -> None:
    """What else there is to say, on stderr."""
    for each in publication.warnings:
        screen.finding(each)
    for note in publication.notes:
        screen.warn(f"{publication.study}: {note}")


def reason(error: Exception) -> str:
    """Why something failed, in one line."""
    found = leaves(error) if isinstance(error, ExceptionGroup) else (error,)
    texts = [
        f"{each.code} {each.context}" if isinstance(each, XDSError) else str(each) for each in found
    ]
    return " | ".join((*texts, *getattr(error, "__notes__", ())))
