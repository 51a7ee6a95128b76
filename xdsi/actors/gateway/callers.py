"""Which partner asks, by the certificate that the proxy in front of this node has seen.

The proxy ends TLS and so has proof of the key; here it is looked up whose the certificate is: of
which authority and of which subject, both as the partner's table says.
Source: SEC-015, SEC-T-164.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from xdsi.config import ConfigurationError
from xdsi.model.community import Partner
from xdsi.plug import Stranger

_LONGEST = 32 * 1024  # characters of a header with a certificate
_KEPT = 1_000  # certificates that were looked up


@dataclass(frozen=True, slots=True)
class _Known:
    """A partner as it calls."""

    title: str
    subject: x509.Name
    authorities: Sequence[x509.Certificate]

    def is_shown_by(self, certificate: x509.Certificate) -> bool:
        return certificate.subject == self.subject and any(
            _is_issued_by(certificate, each) for each in self.authorities
        )


class Callers:
    """The partners that may call, where any of them has a `client_subject`; else anybody may."""

    def __init__(self, partners: Iterable[Partner]) -> None:
        """Raises ConfigurationError for keys and files that cannot be as they are."""
        self._known = [_known(each) for each in partners if each.client_subject or each.client_ca]
        self._found = lru_cache(_KEPT)(self._look_up)

    def __bool__(self) -> bool:
        return bool(self._known)

    def __call__(self, shown: str | None) -> str:
        """The title of a partner. shown: its certificate in PEM, percent-encoded

        Raises Stranger.
        """
        if not shown:
            raise Stranger("it comes with no certificate, or by no proxy that is named")
        if len(shown) > _LONGEST:
            raise Stranger(f"its certificate has more than {_LONGEST} characters")
        title, since, until = self._found(shown)
        if not since <= datetime.now(UTC) <= until:
            raise Stranger(f"the certificate of {title} is from {since:%F} to {until:%F}")
        return title

    def _look_up(self, shown: str) -> tuple[str, datetime, datetime]:
        try:
            certificate = x509.load_pem_x509_certificate(unquote_to_bytes(shown))
        except ValueError:
            raise Stranger("what the proxy passes on is no certificate") from None
        for each in self._known:
            if each.is_shown_by(certificate):
                dates = certificate.not_valid_before_utc, certificate.not_valid_after_utc
                return each.title, *dates
        subject = certificate.subject.rfc4514_string()
        raise Stranger(f"no partner has a certificate of {subject} with that authority")


def _known(partner: Partner) -> _Known:
    file, subject = partner.client_ca, partner.client_subject
    if file is None or not subject:
        raise _wrong(partner, "client_ca and client_subject go together; give both")
    try:
        name = x509.Name.from_rfc4514_string(subject)
    except ValueError:
        expected = "expected a name like 'CN=gateway.example,O=North,C=NX'"
        raise _wrong(partner, f"client_subject: {expected}, got '{subject}'") from None
    try:
        return _Known(partner.title, name, x509.load_pem_x509_certificates(file.read_bytes()))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no PEM file with certificates"
        raise _wrong(partner, f"client_ca: {file}: {why}") from None


def _wrong(partner: Partner, problem: str) -> ConfigurationError:
    return ConfigurationError(f"gateway.partners: {partner.title}: {problem}")


def _is_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
