"""HL7 v2 messages of an invented patient identity source, and a plain MLLP connection.

message = adt("A01", "77^^^&1.2.3&ISO")          # all that PIF-013 and PIF-020 demand
with Mllp(port) as feed: assert feed.ask(message).code == "AA"
"""

import socket
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from uuid import uuid4

import hl7

from xdsi.wire.mllp import END, START

SENDER = "INVENTED_ADT|INVENTED_HOSPITAL"


def msh(event: str, **fields: str) -> str:
    """The header; `f10="..."` sets MSH-10."""
    application, facility = SENDER.split("|")
    values = {
        3: application,
        4: facility,
        5: "XDSI",
        6: "REGISTRY",
        7: "20261124120000",
        9: f"ADT^{event}",
        10: uuid4().hex[:20],
        11: "P",
        12: "2.3.1",
        **{int(name[1:]): value for name, value in fields.items()},
    }
    tail = "|".join(values.get(number, "") for number in range(3, max(values) + 1))
    return "MSH|^~\\&|" + tail


def adt(
    event: str, ids: str, *, mrg: str | None = None, name: str = "Example^Patient", **fields: str
) -> str:
    """A message with PID-3 = ids, and with MRG-1 = mrg in a merge."""
    pid = f"PID|||{ids}||{name}||19700101|F|||1 Invented Street^^Town^^1010^AT"
    merging = [] if mrg is None else [f"MRG|{mrg}"]
    lines = [msh(event, **fields), f"EVN|{event}|20261124120000", pid, *merging, "PV1||O"]
    return "".join(line + "\r" for line in lines)


@dataclass(frozen=True, slots=True)
class Ack:
    """An acknowledgement as the library reads it."""

    message: hl7.Message

    @property
    def code(self) -> str:
        return str(self.message.segment("MSA")(1))

    @property
    def control_id(self) -> str:
        return str(self.message.segment("MSA")(2))

    @property
    def conditions(self) -> list[tuple[str, str]]:
        """ERR-2 and the number in ERR-3, of each."""
        found = [each for each in self.message if str(each[0]) == "ERR"]
        return [(str(each(2)), str(each(3)).split("^")[0]) for each in found]

    @property
    def text(self) -> str:
        return str(self.message)


class Mllp:
    """One connection of a source."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        if context is not None:
            plain = self.socket
            try:
                self.socket = context.wrap_socket(plain, server_hostname="localhost")
            except OSError:
                plain.close()
                raise
        self.held = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> Ack | None:
        """The next answer; None when the connection ended instead."""
        while END not in self.held:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                assert self.held == b""
                return None
            self.held += data
        message, _, self.held = self.held.partition(END)
        assert message.startswith(START)
        return Ack(hl7.parse(message[1:].decode()))

    def ask(self, message: str) -> Ack:
        self.send(START + message.encode() + END)
        answer = self.receive()
        assert answer is not None, "the connection was closed"
        return answer

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
