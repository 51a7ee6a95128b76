"""C-STORE and C-ECHO with foreign senders on real ports."""

import io
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import CTImageStorage, MRImageStorage, Verification

from tests.actors.imaging.conftest import MakeStore
from tests.actors.imaging.studies import (
    CALL,
    everything,
    instance,
    keep,
    leftovers,
    new_uid,
    study,
)
from tests.server.dialect import wait_for
from xdsi import config
from xdsi.actors.imaging import cstore
from xdsi.actors.imaging.peers import is_peer
from xdsi.actors.imaging.store import ImageStore
from xdsi.config import ConfigurationError, Limits

CT = instance()
UID = str(pydicom.dcmread(io.BytesIO(CT)).SOPInstanceUID)
STUDY = str(pydicom.dcmread(io.BytesIO(CT)).StudyInstanceUID)


@dataclass(frozen=True)
class Node:
    """An archive that listens."""

    store: ImageStore
    port: int

    def associate(self, *contexts: str, called: str = "NODE", calling: str = "CT1") -> Association:
        ae = AE(calling)
        for each in contexts or (CTImageStorage,):
            ae.add_requested_context(each, [ExplicitVRLittleEndian])
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 20
        return ae.associate("127.0.0.1", self.port, ae_title=called)

    def settled(self) -> list[str]:
        """What is left over once all associations have ended."""
        until = time.monotonic() + 10
        while time.monotonic() < until and (leftovers(self.store) or associations()):
            time.sleep(0.02)
        return leftovers(self.store)


def associations() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if "AcceptorThread" in each.name]


MakeNode = Callable[..., Node]


@pytest.fixture
def make_node(make_store: MakeStore) -> Iterator[MakeNode]:
    with ExitStack() as stack:

        def make(limits: Limits | None = None, **settings: Any) -> Node:
            limits = limits or Limits()
            section = config.Imaging("1.2.3", ae_title="NODE", **settings)
            store = make_store(limits=limits)
            port = stack.enter_context(cstore.running(store, section, 0, limits))
            return Node(store, port)

        yield make


@pytest.fixture
def node(make_node: MakeNode) -> Node:
    return make_node()


def stored(association: Association, file: bytes) -> tuple[int, str]:
    """Status and error comment."""
    answer = association.send_c_store(pydicom.dcmread(io.BytesIO(file)))
    return answer.Status, answer.get("ErrorComment", "")


def data_set(file: bytes) -> bytes:
    stream = io.BytesIO(file)
    pydicom.filereader.read_preamble(stream, False)
    pydicom.filereader._read_file_meta_info(stream)
    return stream.read()


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60)


@pytest.mark.needs("storescu", "echoscu")
@pytest.mark.proves("IMG-096")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("CT_small.dcm", ()),
        ("MR_small_implicit.dcm", ("-xi",)),
        ("MR_small_bigendian.dcm", ("-xb",)),
        ("SC_rgb_jpeg_dcmtk.dcm", ("-xy",)),
        ("MR_small_RLE.dcm", ("-xr",)),
        ("MR_small_jp2klossless.dcm", ("-xv",)),
        ("reportsi.dcm", ()),
    ],
)
def test_dcmtk_sends_and_what_came_is_what_it_had(
    node: Node, name: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    uid = new_uid()
    made = instance(name, StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1")
    file = tmp_path / "one.dcm"
    file.write_bytes(made)
    done = run("storescu", "-v", *options, "-aec", "NODE", "127.0.0.1", str(node.port), file)
    assert done.returncode == 0, done.stdout + done.stderr
    (held,) = node.store.instances(uid, None, None, CALL)
    syntax = pydicom.dcmread(io.BytesIO(made)).file_meta.TransferSyntaxUID
    assert held.transfer_syntax_uid == syntax
    given = everything(node.store.open(held, CALL))
    before, after = (pydicom.dcmread(io.BytesIO(each)) for each in (made, given))
    assert before == after
    assert after.file_meta.SourceApplicationEntityTitle == "STORESCU"
    assert run("dcmdump", "-q", "+P", "SOPInstanceUID", _file(tmp_path, given)).returncode == 0
    assert node.settled() == []


def _file(folder: Path, data: bytes) -> Path:
    path = folder / "given.dcm"
    path.write_bytes(data)
    return path


@pytest.mark.needs("storescu", "echoscu")
def test_only_its_own_name_is_answered(node: Node) -> None:
    for called, code in (("NODE", 0), ("OTHER", 1)):
        done = run("echoscu", "-aec", called, "127.0.0.1", str(node.port))
        assert done.returncode == code


def test_an_instance_sent_twice_by_several_at_once_is_kept_once(node: Node) -> None:
    uid = new_uid()
    files = list(study(uid, {f"{uid}.1": 6}).values())

    def send(found: list[tuple[int, str]]) -> None:
        association = node.associate()
        found += [stored(association, each) for each in files]
        association.release()

    results: list[list[tuple[int, str]]] = [[], [], []]
    threads = [threading.Thread(target=send, args=(each,)) for each in results]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert results == [[(0x0000, "")] * 6] * 3
    assert len(node.store.instances(uid, None, None, CALL)) == 6
    assert node.settled() == []


def test_each_refusal_has_its_status_and_the_association_goes_on(node: Node) -> None:
    keep(node.store, CT)
    association = node.associate(CTImageStorage, MRImageStorage, Verification)
    status, comment = stored(association, instance(PatientName="Example^Other"))
    assert (status, "another data set" in comment) == (0x0110, True)
    unknown = pydicom.dcmread(io.BytesIO(instance(SOPInstanceUID=new_uid())))
    del unknown.StudyInstanceUID
    status = association.send_c_store(unknown).Status
    assert status == 0xC000
    for change in ({"AffectedSOPInstanceUID": new_uid()}, {"AffectedSOPClassUID": MRImageStorage}):
        assert _announced(association, CT, **change) == 0xA900
    assert _announced(association, CT[:-100]) == 0xC000
    assert _announced(association, CT[:400]) == 0xC000
    assert association.send_c_echo().Status == 0x0000
    assert stored(association, CT) == (0x0000, "")
    association.release()
    assert node.settled() == []
    assert len(node.store.index.named("")) == 1


def _announced(association: Association, file: bytes, **changes: str) -> int:
    """Status of a C-STORE whose command and data set are given apart."""
    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID = changes.get("AffectedSOPClassUID", CTImageStorage)
    request.AffectedSOPInstanceUID = changes.get("AffectedSOPInstanceUID", UID)
    request.Priority = 2
    request.DataSet = io.BytesIO(data_set(file))
    context = next(
        each
        for each in association.accepted_contexts
        if each.abstract_syntax == request.AffectedSOPClassUID
    )
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request, context.context_id)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return int(answer.Status)


@pytest.mark.proves("SEC-T-016", "SEC-T-018", "SEC-T-040")
@pytest.mark.parametrize("what", ["size", "space"])
def test_without_room_it_is_out_of_resources(
    make_node: MakeNode, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = make_node(Limits(document=20_000))
    if what == "space":
        monkeypatch.setattr(node.store.files, "_free", 1 << 60)
    association = node.associate()
    small = instance(PixelData=bytes(2 * 8 * 8), Rows=8, Columns=8, SOPInstanceUID=new_uid())
    assert stored(association, CT)[0] == 0xA700
    assert stored(association, small)[0] == (0x0000 if what == "size" else 0xA700)
    association.release()
    assert node.settled() == []


@contextmanager
def cut_after(port: int, octets: int) -> Iterator[int]:
    """A line to that port that breaks after so many octets from the sender; its own port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def back(source: socket.socket, target: socket.socket) -> None:
            with suppress(OSError):
                while data := source.recv(4096):
                    target.sendall(data)

        def carry() -> None:
            sender, _ = listener.accept()
            node = socket.create_connection(("127.0.0.1", port))
            answers = threading.Thread(target=back, args=(node, sender))
            answers.start()
            left = octets
            while left and (data := sender.recv(min(left, 4096))):
                node.sendall(data)
                left -= len(data)
            for each in (sender, node):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
            answers.join()

        thread = threading.Thread(target=carry)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(30)


@pytest.mark.proves("SEC-T-004")
@pytest.mark.parametrize("octets", [500, 1_000, 20_000, 150_000])
def test_a_line_that_breaks_leaves_nothing(make_node: MakeNode, octets: int) -> None:
    node = make_node(Limits(dicom_idle=1.0))
    big = instance(PixelData=bytes(2 * 512 * 512), Rows=512, Columns=512)
    with cut_after(node.port, octets) as port:
        association = replace(node, port=port).associate()
        line = association.dul.socket and association.dul.socket.socket
        if association.is_established:
            assert not association.send_c_store(pydicom.dcmread(io.BytesIO(big)))
        association.join(20)
        if line:  # which the sender's library leaves open
            line.close()
    assert node.settled() == []
    assert node.store.index.is_empty()
    other = node.associate()
    assert stored(other, big) == (0x0000, "")
    other.release()
    assert node.settled() == []


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        struct.pack(">BBL", 1, 0, 0xFFFFFFFF) + bytes(2000),
        struct.pack(">BBL", 4, 0, 100) + bytes(100),
        struct.pack(">BBL", 1, 0, 68) + bytes(68),
        b"",
    ],
    ids=["http", "endless PDU", "data first", "empty request", "nothing"],
)
def test_what_is_no_dicom_is_let_go(make_node: MakeNode, sent: bytes) -> None:
    node = make_node(Limits(dicom_idle=1.0))
    with socket.create_connection(("127.0.0.1", node.port), timeout=20) as stranger:
        stranger.sendall(sent)
        if not sent:
            stranger.shutdown(socket.SHUT_WR)
        while True:
            try:
                if not stranger.recv(4096):
                    break
            except ConnectionResetError:
                break
    association = node.associate()
    assert stored(association, CT) == (0x0000, "")
    association.release()
    assert node.settled() == []


def test_as_many_associations_as_the_limit_says(make_node: MakeNode) -> None:
    node = make_node(Limits(dicom_associations=2, dicom_idle=2.0))
    open_ = [node.associate(), node.associate()]
    assert [each.is_established for each in open_] == [True, True]
    third = node.associate()
    assert third.is_rejected
    for each in open_:
        each.release()
    assert node.settled() == []
    (last := node.associate()).release()
    assert last.is_released


def test_an_idle_association_is_ended(make_node: MakeNode) -> None:
    node = make_node(Limits(dicom_idle=0.3))
    association = node.associate()
    association.join(20)
    assert association.is_aborted


def test_only_named_senders_may_send(make_node: MakeNode) -> None:
    node = make_node(dicom_senders=("PACS", "CT1"))
    good = node.associate(calling="CT1")
    assert good.is_established
    good.release()
    assert node.associate(calling="CT2").is_rejected


@pytest.mark.parametrize(
    ("address", "is_let_in"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::7", True),
        ("198.51.100.1", False),
        ("fe80::1%eth0", False),
    ],
)
def test_only_peers_that_are_named_are_let_in(address: str, is_let_in: bool) -> None:
    peers = tuple(map(ip_network, ("192.0.2.0/24", "2001:db8::/32")))
    assert is_peer(address, peers) is is_let_in


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"dicom_host": "0.0.0.0"}, "dicom_peers"),
        ({"dicom_host": "::"}, "dicom_peers"),
        ({"dicom_peers": ("10.0.0.1/8",)}, "host bits"),
        ({"dicom_port": 0}, "1 to 65535"),
        ({"dicom_port": 70_000}, "1 to 65535"),
        ({"ae_title": "A" * 17}, "AE title"),
        ({"ae_title": "  "}, "AE title"),
        ({"dicom_senders": ("ÄRZTE",)}, "AE title"),
        ({"dicom_host": "192.0.2.1", "dicom_peers": ("192.0.2.0/24",)}, "cannot listen"),
    ],
)
def test_settings_that_cannot_be_used_are_told(
    images: ImageStore, settings: dict[str, Any], text: str
) -> None:
    section = config.Imaging("1.2.3", **settings)
    with (
        pytest.raises(ConfigurationError, match=text),
        cstore.running(images, section, 0, Limits()),
    ):
        pass


@pytest.mark.parametrize("host", ["localhost", "::1", "127.0.0.2"])
def test_this_machine_has_several_names(make_node: MakeNode, host: str) -> None:
    node = make_node(dicom_host=host)
    with socket.create_connection((host, node.port), timeout=20):
        pass


@pytest.mark.proves("SEC-T-019")
def test_it_ends_with_a_connection_that_has_asked_for_nothing(make_store: MakeStore) -> None:
    section = config.Imaging("1.2.3")
    with cstore.running(make_store(), section, 0, Limits()) as port:
        line = socket.create_connection(("127.0.0.1", port), timeout=20)
        assert wait_for(associations)
    assert associations() == []
    with line:
        assert line.recv(1) == b""


def test_a_command_that_does_not_end_is_cut(make_node: MakeNode) -> None:
    node = make_node(Limits(dicom_idle=2.0))
    association = node.associate()
    part = bytes(60_000)
    pdu = struct.pack(">BBLLBB", 4, 0, len(part) + 6, len(part) + 2, 1, 1) + part
    assert association.dul.socket
    line = association.dul.socket.socket
    with pytest.raises(OSError, match=r"pipe|reset|descriptor"):  # noqa: PT012 (any of them)
        for _ in range(10_000):
            assert line
            line.sendall(pdu)
    association.kill()
    if line:
        line.close()
    assert node.settled() == []


@pytest.mark.proves("SEC-T-019")
def test_it_ends_with_associations_open_and_its_port_is_free(make_store: MakeStore) -> None:
    store = make_store()
    section = config.Imaging("1.2.3", ae_title="NODE")
    with cstore.running(store, section, 0, Limits()) as port:
        node = Node(store, port)
        association = node.associate()
        assert stored(association, CT) == (0x0000, "")
    assert associations() == []
    association.join(20)
    assert association.is_aborted
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        pass
    assert node.settled() == []
