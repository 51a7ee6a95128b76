"""A TCP relay between a repository and its registry that can lose answers."""

import socket
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType


class Relay:
    """Passes everything on, until it is told to lose answers.

    loses: while set, what the far side answers is thrown away and both connections are ended;
    the request has arrived by then. lost: set once that has happened
    holds: while set, answers are thrown away and the connections stay open
    """

    def __init__(self, port: int) -> None:
        self.far = ("127.0.0.1", port)
        self.loses, self.lost, self.holds = Event(), Event(), Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._open: list[socket.socket] = []
        self._threads[0].start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.far, 5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            self._open += near, far
            for source, target, is_answer in ((near, far, False), (far, near, True)):
                thread = Thread(target=self._pass, args=(source, target, is_answer), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if is_answer and self.loses.is_set():
                    self.lost.set()
                    break
                if is_answer and self.holds.is_set():
                    continue
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> "Relay":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for each in self._open:
            each.close()
