"""Images over the web: by WADO-RS [RAD-107], or by WADO-URI [RAD-55] from archives without it.

By WADO-RS a series that is wanted as a whole comes in one answer, which may hold more or fewer
instances than the manifest names; whatever it lacks, and single ones, are asked for by name. By
WADO-URI all are.
Source: DICOM PS3.18 9.4, 10.4; IMG-150 to IMG-155, IMG-161, IMG-163, IMG-165; UC-105, UC-107.
"""

import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

import requests

from xdsi.client.landing import Landing
from xdsi.client.wanted import Wanted
from xdsi.config import Limits
from xdsi.model.errors import shown
from xdsi.model.messages import Content, Octets
from xdsi.peers.wado import ACCEPT, Parts, accept, path_of
from xdsi.peers.web import NotAcceptable, Web
from xdsi.plug import ArchiveError, Call
from xdsi.standard import dicom

_WORTH = 8  # instances; fewer are asked for one by one
_MORE = 2  # times as many as the manifest names may come with a series, and be read past
_STUDIES = "/studies"


class Service(NamedTuple):
    """Where a source answers. is_uri: by WADO-URI, else by WADO-RS"""

    base: str
    is_uri: bool = False

    def gives_all(self, wanted: Sequence[Wanted]) -> bool:
        """Whether these of one series are so much of it that all of it may come."""
        is_most = len(wanted) >= _WORTH and len(wanted) * 4 >= wanted[0].in_series * 3
        return is_most and not self.is_uri

    def path_of(self, wanted: Wanted, syntax: str) -> str:
        """Where an instance is, behind the base. syntax: asked for by WADO-URI, "" for none"""
        study, series = wanted.study_instance_uid, wanted.series_instance_uid
        uid = wanted.sop_instance_uid
        if not self.is_uri:
            return f"{path_of(study, series)}/instances/{uid}"
        # a widespread server takes no %2F for the slash (IMG-154)
        kind = f"contentType={dicom.MEDIA_TYPE}" + (f"&transferSyntax={syntax}" if syntax else "")
        return f"?requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={uid}&{kind}"


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


class WebSource:
    """syntaxes: transfer syntaxes that may come; by WADO-URI the first of them is asked for"""

    def __init__(
        self, service: Service, session: requests.Session, syntaxes: Collection[str]
    ) -> None:
        # the disk is the bound of a document
        self._web = Web(service.base, session, limits=Limits(document=sys.maxsize))
        self._service, self._syntaxes = service, syntaxes
        self._is_any = set(syntaxes) >= set(dicom.SYNTAXES_IN_USE)
        self._asked = "" if self._is_any else next(iter(syntaxes), "")
        if service.is_uri:
            self._accepted = dicom.MEDIA_TYPE
        else:
            self._accepted = ACCEPT if self._is_any else ", ".join(map(accept, syntaxes))

    def fetch(
        self, wanted: Sequence[Wanted], landing: Landing, call: Call
    ) -> Mapping[str, ArchiveError]:
        """Let instances of one series land; why others did not, by SOP Instance UID.

        Raises what landing raises when the folder cannot take them.
        """
        if self._service.gives_all(wanted):
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
                is_missing = named.uid in landing.places and named.uid not in landing.sizes
                if is_missing and self._may_come(named.syntax):
                    _land(parts, landing)

    def _one(self, wanted: Wanted, landing: Landing, call: Call) -> None:
        path = self._service.path_of(wanted, self._asked)
        with closing(self._parts(path, call, 1)) as parts:
            named = parts.next()
            if named is None or named.uid != wanted.sop_instance_uid:
                raise ArchiveError("it sends another instance")
            if not self._may_come(named.syntax):
                raise NotAcceptable(f"it sends transfer syntax {shown(named.syntax, 64)}")
            _land(parts, landing)

    def _may_come(self, syntax: str) -> bool:
        return self._is_any or syntax in self._syntaxes

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
