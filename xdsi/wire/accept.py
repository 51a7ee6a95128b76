"""Accept: what a client takes, most wanted first.

Source: RFC 9110 12.5.1; DICOM PS3.18 8.3.3.1, 8.7.
"""

import re

from xdsi.model.errors import SoapFault
from xdsi.wire.media import MediaType, media_type

_RANGES = re.compile(r'(?:"(?:[^"\\]|\\.)*+"|[^,"])++')


def accepted(value: str) -> tuple[MediaType, ...]:
    """The media ranges of a header, by their q; those with q=0 and broken ones are left out.

    Nothing at all means everything.
    """
    found = []
    for text in _RANGES.findall(value):
        try:
            kind = media_type(text.strip())
            quality = float(kind.get("q") or 1)
        except (SoapFault, ValueError):
            continue
        if 0 < quality <= 1:
            params = tuple(each for each in kind.params if each[0] != "q")
            found.append((quality, MediaType(kind.type, params)))
    if not value.strip():
        return (MediaType("*/*"),)
    return tuple(kind for _, kind in sorted(found, key=lambda each: -each[0]))


def covers(accepted: str, kind: str) -> bool:
    """Whether a range such as `image/*` holds a type."""
    main, _, _ = kind.partition("/")
    return accepted in ("*/*", f"{main}/*", kind)
