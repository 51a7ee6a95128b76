"""The binding of a transaction, as zeep reads it from our own contracts.

zeep parses a contract once per process. Its envelopes are not used: they cost milliseconds and
hold documents in memory. Plugins still see the head of each request and each answer's envelope.
Source: design.md section 4, zeep.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
import zeep
from zeep.plugins import Plugin, apply_egress, apply_ingress
from zeep.transports import Transport
from zeep.wsdl.utils import etree_to_string

import xdsi.wsdl as wsdl
from xdsi.wire import safexml, soap

_BASE = "http://contracts.invalid/"  # a name that leads nowhere: everything is in the package


class _Kept(Transport):
    """zeep's transport over our session, contracts from the package.

    Its own constructor would open a way to local files and put its name on every request.
    """

    def __init__(self, session: requests.Session) -> None:
        self.session, self.cache, self._close_session = session, None, False

    def load(self, url: str) -> bytes:
        found: bytes | None = wsdl.schema(parse_qs(urlsplit(url).query).get("xsd", [""])[0], _BASE)
        if found is None:
            raise LookupError(f"{url} is not in the package")
        return found


@cache
def _contract(name: str) -> zeep.wsdl.Document:
    source: Any = BytesIO(wsdl.document(name, _BASE))
    loader: Any = _Kept(requests.Session())
    return zeep.wsdl.Document(source, loader, base=_BASE)


@dataclass(frozen=True, slots=True)
class Binding:
    """One operation at one address.

    action, soap_action: what the contract demands of wsa:Action and of the transport
    """

    address: str
    action: str
    soap_action: str
    _client: zeep.Client = field(repr=False)
    _operation: Any = field(repr=False)

    @property
    def session(self) -> requests.Session:
        """The kept connections."""
        kept: requests.Session = self._client.transport.session
        return kept

    @property
    def has_plugins(self) -> bool:
        """Somebody else looks at the messages."""
        return bool(self._client.plugins)

    def egress(self, head: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        """What the plugins make of the open envelope `head` and of the HTTP headers."""
        if not self.has_plugins:
            return head, headers
        envelope = safexml.parse(head + soap.CLOSE_ENVELOPE)
        envelope, headers = apply_egress(
            self._client, envelope, headers, self._operation, {"address": self.address}
        )
        written: bytes = etree_to_string(envelope)
        before, found, _ = written.rpartition(b"<env:Body/>")
        if not found:
            raise ValueError("a plugin must leave the body of the envelope alone")
        return before + b"<env:Body>", headers

    def ingress(self, envelope: Any, headers: Any) -> Any:
        """What the plugins make of an answer's envelope."""
        envelope, _ = apply_ingress(self._client, envelope, headers, self._operation)
        return envelope


def bind(
    operation: str, address: str, session: requests.Session, plugins: Sequence[Plugin] = ()
) -> Binding:
    """The binding of an operation named in one of our contracts.

    Raises LookupError for an operation that none of them has.
    """
    for name in sorted(wsdl.DOCUMENTS):
        document = _contract(name)
        for bound in document.bindings.values():
            if operation in bound.all():
                client = zeep.Client(document, transport=_Kept(session), plugins=list(plugins))
                found = bound.get(operation)
                return Binding(address, found.abstract.wsa_action, found.soapaction, client, found)
    raise LookupError(f"no contract has the operation {operation}")
