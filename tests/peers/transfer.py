"""Runs as a process of its own: one transfer through a caller, then its peak memory.

argv: `up FILE` or `down FOLDER`, then the address. Prints VmHWM in KiB, octets, seconds.
"""

import sys
import time
from pathlib import Path

from tests import samples
from xdsi.model.messages import (
    Content,
    Document,
    DocumentRequest,
    ProvideRequest,
    RetrieveRequest,
)
from xdsi.peers.caller import Caller
from xdsi.peers.session import open_session
from xdsi.peers.spool import Spool
from xdsi.plug import Call
from xdsi.standard.transactions import PROVIDE_AND_REGISTER, RETRIEVE


def up(file: Path, address: str) -> int:
    entry = samples.document_entry()
    content = Content(file.stat().st_size, lambda: file.open("rb"))
    request = ProvideRequest(
        samples.submission([entry]), (Document(str(entry.entry_uuid), content),)
    )
    with open_session() as session:
        answer = Caller(PROVIDE_AND_REGISTER, address, session)(request, Call.internal())
    assert not answer.errors
    return file.stat().st_size


def down(folder: Path, address: str) -> int:
    request = RetrieveRequest((DocumentRequest("1.2.3", "2.25.1"),))
    with open_session() as session, Spool(folder) as spool:
        answer = Caller(RETRIEVE, address, session, spool=spool)(request, Call.internal())
        (document,) = answer.documents
        assert document.content.size is not None
        return document.content.size


if __name__ == "__main__":
    begin = time.monotonic()
    octets = {"up": up, "down": down}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
    seconds = time.monotonic() - begin
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(status.partition("VmHWM:")[2].split()[0], octets, f"{seconds:.3f}")
