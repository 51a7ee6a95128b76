"""`xdsi partner list|test|patient`: other communities, and what patients are called there."""

import argparse
import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import time

from xdsi import app, gateways
from xdsi.cli import options, screen
from xdsi.config import Config, ConfigurationError, Gateway
from xdsi.model.community import SERVICES, Partner
from xdsi.model.values import CX
from xdsi.partners import Tried
from xdsi.standard import urns

HELP = "list and test other communities, and say what patients are called there"

_COLUMNS = ("patient", "community", "identifier")
# what octets become that are none of UTF-8, and what UTF-16 is full of
_NO_UTF8 = re.compile("[\0\udc80-\udcff]")


def arguments(parser: argparse.ArgumentParser) -> None:
    options.add_config(parser)
    # the option may stand on either side of the action
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--config", type=Path, default=argparse.SUPPRESS, metavar="FILE")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="list the partners", parents=[shared])
    options.add_json(listing)
    listing.set_defaults(act=_list)

    testing = actions.add_parser(
        "test", help="ask each partner a harmless question", parents=[shared]
    )
    testing.add_argument("partner", nargs="?", metavar="NAME", help="name or OID (all)")
    options.add_json(testing)
    testing.set_defaults(act=_test)

    patient = actions.add_parser("patient", help="identifiers of patients there", parents=[shared])
    of_patients = patient.add_subparsers(title="actions", metavar="ACTION", required=True)
    add = of_patients.add_parser("add", help="make one known", parents=[shared])
    add.add_argument("patient", type=options.patient, metavar="CX", help="id^^^&authority&ISO here")
    add.add_argument("partner", metavar="NAME", help="name or OID of the community")
    add.add_argument("identifier", type=options.patient, metavar="CX-THERE", help="the same there")
    add.set_defaults(act=_add)
    importing = of_patients.add_parser("import", help="make many known", parents=[shared])
    importing.add_argument(
        "file", type=Path, metavar="CSV", help=f"columns {', '.join(_COLUMNS)}; UTF-8"
    )
    importing.set_defaults(act=_import)
    remove = of_patients.add_parser("remove", help="forget one", parents=[shared])
    remove.add_argument("patient", type=options.patient, metavar="CX")
    remove.add_argument("partner", metavar="NAME", help="name or OID of the community")
    remove.set_defaults(act=_remove)
    known = of_patients.add_parser("list", help="list all", parents=[shared])
    options.add_json(known)
    known.set_defaults(act=_known)


def run(args: argparse.Namespace) -> int:
    code: int = args.act(args)
    return code


def _gateway(config: Config) -> Gateway:
    if config.gateway is None:
        raise ConfigurationError("this configuration has no [gateway] section")
    return config.gateway


def _partner(config: Config, name: str) -> Partner:
    partners = _gateway(config).partners
    home = urns.OID_PREFIX + name.removeprefix(urns.OID_PREFIX)
    found = [each for each in partners if (name and name == each.name) or home in each.homes]
    if not found:
        known = ", ".join(each.title for each in partners) or "none"
        name = name or "no name"
        raise ConfigurationError(f"{name}: no partner of this gateway; known are {known}")
    if len(found) > 1:
        homes = ", ".join(str(each.home) for each in found)
        raise ConfigurationError(f"{name}: several partners are called so; which of {homes}?")
    return found[0]


def _list(args: argparse.Namespace) -> int:
    partners = _gateway(options.config(args)).partners
    if args.json:
        screen.as_json(
            [
                {
                    "name": each.name,
                    "home": str(each.home),
                    **{service: each.address(service) for service in SERVICES},
                }
                for each in partners
            ]
        )
        return 0
    for each in partners:
        names = ", ".join(
            title for service, title in SERVICES.items() if each.address(service) is not None
        )
        screen.plain(f"{each.title}  {each.home}  {each.query}  {names}")
    if not partners:
        screen.err.print(
            "no partners yet; add [[gateway.partners]] to the configuration", markup=False
        )
    return 0


def _test(args: argparse.Namespace) -> int:
    config = options.config(args)
    section = _gateway(config)
    partners = section.partners if args.partner is None else (_partner(config, args.partner),)
    tried = [one for each in partners for one in app.try_partner(config, each)]
    if args.json:
        screen.as_json([_as_dict(each) for each in tried])
    else:
        for each in tried:
            screen.plain(_line(each))
    return 0 if all(each.is_good for each in tried) else 1


def _line(tried: Tried) -> str:
    verdict = "good" if tried.is_good else "BAD "
    seconds = "" if tried.seconds is None else f"  {tried.seconds * 1000:.0f} ms"
    about = "" if tried.certificate is None else f"  certificate {tried.certificate}"
    return (
        f"{verdict}  {tried.partner.title}  {tried.service}  {tried.address}{seconds}"
        f"  {tried.said}{about}"
    )


def _as_dict(tried: Tried) -> dict[str, object]:
    return {
        "partner": tried.partner.title,
        "service": tried.service,
        "address": tried.address,
        "good": tried.is_good,
        "milliseconds": None if tried.seconds is None else round(tried.seconds * 1000, 1),
        "said": tried.said,
        "certificate": tried.certificate,
    }


def _add(args: argparse.Namespace) -> int:
    config = options.config(args)
    partner = _partner(config, args.partner)
    _check_domains(config, partner, args.patient, args.identifier)
    app.put_identifiers(config, [(args.patient, _home(partner, args.partner), args.identifier)])
    screen.plain(f"{args.patient} is {args.identifier} for {partner.title}")
    return 0


def _home(partner: Partner, name: str) -> str:
    """That of the community which the name means: a gateway may answer for several."""
    home = urns.OID_PREFIX + name.removeprefix(urns.OID_PREFIX)
    return home if home in partner.homes else str(partner.home)


def _import(args: argparse.Namespace) -> int:
    config = options.config(args)
    good: dict[tuple[CX, str], CX] = {}
    bad = 0
    # what is no UTF-8 gets through too, so that its line is known
    with args.file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file)
        try:
            for row in _rows(reader):
                try:
                    patient, home, identifier = _read(config, row)
                    if good.setdefault((patient, home), identifier) != identifier:
                        other = good[patient, home]
                        raise ValueError(f"{patient} is {other} there on another line")
                except (ValueError, ConfigurationError, argparse.ArgumentTypeError) as error:
                    bad += 1
                    screen.fail(f"{args.file}:{reader.line_num}: {error}")
        except UnicodeError as error:
            bad += 1
            screen.fail(f"{args.file}:{reader.line_num}: {error}")
        except csv.Error as error:
            bad += 1
            screen.fail(f"{args.file}:{reader.line_num}: is no CSV: {error}")
    if bad:
        screen.fail(f"{bad} bad lines; nothing was imported")
        return 1
    app.put_identifiers(config, [(*key, identifier) for key, identifier in good.items()])
    screen.plain(f"{len(good)} identifiers imported")
    return 0


def _rows(lines: Iterable[list[str]]) -> Iterator[list[str]]:
    """Those that say something. Raises UnicodeError."""
    for line in lines:
        cells = [cell.strip() for cell in line]
        if any(map(_NO_UTF8.search, cells)):
            raise UnicodeError("is no UTF-8; save it as UTF-8")
        if any(cells) and tuple(cells) != _COLUMNS:
            yield cells


def _read(config: Config, row: list[str]) -> tuple[CX, str, CX]:
    if len(row) != len(_COLUMNS):
        raise ValueError(f"expected {len(_COLUMNS)} columns, got {len(row)}")
    here, name, there = row
    patient, identifier = options.patient(here), options.patient(there)
    partner = _partner(config, name)
    _check_domains(config, partner, patient, identifier)
    return patient, _home(partner, name), identifier


def _check_domains(config: Config, partner: Partner, patient: CX, identifier: CX) -> None:
    """Raises ConfigurationError for what looks exchanged, as far as the own domains are known."""
    own = gateways.domains(config)
    if own and patient.authority not in own:
        raise ConfigurationError(f"{patient} is of no domain of this registry, {', '.join(own)}")
    if identifier.authority in own and identifier.authority not in partner.domains:
        raise ConfigurationError(
            f"{identifier} is of a domain of this registry; is it exchanged with the one there?"
        )


def _remove(args: argparse.Namespace) -> int:
    config = options.config(args)
    partner = _partner(config, args.partner)
    if not app.remove_identifier(config, args.patient, _home(partner, args.partner)):
        screen.fail(f"{args.patient} has no identifier for {partner.title}")
        return 1
    screen.plain(f"{args.patient}: forgotten for {partner.title}")
    return 0


def _known(args: argparse.Namespace) -> int:
    found = app.list_identifiers(options.config(args))
    if args.json:
        screen.as_json(
            [
                {
                    "patient": str(each.patient),
                    "community": str(each.community),
                    "identifier": str(each.identifier),
                    "source": each.source,
                    "expires": each.expires,
                    "degree": each.degree,
                    "locator": each.is_locator,
                }
                for each in found
            ]
        )
        return 0
    now = time()
    for each in found:
        words = [str(each.patient), str(each.community), str(each.identifier), each.source]
        words += ["expired"] * each.is_expired(now) + ["knows of others"] * each.is_locator
        screen.plain("  ".join(words))
    return 0
