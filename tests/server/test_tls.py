"""TLS: from 1.2 on, client certificates of the configured authority only."""

import datetime
import ssl
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.feed import Mllp, adt
from tests.node import free_port
from tests.server import dialect
from tests.server.dialect import request
from xdsi.wire.mllp import framed


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, is_authority):
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _certificate(folder, name, issuer=None):
    """Writes `name`.pem and `name`.key; gives certificate and key."""
    key = ec.generate_private_key(ec.SECP256R1())
    signer, signing = issuer or (None, key)
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(signer.subject if signer else _name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()),
            critical=False,
        )
        .add_extension(_usage(is_authority=issuer is None), critical=True)
    )
    made = builder.sign(signing, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made, key


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    authority = _certificate(folder, "authority")
    other = _certificate(folder, "other")
    _certificate(folder, "server", authority)
    _certificate(folder, "client", authority)
    _certificate(folder, "stranger", other)
    return folder


@pytest.fixture
def secure(make_node, pki):
    return make_node(
        server={
            "certificate": str(pki / "server.pem"),
            "key": str(pki / "server.key"),
            "client_ca": str(pki / "authority.pem"),
        }
    )


def context(pki, client):
    made = ssl.create_default_context(cafile=str(pki / "authority.pem"))
    if client is not None:
        made.load_cert_chain(pki / f"{client}.pem", pki / f"{client}.key")
    return made


def ask(node, tls):
    with node.connect() as connection:
        connection.socket = tls.wrap_socket(connection.socket, server_hostname="localhost")
        connection.send(request("/registry", dialect.query_message()))
        answer = connection.receive()
        return answer, connection.socket.version()


@pytest.mark.proves("SEC-T-165")
@pytest.mark.parametrize(
    ("version", "expected"),
    [(None, "TLSv1.3"), (ssl.TLSVersion.TLSv1_2, "TLSv1.2")],
)
def test_partner_is_served(secure, pki, version, expected):
    assert secure.address.startswith("https://")
    tls = context(pki, "client")
    if version is not None:
        tls.maximum_version = version
    answer, used = ask(secure, tls)
    assert answer.outcome == "Success"
    assert used == expected


@pytest.mark.proves("SEC-T-165")
@pytest.mark.parametrize("client", [None, "stranger"])
def test_strangers_are_refused(secure, pki, client):
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        ask(secure, context(pki, client))
    assert ask(secure, context(pki, "client"))[0].outcome == "Success"


@pytest.mark.proves("SEC-T-165")
def test_old_versions_and_plain_http_are_refused(secure, pki):
    old = context(pki, "client")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(secure, old)
    with secure.connect() as connection:
        connection.send(request("/registry", dialect.query_message()))
        with pytest.raises((EOFError, ValueError, IndexError)):
            connection.head()


@pytest.mark.proves("SEC-T-165")
def test_only_suites_with_forward_secrecy_and_aead_are_spoken(secure, pki):
    tls = context(pki, "client")
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"):
        tls.set_ciphers(suite)
        assert ask(secure, tls)[0].outcome == "Success"
    for suite in ("ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "AES128-GCM-SHA256"):
        tls.set_ciphers(suite)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(secure, tls)


def ask_feed(port, tls):
    with Mllp(port, tls) as feed:
        return feed.ask(adt("A01", "1")), feed.socket.version()


@pytest.mark.proves("SEC-T-165", "PIF-005")
def test_feed_is_for_partners_alone(make_node, pki):
    port = free_port()
    node = make_node(
        feed=port,
        server={
            "certificate": str(pki / "server.pem"),
            "key": str(pki / "server.key"),
            "client_ca": str(pki / "authority.pem"),
        },
    )
    for client in (None, "stranger"):
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            ask_feed(port, context(pki, client))
    with Mllp(port) as plain:
        plain.send(framed(adt("A01", "1").encode()))
        assert plain.socket.recv(2) != b"\x0bM"
    answer, version = ask_feed(port, context(pki, "client"))
    assert (answer.code, version) == ("AA", "TLSv1.3")
    assert [each for each in node.log if each["event"] in ("log", "incident")] == []


def test_contract_names_https(secure, pki):
    with secure.connect() as connection:
        tls = context(pki, "client")
        connection.socket = tls.wrap_socket(connection.socket, server_hostname="localhost")
        connection.send(request("/registry?wsdl", b"", None, method="GET"))
        assert f'"{secure.address}/registry"' in connection.receive(method="GET").body.decode()


def test_public_url_is_what_contracts_show(make_node):
    node = make_node(server={"public_url": "https://xds.example.org/node/"})
    body = node.get("/registry?wsdl", host="evil.example").body.decode()
    assert '"https://xds.example.org/node/registry"' in body
