"""Whose certificate a proxy passes on."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from xdsi.actors.gateway.callers import Callers
from xdsi.config import ConfigurationError
from xdsi.model.community import Partner
from xdsi.plug import Stranger

NORTH, SOUTH = "CN=gateway.example,O=North,C=NX", "CN=gateway.example,O=South,C=SX"
TODAY = datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Authority:
    """Issues certificates."""

    key: ec.EllipticCurvePrivateKey
    name: x509.Name

    @classmethod
    def new(cls, name: str = "CN=Invented CA") -> "Authority":
        return cls(ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string(name))

    def certificate(
        self, subject: str = "", days: tuple[int, int] = (-1, 1), is_ca: bool = False
    ) -> bytes:
        """PEM; by default its own."""
        name = x509.Name.from_rfc4514_string(subject) if subject else self.name
        key = ec.generate_private_key(ec.SECP256R1()) if subject else self.key
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(TODAY + timedelta(days[0]))
            .not_valid_after(TODAY + timedelta(days[1]))
        )
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture(scope="module")
def authorities() -> dict[str, Authority]:
    return {"north": Authority.new(), "south": Authority.new(), "other": Authority.new()}


@pytest.fixture(scope="module")
def callers(authorities: dict[str, Authority], tmp_path_factory: pytest.TempPathFactory) -> Callers:
    """North and South, each with its own authority; nobody knows what West calls with."""
    folder: Path = tmp_path_factory.mktemp("authorities")
    made = [Partner("2.999.3", "https://west.example/", "West")]
    for number, (name, subject) in enumerate((("north", NORTH), ("south", SOUTH)), 1):
        file = folder / f"{name}.pem"
        # an authority that is not used any more may stand beside
        file.write_bytes(Authority.new().certificate() + authorities[name].certificate())
        address = f"https://{name}.example/"
        made.append(
            Partner(
                f"2.999.{number}", address, name.title(), client_ca=file, client_subject=subject
            )
        )
    return Callers(made)


def shown(certificate: bytes) -> str:
    return quote(certificate)


@pytest.mark.proves("SEC-015")
def test_a_partner_is_known_by_authority_and_subject(
    callers: Callers, authorities: dict[str, Authority]
) -> None:
    assert callers(shown(authorities["north"].certificate(NORTH))) == "North"
    assert callers(shown(authorities["south"].certificate(SOUTH))) == "South"


STRANGERS: dict[str, tuple[Callable[[dict[str, Authority]], str | None], str]] = {
    "none": (lambda of: None, "no certificate"),
    "empty": (lambda of: "", "no certificate"),
    "no certificate": (lambda of: "x", "no certificate"),
    "cut": (lambda of: shown(of["north"].certificate(NORTH))[:-200], "no certificate"),
    "far too long": (lambda of: "x" * 40_000, "characters"),
    "of another authority": (
        lambda of: shown(of["other"].certificate(NORTH)), "no partner has a certificate of CN="),
    "of a partner's authority": (lambda of: shown(of["south"].certificate(NORTH)), "no partner"),
    "another subject": (lambda of: shown(of["north"].certificate("CN=x,O=North,C=NX")), "CN=x"),
    "a shorter subject": (
        lambda of: shown(of["north"].certificate("CN=gateway.example")), "no partner"),
    "the authority's own": (lambda of: shown(of["north"].certificate()), "no partner"),
    "over": (lambda of: shown(of["north"].certificate(NORTH, (-9, -2))), "North is from"),
    "not yet": (lambda of: shown(of["north"].certificate(NORTH, (2, 9))), "North is from"),
}  # fmt: skip


@pytest.mark.proves("SEC-015")
@pytest.mark.parametrize("name", STRANGERS)
def test_all_others_are_strangers(
    callers: Callers, authorities: dict[str, Authority], name: str
) -> None:
    make, why = STRANGERS[name]
    text = make(authorities)
    for _ in range(2):  # also when it was looked up before
        with pytest.raises(Stranger, match=why):
            callers(text)


def test_where_no_partner_has_a_subject_anybody_may_call() -> None:
    assert not Callers([Partner("2.999.3", "https://west.example/")])


@pytest.mark.parametrize(
    ("ca", "subject", "problem"),
    [
        (None, NORTH, "go together"),
        (Path("ca.pem"), "", "go together"),
        (Path("ca.pem"), "gateway.example", "expected a name like"),
    ],
)
def test_what_a_partner_may_not_say(ca: Path | None, subject: str, problem: str) -> None:
    partner = Partner("2.999.3", "https://west.example/", client_ca=ca, client_subject=subject)
    with pytest.raises(ConfigurationError, match=problem):
        Callers([partner])


@pytest.mark.parametrize("text", [None, "", "no PEM"])
def test_a_file_of_no_authority_is_named(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text)
    one = Partner("2.999.3", "https://w.example/", "West", client_ca=file, client_subject=NORTH)
    with pytest.raises(ConfigurationError, match="West: client_ca"):
        Callers([one])
