"""`xdsi submit FILE...`: documents into the domain [ITI-41]."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from xdsi.cli import options, partners, screen, show
from xdsi.client import DocumentSource, compose
from xdsi.config import ConfigurationError
from xdsi.model.errors import XDSError, leaves
from xdsi.model.manifest import IssuedId
from xdsi.model.messages import Content, Octets, ProvideRequest, Reader
from xdsi.model.objects import Code
from xdsi.model.values import OID, is_oid
from xdsi.standard import anatomy
from xdsi.standard.dicom import MODALITIES

HELP = "submit documents [ITI-41]; metadata comes from the CDA, KOS, DICOM or PDF file itself"

_DEFAULT_SOURCE = "2.25.99999999999999999999999999999999999999"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    partners.add_addresses(parser, registry=False)
    options.add_patient(parser)
    parser.add_argument("--dry-run", action="store_true", help="show the metadata, send nothing")
    options.add_json(parser)
    own = parser.add_argument_group("metadata", "wins over what the document says")
    own.add_argument(
        "--source-id",
        type=options.oid,
        metavar="OID",
        default=_DEFAULT_SOURCE,
        help="of this system",
    )
    own.add_argument(
        "--source-patient",
        type=options.patient,
        metavar="CX",
        help="patient identifier at this system (that of the document)",
    )
    own.add_argument("--title")
    own.add_argument("--language", type=options.language, metavar="TAG", help="such as de-AT")
    own.add_argument("--author", metavar="XCN", help="person, ^Family^Given")
    own.add_argument("--institution", metavar="XON", help="of the author")
    own.add_argument("--study", type=options.oid, metavar="UID", help="imaging study it belongs to")
    own.add_argument(
        "--accession",
        type=accession,
        metavar="NUMBER^OID",
        help="accession number with the OID of who gave it",
    )
    own.add_argument(
        "--modality",
        action="append",
        choices=sorted(MODALITIES),
        default=[],
        metavar="CODE",
        help="of that study, such as CT; several: give it again",
    )
    own.add_argument(
        "--body-part",
        action="append",
        type=body_part,
        default=[],
        metavar="TERM",
        help="DICOM Body Part Examined, such as HEAD; several: give it again",
    )
    own.add_argument(
        "--service-start", type=options.dtm, metavar="DTM", help="start of the examination, UTC"
    )
    own.add_argument(
        "--replace", type=options.uuid, metavar="ENTRYUUID", help="entry that the document replaces"
    )
    own.add_argument(
        "--code",
        action="append",
        type=coded,
        default=[],
        metavar="ATTRIBUTE=CODE^SCHEME^DISPLAY",
        help="one of " + ", ".join(compose.CODED),
    )


def accession(text: str) -> IssuedId:
    """For argparse: NUMBER^OID, the OID may be missing."""
    number, separator, issuer = text.partition("^")
    if not number or (separator and not is_oid(issuer)):
        raise argparse.ArgumentTypeError(f"expected NUMBER^OID, got '{text}'")
    return IssuedId(number, "", issuer, "ISO")


def body_part(text: str) -> str:
    """For argparse: a DICOM Body Part Examined."""
    if anatomy.body_part(text) is None:
        raise argparse.ArgumentTypeError(f"expected a term such as HEAD, got '{text}'")
    return text


def coded(text: str) -> tuple[str, Code]:
    """For argparse: ATTRIBUTE=CODE^SCHEME^DISPLAY."""
    name, _, rest = text.partition("=")
    if name not in compose.CODED:
        raise argparse.ArgumentTypeError(
            f"expected one of {', '.join(compose.CODED)}, got '{name}'"
        )
    return name, options.code(rest)


def run(args: argparse.Namespace) -> int:
    try:
        request = compose.provide_request(args.files, wishes(args), remark=screen.fail)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    if args.dry_run:
        _tell(args, request)
        return 0
    sizes = [each.content.size or 0 for each in request.documents]
    with (
        DocumentSource(partners.repository_address(args), partners.tls(args)) as source,
        screen.progress("sending", sum(sizes)) as moved,
    ):
        try:
            warnings = source.provide(_watched(request, moved))
        except ExceptionGroup as error:
            _refused(args, request, error)
    for each in warnings:
        screen.finding(each)
    _tell(args, request)
    return 0


def wishes(args: argparse.Namespace) -> compose.Wishes:
    """What the options add."""
    return compose.Wishes(
        patient=args.patient,
        source_id=OID(args.source_id),
        source_patient=args.source_patient,
        title=args.title,
        language=args.language,
        author=args.author,
        institution=args.institution,
        codes=dict(args.code),
        reference=compose.Reference(
            args.study or "", args.accession, tuple(args.modality), tuple(args.body_part)
        ),
        service_start=args.service_start,
        replaces=(args.replace,) if args.replace else (),
    )


class _Watched:
    """A reader that tells how far it has come."""

    def __init__(self, reader: Reader, moved: Callable[[int], None]) -> None:
        self._reader, self._moved = reader, moved

    def read(self, n: int, /) -> Octets:
        data = self._reader.read(n)
        self._moved(len(data))
        return data

    def close(self) -> None:
        self._reader.close()


def _watched(request: ProvideRequest, moved: Callable[[int], None]) -> ProvideRequest:
    def content(of: Content) -> Content:
        return of._replace(open=lambda: _Watched(of.open(), moved))

    documents = tuple(
        replace(each, content=content(each.content)) if isinstance(each.content, Content) else each
        for each in request.documents
    )
    return replace(request, documents=documents)


def _refused(
    args: argparse.Namespace, request: ProvideRequest, error: ExceptionGroup[Exception]
) -> NoReturn:
    """Raise the errors again, each with the name of the file it is about where one can tell."""
    if len(args.files) > 1:
        for file, entry in zip(args.files, request.submission.entries, strict=True):
            for each in leaves(error):
                names = (entry.entry_uuid, str(entry.unique_id))
                if isinstance(each, XDSError) and (
                    each.location in names or any(name in each.context for name in names)
                ):
                    each.add_note(file.name)
    raise error


def _tell(args: argparse.Namespace, request: ProvideRequest) -> None:
    entries = request.submission.entries
    if args.json:
        screen.as_json(
            {
                "submitted": not args.dry_run,
                "submissionSet": str(request.submission.submission_set.unique_id),
                "documents": [show.entry_as_dict(each) for each in entries],
            }
        )
        return
    rows = show.details if args.dry_run else show.summary
    for file, entry in zip(args.files, entries, strict=True):
        screen.block(file.name, rows(entry))
    verb = "would submit" if args.dry_run else "submitted"
    screen.plain(f"{verb} {len(entries)} document(s) for {args.patient}")
