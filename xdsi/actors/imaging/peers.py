"""Who may send images over DICOM."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from xdsi import config
from xdsi.config import ConfigurationError

Network = IPv4Network | IPv6Network


def check(settings: config.Imaging) -> None:
    """Raises ConfigurationError when strangers could send, or a setting cannot be used."""
    for peer in settings.dicom_peers:
        try:
            ip_network(peer)
        except ValueError as error:
            raise ConfigurationError(
                f"imaging.dicom_peers: {error}; expected an address or a network, such as "
                "10.0.0.0/24"
            ) from None
    for name, titles in (
        ("ae_title", (settings.ae_title,)),
        ("dicom_senders", settings.dicom_senders),
    ):
        for title in titles:
            if not 0 < len(title.strip()) <= 16 or not title.isascii() or "\\" in title:
                raise ConfigurationError(
                    f"imaging.{name}: expected an AE title of 1 to 16 characters, got '{title}'"
                )
    if settings.dicom_port is not None and not 0 < settings.dicom_port < 65536:
        raise ConfigurationError(
            f"imaging.dicom_port: expected 1 to 65535, got {settings.dicom_port}"
        )
    if not settings.dicom_peers and not _is_loopback(settings.dicom_host):
        raise ConfigurationError(
            f"imaging.dicom_host: {settings.dicom_host} can be reached by others, and DICOM has "
            "no TLS here; name the addresses that may send in dicom_peers, or listen on 127.0.0.1"
        )


def is_peer(text: str, peers: Sequence[Network]) -> bool:
    """Whether an address, as a socket gives it, is loopback or in one of these networks."""
    address = ip_address(text.partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or any(address in peer for peer in peers)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
