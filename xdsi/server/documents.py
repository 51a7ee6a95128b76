"""Documents that come with a request, in the staging of the actor that takes them.

Source: SEC-T-018, SEC-T-040.
"""

from xdsi.config import Limits
from xdsi.model.errors import SoapFault, XDSError, XDSRepositoryError
from xdsi.model.messages import Octets, Staged, as_bytes
from xdsi.plug import Actor, StagingFile


class Documents:
    """The documents of one request in staging. Used by one worker thread at a time.

    refusal: why they are not kept; once it is set, content is read past
    """

    def __init__(self, actor: Actor, limits: Limits) -> None:
        self.parts: dict[str, Staged] = {}
        self.refusal: XDSError | None = None
        self.is_wanted = actor.staging is not None
        self._actor, self._limits = actor, limits
        self._file: StagingFile | None = None
        self._cid = ""
        self._size = 0
        self._total = 0
        # octets that may still come and belong to no document
        self._left = limits.envelope if actor.staging is None else limits.submission

    def start(self, cid: str) -> None:
        """A document begins."""
        self._cid, self._size = cid, 0
        if not self.is_wanted or self.refusal is not None:
            return
        assert self._actor.staging is not None  # noqa: S101 - else nothing is wanted
        try:
            if self._actor.admit is not None and not self.parts:
                self._actor.admit()
            self._file = self._actor.staging.create()
        except XDSError as error:
            self.refusal = error.with_traceback(None)

    def write(self, data: Octets) -> None:
        """The next octets of it.

        Raises SoapFault when too much comes that nobody wants.
        """
        self._size += len(data)
        self._total += len(data)
        if self._file is None:
            self._left -= len(data)
            if self._left < 0:
                raise SoapFault("Sender", "too much content that no document needs; send less")
            return
        limits = self._limits
        if self._size > limits.document:
            self._refuse(_too_large("document", limits.document, self._cid))
        elif self._total > limits.submission:
            self._refuse(_too_large("submission", limits.submission, self._cid))
        else:
            try:
                self._file.write(as_bytes(data))
            except XDSError as error:
                self._file, self.refusal = None, error

    def end(self) -> None:
        """It is complete."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            self.parts[self._cid] = file.finish()
        except XDSError as error:
            self.refusal = error.with_traceback(None)

    def discard(self) -> None:
        """Nothing stays that no handler has published. Never raises."""
        if self._file is not None:
            self._file.discard()
            self._file = None
        if self.parts and self._actor.staging is not None:
            self._actor.staging.discard(tuple(self.parts.values()))

    def _refuse(self, error: XDSError) -> None:
        if self._file is not None:
            self._file.discard()
        self._file, self.refusal = None, error


def _too_large(what: str, limit: int, cid: str) -> XDSError:
    return XDSRepositoryError(
        what, f"above the limit of {limit} octets; send less", value=cid, rule="SEC-T-040"
    )
