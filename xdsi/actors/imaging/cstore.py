"""C-STORE and C-ECHO: instances from modalities and archives [DICOM PS3.4 B, PS3.7 9.1.1].

pynetdicom speaks the protocol. A data set goes to the staging area as it comes, behind a group
0002 of ours, and is then kept like any other file; the answer follows when it is durable. The
connection is plain TCP, so only loopback and the peers of the configuration are let in.
"""

import io
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_network
from threading import Lock, Thread
from typing import Any

import pynetdicom
from pydicom.dataset import Dataset
from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from xdsi import config
from xdsi.actors.imaging.peers import check, is_peer
from xdsi.actors.imaging.store import ImageStore
from xdsi.config import ConfigurationError, Limits
from xdsi.files.staging import IncomingDocument
from xdsi.model.errors import (
    XDSError,
    XDSRepositoryBusy,
    XDSRepositoryOutOfResources,
    shown,
)
from xdsi.model.imaging import HeldInstance
from xdsi.plug import Call
from xdsi.standard import dicom
from xdsi.wire.dicommeta import file_head

_log = logging.getLogger("xdsi.imaging")

# Where a sender leaves the choice: what every reader can read, before what it would have to encode.
_SYNTAXES = (
    dicom.EXPLICIT_LITTLE_ENDIAN,
    *(
        uid
        for uid in AllTransferSyntaxes
        if uid not in (dicom.EXPLICIT_LITTLE_ENDIAN, dicom.IMPLICIT_LITTLE_ENDIAN)
    ),
    dicom.IMPLICIT_LITTLE_ENDIAN,
)
_PDU = 128 << 10  # octets of one PDU that a sender is told
_LARGEST_PDU = 1 << 20  # octets of one that is read all the same: an association request is long
_COMMENT = 64  # characters of an Error Comment (LO)
_WAITING = 2  # messages of one association that came before the answer to the one in front
_NEGOTIATION = 10.0  # seconds for a request, and for a sender to close what it has ended
_PATIENCE = 5.0  # seconds for what is being received when the node stops


@contextmanager
def running(
    store: ImageStore, settings: config.Imaging, port: int, limits: Limits
) -> Iterator[int]:
    """Take instances while it is entered; gives the port it listens on.

    port: of the settings; 0: a free one. Raises ConfigurationError when it cannot listen.
    """
    check(settings)
    pynetdicom._config.LOG_HANDLER_LEVEL = "none"  # it would describe every message at length
    ae = AE(settings.ae_title)
    for context in AllStoragePresentationContexts:
        ae.add_supported_context(str(context.abstract_syntax), list(_SYNTAXES))
    ae.add_supported_context(Verification, list(_SYNTAXES[:1]) + list(_SYNTAXES[-1:]))
    ae.maximum_pdu_size = _PDU
    ae.maximum_associations = limits.dicom_associations
    ae.network_timeout = ae.dimse_timeout = limits.dicom_idle
    ae.acse_timeout = min(_NEGOTIATION, limits.dicom_idle)
    # Images for another archive that arrive here are a mistake somebody should be told of.
    ae.require_called_aet = True
    ae.require_calling_aet = list(settings.dicom_senders)
    receiving = _Receiving(store, limits)
    try:
        server = ae.make_server(
            (settings.dicom_host, port),
            evt_handlers=[
                (evt.EVT_CONN_OPEN, receiving.begin),
                (evt.EVT_C_STORE, receiving.stored),
            ],
            server_class=_Server,
            peers=settings.dicom_peers,
        )
    except OSError as error:
        raise ConfigurationError(
            f"imaging.dicom_port: cannot listen on {settings.dicom_host}:{port}: "
            f"{error.strerror}; choose another host or port"
        ) from error
    ae._servers.append(server)
    thread = Thread(target=server.serve_forever, args=(0.1,), name="dicom", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        receiving.finish(ae)


class _Server(ThreadedAssociationServer):
    """Lets loopback and the named peers in. Several processes may listen on one port."""

    def __init__(self, *args: Any, peers: tuple[str, ...], **options: Any) -> None:
        self._peers = tuple(map(ip_network, peers))
        super().__init__(*args, **options)

    def server_bind(self) -> None:
        assert self.socket is not None  # noqa: S101 - the base class has just made it
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        if not is_peer(client_address[0], self._peers):
            _log.warning("DICOM: %s may not connect; see imaging.dicom_peers", client_address[0])
            return False
        # those that have not asked for an association yet count too, or nobody bounds them
        return len(self.ae.active_associations) < 2 * self.ae.maximum_associations


class _DataSet(io.BytesIO):
    """The data set of one C-STORE, in the staging area instead of memory.

    pynetdicom writes into it in its receiving thread, the handler then takes what was staged. An
    error is told by the handler; until then what still comes is passed over.
    """

    def __init__(self, connection: "_Connection") -> None:
        super().__init__()
        self._connection = connection
        self._file: IncomingDocument | None = None
        self._problem: XDSError | None = None
        self._guard = Lock()

    def write(self, data: Any, /) -> int:
        if self._problem is None:
            try:
                if self._file is None:
                    self._file = self._connection.file()
                self._file.write(bytes(data))
            except XDSError as error:
                self._problem = error
        return len(data)

    def keep(self, store: ImageStore, call: Call, request: Any) -> tuple[int, str]:
        """Status and reason, once the instance is kept or refused. Raises XDSError."""
        if self._problem is not None:
            return dicom.OUT_OF_RESOURCES, self._problem.context
        if (file := self._taken()) is None:
            return dicom.CANNOT_UNDERSTAND, "there is no data set"
        staged = file.finish()
        try:
            (kept,) = store.keep([staged], call, fits=partial(_fits, request))
        finally:
            staged.discard()
        return kept.status, kept.reason

    def discard(self) -> None:
        if (file := self._taken()) is not None:
            file.discard()

    def _taken(self) -> IncomingDocument | None:
        """The file, for one only: the connection may close while the handler takes it."""
        with self._guard:
            file, self._file = self._file, None
        return file


def _fits(request: Any, instance: HeldInstance) -> str:
    for name, announced, found in (
        ("SOP Class", request.AffectedSOPClassUID, instance.sop_class_uid),
        ("SOP Instance", request.AffectedSOPInstanceUID, instance.sop_instance_uid),
    ):
        if announced != found:
            return f"its {name} UID is not the one announced"
    return ""


class _Connection(DIMSEServiceProvider):
    """The messages of one association.

    socket_: pynetdicom does not close it when the sender was the first to go
    """

    def __init__(self, association: Any, socket_: socket.socket, store: ImageStore) -> None:
        super().__init__(association)
        self._socket, self._store = socket_, store
        self._open: list[_DataSet] = []
        self._is_closed = False

    @property
    def is_busy(self) -> bool:
        """Whether a message is coming in or being answered."""
        return bool(self._open)

    def receive_primitive(self, primitive: Any) -> None:
        if self.message is None:
            if len(self._open) > _WAITING:
                # nobody who waits for answers, as it must be without a window negotiated, does so
                self.dul.event_queue.put("Evt19")
                return
            self.message = DIMSEMessage()
            data_set = _DataSet(self)
            self._open.append(data_set)
            self.message.data_set = data_set
        message = self.message
        super().receive_primitive(primitive)
        if self.message is None and not isinstance(message, C_STORE_RQ):
            self.done(message.data_set)
        if message.encoded_command_set.tell() > _LARGEST_PDU:  # and no end in sight
            self.dul.event_queue.put("Evt19")

    def file(self) -> IncomingDocument:
        """A file for the data set of the message at hand, begun. Raises XDSError."""
        message = self.message
        if not isinstance(message, C_STORE_RQ) or message.context_id is None or self._is_closed:
            raise XDSError("message", "no data set is awaited")
        command = message.command_set
        self._store.admit()
        file = self._store.staging.create()
        file.write(
            file_head(
                str(command.AffectedSOPClassUID),
                str(command.AffectedSOPInstanceUID),
                str(self.assoc._accepted_cx[message.context_id].transfer_syntax[0]),
                self.assoc.requestor.ae_title,
            )
        )
        return file

    def done(self, data_set: Any) -> None:
        """A message is answered, or will not be."""
        if data_set in self._open:
            self._open.remove(data_set)
            data_set.discard()

    def hang_up(self) -> None:
        """End the line of an association that is none yet: there is nothing to abort."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        # its thread waits for the request; None tells that none will come
        self.dul.to_user_queue.put(None)  # type: ignore[arg-type]

    def close(self) -> None:
        """Nothing more comes."""
        self._is_closed = True
        for each in tuple(self._open):
            self.done(each)
        self._socket.close()


@dataclass(frozen=True, slots=True)
class _Receiving:
    """What happens at the events of associations."""

    archive: ImageStore
    limits: Limits

    def begin(self, event: Any) -> None:
        association = event.assoc
        line = association.dul.socket
        line.recv = partial(_bounded, line.recv)
        # a sender that stops in the middle of a PDU would hold its thread for ever
        line.socket.settimeout(self.limits.dicom_idle)
        association.dimse = _Connection(association, line.socket, self.archive)
        association.run = partial(_to_its_end, association.run, association.dimse)

    def stored(self, event: Any) -> Dataset:
        """The answer to a C-STORE (PS3.4 B.2.3)."""
        request, sender = event.request, event.assoc.requestor.ae_title
        data_set = request.DataSet
        try:
            call = Call.internal(self.limits.request_seconds)
            status, reason = data_set.keep(self.archive, call, request)
        except (XDSRepositoryOutOfResources, XDSRepositoryBusy) as error:
            status, reason = dicom.OUT_OF_RESOURCES, error.context
        except XDSError as error:
            status, reason = dicom.PROCESSING_FAILURE, error.context
        finally:
            event.assoc.dimse.done(data_set)
        answer = Dataset()
        answer.Status = status
        if status != dicom.STORED:
            uid = shown(str(request.AffectedSOPInstanceUID))
            _log.warning("C-STORE of %s from %s: %04x, %s", uid, shown(sender), status, reason)
            answer.ErrorComment = reason.encode("ascii", "replace").decode()[:_COMMENT]
        return answer

    def finish(self, ae: AE) -> None:
        """End the associations there are, those in the middle of a message a little later."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and any(
            isinstance(each.dimse, _Connection) and each.dimse.is_busy
            for each in ae.active_associations
        ):
            time.sleep(0.05)
        for each in ae.active_associations:
            if each.is_established:
                each.abort()
            elif isinstance(each.dimse, _Connection):
                each.dimse.hang_up()
        for each in ae.active_associations:
            each.join(timeout=max(0.1, until - time.monotonic()))


def _to_its_end(run: Callable[[], None], connection: _Connection) -> None:
    """Whatever way an association takes: not all of them are told as an event."""
    try:
        run()
    finally:
        connection.close()


def _bounded(recv: Any, octets: int) -> Any:
    """What a PDU says of its length is not believed: it is read whole, into memory."""
    if octets > _LARGEST_PDU:
        raise OSError(f"a PDU of {octets} octets")
    return recv(octets)
