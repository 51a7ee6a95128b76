"""Who is trusted, who we say we are, and what is refused."""

import datetime
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.peers.stub import Line, Stub, http
from tests.peers.test_caller import GOOD, QUERY
from xdsi.peers.caller import Caller
from xdsi.peers.errors import Unreachable, reason
from xdsi.peers.session import Tls, open_session
from xdsi.plug import Call
from xdsi.standard.transactions import STORED_QUERY

_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
    *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


@dataclass(frozen=True)
class Issued:
    certificate: Path
    key: Path
    signer: Any
    subject: x509.Name


def issue(folder: Path, name: str, issuer: Issued | None = None, host: str | None = None) -> Issued:
    """A key and a certificate, an authority of its own without `issuer`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"invented {name}")])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    signer = issuer.signer if issuer else key
    for identifier in (
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
    ):
        builder = builder.add_extension(identifier, critical=False)
    if issuer is None:
        signs = dict.fromkeys(_USAGES, False) | {"key_cert_sign": True}
        builder = builder.add_extension(x509.KeyUsage(**signs), critical=True)
    if host is not None:
        address: x509.GeneralName = (
            x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
        )
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    certificate = builder.sign(signer, hashes.SHA256())
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return Issued(*files, key, subject)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Issued]:
    folder = tmp_path_factory.mktemp("pki")
    ca, other = issue(folder, "ca"), issue(folder, "other")
    return {
        "ca": ca,
        "other": other,
        "server": issue(folder, "server", ca, "127.0.0.1"),
        "misnamed": issue(folder, "misnamed", ca, "elsewhere.example"),
        "client": issue(folder, "client", ca),
        "foreign": issue(folder, "foreign", other),
    }


def server_side(pki: dict[str, Issued], who: str = "server") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki[who].certificate, pki[who].key)
    context.load_verify_locations(pki["ca"].certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def tls(pki: dict[str, Issued], ca: str = "ca", client: str | None = "client", **more: Any) -> Tls:
    shown = (
        {} if client is None else {"certificate": pki[client].certificate, "key": pki[client].key}
    )
    return Tls(ca=pki[ca].certificate, **shown, **more)


def ask(settings: Tls, context: ssl.SSLContext, versions: list[str] | None = None) -> Any:
    def act(line: Line) -> None:
        while line.receive() is not None:
            if versions is not None:
                versions.append(line.sock.version())
            line.send(http(GOOD))

    with Stub(act, context) as stub, open_session(settings) as session:
        caller = Caller(STORED_QUERY, stub.address, session)
        answers = [caller(QUERY, Call.internal()) for _ in range(3)]
        assert stub.connections == 1
        return answers[0]


@pytest.mark.proves("SEC-001")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_sides_show_certificates_and_the_connection_is_kept(
    pki: dict[str, Issued], version: ssl.TLSVersion
) -> None:
    context, versions = server_side(pki), []
    context.maximum_version = context.minimum_version = version
    assert ask(tls(pki), context, versions).objects == ()
    assert {each.replace(".", "_") for each in versions} == {version.name}


@pytest.mark.proves("SEC-003")
def test_nothing_below_tls_1_2_is_spoken(pki: dict[str, Issued]) -> None:
    assert tls(pki).context().minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.proves("SEC-006", "SEC-012", "SEC-T-166")
@pytest.mark.parametrize(
    ("settings", "server", "text"),
    [
        ({"ca": "other"}, "server", "certificate is not accepted: .*certificate"),
        ({}, "misnamed", "certificate is not accepted: .*mismatch"),
        ({"client": None}, "server", "client certificate|TLS|cut|closed|reset|pipe|alert"),
        ({"client": "foreign"}, "server", "TLS|cut|closed|reset|pipe|alert"),
    ],
    ids=["untrusted server", "server of another name", "no certificate", "untrusted certificate"],
)
def test_failed_authentication_refuses_the_connection(
    pki: dict[str, Issued], settings: dict[str, Any], server: str, text: str
) -> None:
    with pytest.raises(Unreachable, match=f"(?i){text}"):
        ask(tls(pki, **settings), server_side(pki, server))


def test_pinned_authority_may_do_without_host_names(pki: dict[str, Issued]) -> None:
    assert ask(tls(pki, check_host=False), server_side(pki, "misnamed")).objects == ()
    with pytest.raises(Unreachable, match="not accepted"):
        ask(tls(pki, ca="other", check_host=False), server_side(pki, "misnamed"))


def test_certificate_files_that_cannot_be_used_are_told_at_once(
    pki: dict[str, Issued], tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="No such file"):
        open_session(Tls(ca=tmp_path / "missing.pem"))
    with pytest.raises(ssl.SSLError):
        open_session(Tls(certificate=pki["client"].certificate, key=pki["server"].key))


def demanded() -> ssl.SSLError:
    """What TLS 1.3 makes of a missing certificate, once the handshake is done."""
    error = ssl.SSLError(1, "tlsv13 alert certificate required (_ssl.c:2580)")
    error.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol (_ssl.c:2427)"), "certificate?"),
        (
            ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed (EOF) (_ssl.c:1)"),
            "closed",
        ),
        (demanded(), "it asks for a client certificate"),
        (TimeoutError("_ssl.c:989: The handshake operation timed out"), "took too long"),
        (TimeoutError("The read operation timed out"), "it stood still"),
        (TimeoutError("timed out"), "it stood still"),
        (TimeoutError("the time for it is over"), "the time for it is over"),
    ],
)
def test_what_went_wrong_is_said_in_plain_words(error: OSError, words: str) -> None:
    assert words in reason(error) and "_ssl" not in reason(error)
