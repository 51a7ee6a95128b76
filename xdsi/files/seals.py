"""Checksums against which files are held when they are read back.

A SHA-256 says to anybody what the bytes are, and takes as long as reading and sending them. A seal
is for their keeper alone: AES-GMAC (NIST SP 800-38D) with a key that is used for one file, kept
with the tag in the database. Who can change files and not the database cannot make one, and it
takes a tenth of the time (bench: rad69-large).
"""

import hashlib
from secrets import token_bytes
from typing import Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from xdsi.model.messages import Octets

_KEY = 16  # octets
_MARK = "gmac:"  # before key and tag in hex; a SHA-256 has no colon
_NONCE = bytes(12)  # no key is used twice


class Hash(Protocol):
    """What `hashlib` has too."""

    def update(self, data: Octets, /) -> None: ...
    def hexdigest(self) -> str: ...


class Seal:
    """A seal being made. key: of one to compare with; a new one otherwise"""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = token_bytes(_KEY) if key is None else key
        self._mac = Cipher(algorithms.AES(self._key), modes.GCM(_NONCE)).encryptor()

    def update(self, data: Octets, /) -> None:
        self._mac.authenticate_additional_data(data)

    def hexdigest(self) -> str:
        """Once, at the end."""
        self._mac.finalize()
        return f"{_MARK}{self._key.hex()}{self._mac.tag.hex()}"


def hash_for(checksum: str) -> Hash:
    """Gives, of the right bytes, a hexdigest like this seal or SHA-256."""
    if checksum.startswith(_MARK):
        return Seal(bytes.fromhex(checksum[len(_MARK) :][: 2 * _KEY]))
    return hashlib.sha256()
