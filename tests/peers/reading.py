"""Runs as a process of its own: reads one instance of an archive, then tells its peak memory.

argv: address, number of the instance. Prints VmHWM in octets.
"""

import sys
from pathlib import Path

from tests.peers.pacs import held
from xdsi.peers.dicomweb import DicomWebArchive
from xdsi.peers.session import open_session
from xdsi.peers.web import Web
from xdsi.plug import Call

if __name__ == "__main__":
    archive = DicomWebArchive(Web(sys.argv[1], open_session()))
    reader = archive.open(held(int(sys.argv[2])), Call.internal()).open()
    while reader.read(1 << 20):
        pass
    reader.close()
    archive.close()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(int(status.partition("VmHWM:")[2].split()[0]) * 1024)
