"""How manifests are made: arguments that `manifest make`, `publish` and `watch` share."""

import argparse

from xdsi.cli import options
from xdsi.standard import mado
from xdsi.wire import kos


def add_place(group: argparse._ActionsContainer) -> None:
    group.add_argument("--ae", metavar="TITLE", help="its AE title")
    group.add_argument("--url", type=options.address, metavar="URL", help="base of its WADO-RS")


def add_site(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what the images do not say")
    group.add_argument("--institution", default="", metavar="NAME", help="that makes the manifest")
    group.add_argument("--institution-oid", type=options.oid, metavar="OID")
    group.add_argument("--timezone", default="+0000", metavar="+HHMM", help="of the images")
    for name, whose in (
        ("patient", "a Patient ID"),
        ("accession", "an accession number"),
        ("order", "a placer order number"),
    ):
        group.add_argument(
            f"--{name}-issuer",
            type=options.oid,
            metavar="OID",
            help=f"of {whose} that comes without",
        )
    group.add_argument("--uid-root", type=options.oid, metavar="OID", help="of new UIDs (2.25)")


def add_descriptors(parser: argparse.ArgumentParser) -> None:
    described = parser.add_argument_group("descriptors of study, series and instances (MADO)")
    described.add_argument("--mado", action="store_true", help="write them")
    described.add_argument(
        "--dialect", choices=tuple(mado.DIALECTS), default="trial", help="codes used (trial)"
    )
    described.add_argument(
        "--title",
        type=options.code,
        metavar="CODE^SCHEME^MEANING",
        help="of the manifest, where the dialect has none yet",
    )
    described.add_argument(
        "--viewer", type=options.address, metavar="URL", help="to look at the study"
    )


def making(args: argparse.Namespace) -> kos.Making:
    """What these arguments say."""
    dialect = mado.DIALECTS[args.dialect] if args.mado else None
    if dialect and args.title:
        title = mado.Concept(*map(str, (args.title.code, args.title.scheme, args.title.display)))
        dialect = dialect._replace(title=title)
    return kos.Making(
        retrieve_ae_title=args.ae,
        retrieve_url=args.url,
        uid_root=args.uid_root,
        site=kos.Site(
            institution_name=args.institution,
            institution_oid=args.institution_oid or "",
            timezone=args.timezone,
            patient_id_issuer=args.patient_issuer or "",
            accession_issuer=args.accession_issuer or "",
            order_issuer=args.order_issuer or "",
        ),
        mado=dialect,
        viewer_url=args.viewer or "",
    )
