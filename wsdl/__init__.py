"""The contracts this node serves: WSDL and schema files, hand-written, installed as `xdsi.wsdl`.

`GET <endpoint>?wsdl` is answered with `document`, `GET <endpoint>?xsd=NAME` with `schema`. The
files in this folder refer to each other by bare names, so that they load from disk as they are;
what is served refers to the endpoint instead. Names are looked up in a fixed table: nothing a
client sends reaches the file system.
Source: ITI TF-2 V.3.2.1 (WS-070 to WS-073).
"""

import html
import re
from functools import cache, lru_cache
from importlib import resources

# what stands in the folder, by the name it is asked for
DOCUMENTS = {
    "registry": "registry.wsdl",
    "repository": "repository.wsdl",
    "imaging": "imaging.wsdl",
    "gateway-responding": "gateway-responding.wsdl",
    "gateway-initiating": "gateway-initiating.wsdl",
}
SCHEMAS = frozenset(
    f"{name}.xsd" for name in "rim rs lcm query xds-b xdsi-b wado-ws xml hl7v3".split()
)

_ADDRESS = re.compile(r'(<soap12:address location=")[^"]*(")')
_REFERENCE = re.compile(r'(schemaLocation=")([^"]*)(")')


@lru_cache(maxsize=64)
def document(name: str, address: str) -> bytes:
    """The WSDL of an actor, as served at its endpoint.

    name: a key of `DOCUMENTS`
    address: the endpoint's public URL without query, as the configuration has it
    Raises KeyError for another name, ValueError for an address no XML could carry.
    """
    location = _attribute(address)
    text = _ADDRESS.sub(lambda found: found[1] + location + found[2], _text(DOCUMENTS[name]))
    return _referring(text, location).encode()


@lru_cache(maxsize=64)
def schema(name: str, address: str = "") -> bytes | None:
    """A schema file as served beside a WSDL; None for any name not in `SCHEMAS`.

    address: as in `document`. Without it the files refer to each other by `?xsd=NAME` alone,
    which RFC 3986 resolves rightly; clients built on RFC 2396 (java.net.URI) need the address.
    """
    if name not in SCHEMAS:
        return None
    return _referring(_text(name), _attribute(address)).encode()


@cache
def _text(file_name: str) -> str:
    return resources.files(__name__).joinpath(file_name).read_text(encoding="utf-8")


def _referring(text: str, location: str) -> str:
    """The text with every reference to a schema file leading to the endpoint."""
    return _REFERENCE.sub(lambda found: f"{found[1]}{location}?xsd={found[2]}{found[3]}", text)


def _attribute(address: str) -> str:
    if not address.isprintable():
        raise ValueError("an endpoint address must not hold control characters")
    return html.escape(address, quote=True)
