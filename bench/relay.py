"""A byte relay by hand: what stands before a server and looks at nothing but the length.

python -m bench.relay PORT     passes each request on to that port; prints its own port
"""

import socket
import sys
import threading

from bench.measure import MIB
from bench.transfer import head_and_body, length_of, rest_of


def serve(port: int) -> None:
    """One thread a connection, one request each."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_one, args=(connection, port), daemon=True).start()


def _one(connection: socket.socket, port: int) -> None:
    with connection, socket.create_connection(("127.0.0.1", port)) as server:
        asked, body = head_and_body(connection)
        while len(body) < (length_of(asked) or 0):
            body += connection.recv(MIB)
        server.sendall(asked + b"\r\n\r\n" + body)
        head, body = head_and_body(server)
        connection.sendall(head + b"\r\n\r\n" + body)
        for block in rest_of(server, head, body):
            connection.sendall(block)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
