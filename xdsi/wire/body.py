"""The Body of an envelope as pieces: XML text and the documents between it.

In MTOM packaging a document becomes an xop:Include and a MIME part, in simple SOAP its base64
text (WS-052); codecs need not know which.
"""

from collections.abc import Mapping
from typing import NamedTuple

from lxml import etree

from xdsi.model.messages import Content, Staged

Element = etree._Element


class Attachment(NamedTuple):
    """A document inside a Body. mime_type: of the stored entry, for the part's Content-Type."""

    content: Content
    mime_type: str


# UTF-8 XML with its namespaces declared, and documents at their place
Body = tuple[bytes | Attachment, ...]

# what came beside the root part, by Content-ID without angle brackets
Parts = Mapping[str, Staged]
