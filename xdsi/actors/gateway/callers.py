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
        """Raises ConfigurationError for files that cannot be used."""
        self._known = [_known(each) for each in partners if each.client_subject]
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
    assert partner.client_ca is not None  # noqa: S101 - the configuration has both or none
    try:
        authorities = x509.load_pem_x509_certificates(partner.client_ca.read_bytes())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no PEM file with certificates"
        raise ConfigurationError(
            f"gateway.partners: client_ca of {partner.title}: {partner.client_ca}: {why}"
        ) from None
    subject = x509.Name.from_rfc4514_string(partner.client_subject)
    return _Known(partner.title, subject, authorities)


def _is_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
