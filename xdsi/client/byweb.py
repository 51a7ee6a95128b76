"""Images by WADO-RS [RAD-107], from sources that have a DICOMweb service.

A series that is wanted as a whole comes in one answer, which may hold more or fewer instances than
the manifest names; whatever it lacks, and single ones, are asked for by name.
Source: DICOM PS3.18 10.4; IMG-161, IMG-163, IMG-165; UC-105, UC-107.
"""

import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from xdsi.client.landing import Landing
from xdsi.client.wanted import Wanted
from xdsi.config import Limits
from xdsi.model.messages import Content, Octets
from xdsi.peers.wado import ACCEPT, Parts, accept, path_of
from xdsi.peers.web import Web
from xdsi.plug import ArchiveError, Call
from xdsi.standard import dicom

_WORTH = 8  # instances; fewer are asked for one by one
_MORE = 2  # times as many as the manifest names may come with a series, and be read past
_STUDIES = "/studies"


def base_of(url: str) -> str:
    """Where the service of a Retrieve URL is: what stands before /studies, if that is in it.

    "" for what is no plain http or https address (IMG-163).
    """
    base = url.strip().partition(_STUDIES)[0].rstrip("/")
    try:
        parts = urlsplit(base)
        is_plain = parts.hostname and not ("@" in parts.netloc or parts.query or parts.fragment)
    except ValueError:
        return ""
    return base if parts.scheme in ("http", "https") and is_plain else ""


def is_worth_all(wanted: Sequence[Wanted]) -> bool:
    """Whether these of one series are so much of it that all of it may come."""
    return len(wanted) >= _WORTH and len(wanted) * 4 >= wanted[0].in_series * 3


class WebSource:
    """base: of the service, see `base_of`; syntaxes: transfer syntaxes that may come"""

    def __init__(self, base: str, session: requests.Session, syntaxes: Collection[str]) -> None:
        # the disk is the bound of a document
        self._web = Web(base, session, limits=Limits(document=sys.maxsize))
        is_any = set(syntaxes) >= set(dicom.SYNTAXES_IN_USE)
        self._accepted = ACCEPT if is_any else ", ".join(map(accept, syntaxes))

    def fetch(
        self, wanted: Sequence[Wanted], landing: Landing, call: Call
    ) -> Mapping[str, ArchiveError]:
        """Let instances of one series land; why others did not, by SOP Instance UID.

        Raises what landing raises when the folder cannot take them.
        """
        if is_worth_all(wanted):
            with suppress(ArchiveError):
                self._all(wanted, landing, call)
        failed = {}
        for each in wanted:
            if each.sop_instance_uid not in landing.sizes:
                try:
                    self._one(each, landing, call)
                except ArchiveError as error:
                    failed[each.sop_instance_uid] = error.with_traceback(None)
        return failed

    def _all(self, wanted: Sequence[Wanted], landing: Landing, call: Call) -> None:
        first = wanted[0]
        path = path_of(first.study_instance_uid, first.series_instance_uid)
        most = _MORE * max(first.in_series, len(wanted))
        with closing(self._parts(path, call, most)) as parts:
            while (named := parts.next()) is not None:
                if named.uid in landing.places and named.uid not in landing.sizes:
                    _land(parts, landing)

    def _one(self, wanted: Wanted, landing: Landing, call: Call) -> None:
        uid = wanted.sop_instance_uid
        path = path_of(wanted.study_instance_uid, wanted.series_instance_uid)
        with closing(self._parts(f"{path}/instances/{uid}", call, 1)) as parts:
            named = parts.next()
            if named is None or named.uid != uid:
                raise ArchiveError("it sends another instance")
            _land(parts, landing)

    def _parts(self, path: str, call: Call, most: int) -> Parts:
        return Parts(self._web, path, self._web.streaming(call), most, self._accepted)


def _land(parts: Parts, landing: Landing) -> None:
    landing.land((Content(None, lambda: _Part(parts)),))


@dataclass(frozen=True, slots=True)
class _Part:
    """Reads the part that has come; the answer goes on behind it."""

    parts: Parts

    def read(self, n: int, /) -> Octets:
        return self.parts.read(n)

    def close(self) -> None:
        """Nothing to let go of."""
