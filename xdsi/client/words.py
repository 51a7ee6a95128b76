"""Why an instance is missing, in words for those who wait for it (UC-107)."""

from types import MappingProxyType

from xdsi.model.errors import XDSError
from xdsi.peers.errors import PeerError
from xdsi.peers.web import NotAcceptable, NotThere
from xdsi.plug import ArchiveBusy, ArchiveError

NO_UID = "the manifest names it, its series or its study by no UID"
NOT_LISTED = "a key object note names it, but the manifest does not"
NOTHING_SAID = "the source answered, but neither sent it nor said why"

# error code -> what it means to somebody who asked for an image (imaging.md 3.5)
_MEANINGS = MappingProxyType(
    {
        "XDSDocumentUniqueIdError": "the source has it no longer, or not in this series",
        "XDSUnknownRepositoryId": "whoever answered is not the source that the manifest names",
        "XDSRepositoryError": "the source has it, but cannot send it like this",
        "XDSRepositoryBusy": "the source needs more time; ask again later",
        "XDSRepositoryOutOfResources": "the source is out of room; ask again later",
        "XDSTooManyResults": "too much was asked for at once",
        "XDSUnknownCommunity": "the gateway does not know the country it lies in",
        "XDSUnavailableCommunity": "the country it lies in does not answer; ask again later",
        "XDSMissingHomeCommunityId": "the gateway was not told in which country it lies",
        "urn:dicom:wado:0003": "the source has it in a slow archive; ask again later",
        "urn:dicom:wado:0004": "the source has it no longer",
        "urn:dicom:wado:0006": "the source cannot send it in a transfer syntax asked for",
        "urn:dicom:wado:0007": "the source cannot send it in a transfer syntax asked for",
    }
)


def reason(error: XDSError) -> str:
    """What an error of the source means."""
    if "[XC-070]" in error.context:  # a gateway says so of what lies behind it
        return "its source does not answer there; ask again later"
    return _MEANINGS.get(error.code, "the source refused it")


def web_reason(error: ArchiveError) -> str:
    """What a WADO service means."""
    if isinstance(error, NotThere):
        return _MEANINGS["XDSDocumentUniqueIdError"]
    if isinstance(error, ArchiveBusy):
        return _MEANINGS["XDSRepositoryBusy"]
    if isinstance(error, NotAcceptable):
        return _MEANINGS["urn:dicom:wado:0006"]
    return f"no whole answer from the source: {error}"


def no_answer(error: PeerError) -> str:
    """Why nothing came at all."""
    return f"no whole answer from the source: {error}"


def no_address(source: str) -> str:
    """Nobody knows where to ask."""
    if not source:
        return "the manifest does not say where it is"
    return f"no address is known of its source {source}"
