"""`xdsi replay FILE`: send a recorded exchange again and compare the answers."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urljoin

import requests

from xdsi.cli import options, partners, screen
from xdsi.client import NoAnswer
from xdsi.config import ConfigurationError, Limits
from xdsi.model.errors import SoapFault
from xdsi.peers.incoming import Incoming, Kept, xml_limits
from xdsi.peers.session import Patience, open_session, post
from xdsi.plug import CODECS
from xdsi.server.record import Recorded, load, message
from xdsi.standard.transactions import HL7_V3
from xdsi.wire import ebrs, media, safexml, soap
from xdsi.wire.soap import ReceivedFault

HELP = "send an exchange that `serve --record` kept once more, and compare the answers"
# answers without a status of ebXML
_READ = {row.answer_tag: CODECS[row.id].read_answer for row in HL7_V3}
_SECONDS, _CONNECT_SECONDS = 120.0, 5.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What an answer says: HTTP status, status in a word, one line for each finding."""

    http: int
    status: str
    findings: tuple[str, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """The error codes, which tell whether two answers say the same."""
        return tuple(each.partition(":")[0] for each in self.findings)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="one file of the record's folder")
    group = parser.add_argument_group("whom to ask", "a configuration of ours, or an address")
    options.add_config(group)
    group.add_argument(
        "--to",
        type=options.address,
        metavar="URL",
        help="address (the path of the record, on the configured node)",
    )
    partners.add_tls(group)
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    try:
        recorded = load(args.file)
        content_type, body = message(recorded)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    address = args.to or _address(args, recorded)
    try:
        with open_session(partners.tls(args)) as session:
            patience = Patience(monotonic() + _SECONDS, _SECONDS)
            headers = {"Content-Type": content_type}
            answer = post(session, address, body, headers, patience, _CONNECT_SECONDS)
            content = answer.content
    except (TimeoutError, requests.RequestException) as error:
        raise NoAnswer(address, _reason(error)) from error
    then = Seen(recorded.facts["http"], recorded.facts["status"], tuple(recorded.facts["findings"]))
    now = seen(answer.status_code, answer.headers, content)
    is_same = (then.http, then.status, then.codes) == (now.http, now.status, now.codes)
    if args.json:
        screen.as_json({"same": is_same, "then": _as_dict(then), "now": _as_dict(now)})
    else:
        for name, each in (("then", then), ("now", now)):
            screen.say(f"[bold]{name:<4}[/bold]  HTTP {each.http} {screen.escape(each.status)}")
            for line in each.findings:
                screen.plain(f"  {line}")
        screen.say("the same" if is_same else "[yellow]different[/yellow]")
    return 0 if is_same else 1


def _address(args: argparse.Namespace, recorded: Recorded) -> str:
    path = recorded.head.split(b" ", 2)[1].decode("ascii")
    return urljoin(partners.base_address(args), path)


def _reason(error: Exception) -> str:
    inner: BaseException = error
    while (cause := inner.__cause__ or inner.__context__) is not None:
        inner = cause
    return getattr(inner, "strerror", None) or str(inner)


def seen(http: int, headers: Mapping[str, str], body: bytes) -> Seen:
    """What the answer says; documents in it are not looked at."""
    limits = Limits()
    try:
        incoming = Incoming(
            media.media_type(headers.get("Content-Type", "")),
            Kept(None),
            limits,
            documents=max(limits.retrieve_documents, limits.imaging_documents),
            may_hold_documents=True,
        )
        incoming.feed(body)
        incoming.close()
        root = safexml.parse(
            incoming.envelope or b"", charset=incoming.charset, limits=xml_limits(limits)
        )
        envelope = soap.read_response(root)
    except ReceivedFault as fault:
        return Seen(http, "Fault", (str(fault),))
    except SoapFault:
        first = body[:200].decode("utf-8", "replace").strip().partition("\n")[0]
        return Seen(http, "refused", (first,))
    return Seen(http, *_outcome(envelope.body))


def _outcome(body: Any) -> tuple[str, tuple[str, ...]]:
    if (read := _READ.get(body.tag)) is not None:
        answer = read(body, {})
        return answer.status, tuple(f"{each.code}: {each.context}" for each in answer.errors)
    response = body if body.get("status") else next(iter(body), body)
    status = str(response.get("status", "")).rpartition(":")[2]
    found = ebrs.errors_of(response)
    return status, tuple(
        f"{each.code}: {each.context}" + (f" at {each.location}" if each.location else "")
        for each in found
    )


def _as_dict(answer: Seen) -> dict[str, Any]:
    return {"http": answer.http, "status": answer.status, "findings": list(answer.findings)}
