"""Where published documents lie: the interface, and local files.

Layout of the folder: `identity`, `staging/<process>/…` (xdsi.files.staging) and
`documents/<2 hex>/<34 hex>`. Names are random; nothing a client sent is ever in one (SEC-T-015).
Every document of a submission goes to the same subfolder, so that one directory sync covers all.
"""

import errno
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from xdsi.config import ConfigurationError
from xdsi.files import disk
from xdsi.files.disk import Disk, FileReader
from xdsi.files.seals import hash_for
from xdsi.files.staging import StagedDocument
from xdsi.model.errors import XDSRepositoryOutOfResources
from xdsi.model.messages import Octets, Reader

_NAME = re.compile(r"[0-9a-f]{34}")
# names in every store are hex digits, evenly spread
PREFIXES = tuple(f"{n:02x}" for n in range(256))
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FREE_SHARE = 0.02  # SEC-T-018


class Mismatch(OSError):
    """The stored bytes are not those that were acknowledged."""

    def __init__(self, problem: str) -> None:
        super().__init__(errno.EIO, problem)


class StoreAway(OSError):
    """The store, or a folder of it, is not there; that says nothing about any document."""

    def __init__(self) -> None:
        super().__init__(errno.EIO, "the document store is not there")


class DocumentStore(Protocol):
    """What an actor needs of a place for documents; `tests/files` holds its contract."""

    def identity(self) -> str | None:
        """What names this store and no other; None in one that was never used."""

    def identify(self, identity: str) -> None:
        """Give a store its identity."""

    def admit(self) -> None:
        """Raises XDSRepositoryOutOfResources when there is no room for a submission."""

    def publish(self, documents: Sequence[StagedDocument]) -> tuple[str, ...]:
        """Names of the documents, which survive any crash from now on; all of them or none.

        Raises XDSRepositoryOutOfResources or XDSRepositoryError.
        """

    def size(self, name: str) -> int | None:
        """Octets; None where there is no such document.

        Raises OSError, of which StoreAway where nobody can tell.
        """

    def open(self, name: str) -> Reader:
        """A document from its start. Raises as `size`, and FileNotFoundError."""

    def remove(self, names: Sequence[str]) -> None:
        """Remove; what is not there is no error. Raises OSError."""

    def names(self, prefix: str) -> Iterator[str]:
        """Each document whose name begins with `prefix`, one of PREFIXES. Raises OSError."""


class LocalStore:
    """Documents as files, mode 0600, below a folder of mode 0700 (SEC-T-174)."""

    def __init__(
        self, folder: Path, free_bytes: int = 0, *, actor: str = "repository", calls: Disk = os
    ) -> None:
        """Opens or makes the store. Raises ConfigurationError, OSError.

        actor: its section of the configuration
        free_bytes: below this, or 2 % of the file system if that is more, `admit` refuses
        """
        self._folder, self._free, self._disk = folder, free_bytes, calls
        self._actor = actor
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            raise ConfigurationError(
                f"{actor}.store: {folder} is open to other users; run `chmod 700 {folder}`"
            )
        self._documents = folder / "documents"
        self._documents_path = str(self._documents)
        self._documents.mkdir(mode=0o700, exist_ok=True)
        # All at once and synced here, so that no submission has to wait for the parent's sync.
        for shard in PREFIXES:
            (self._documents / shard).mkdir(mode=0o700, exist_ok=True)
        for each in (self._documents, folder, folder.parent):
            with self._opened(each) as fd:
                os.fsync(fd)

    @property
    def staging(self) -> Path:
        """Where staging folders lie, on the same file system."""
        return self._folder / "staging"

    def identity(self) -> str | None:
        try:
            return (self._folder / "identity").read_text().strip()
        except OSError:
            return None

    def identify(self, identity: str) -> None:
        with self._opened(self._folder) as folder:
            draft = secrets.token_hex(16)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            fd = os.open(draft, flags, 0o600, dir_fd=folder)
            try:
                disk.write_all(self._disk, fd, identity.encode() + b"\n")
                os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(draft, "identity", src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)

    def admit(self) -> None:
        try:
            room = os.statvfs(self._folder)
        except OSError as error:
            raise disk.failure(error, "asking for free space") from error
        floor = max(self._free, int(room.f_blocks * room.f_frsize * _FREE_SHARE))
        if room.f_bavail * room.f_frsize < floor:
            raise XDSRepositoryOutOfResources(
                "document store",
                f"too little free space ({self._actor}.free_bytes); try again later",
                rule="SEC-T-018",
            )

    def publish(self, documents: Sequence[StagedDocument]) -> tuple[str, ...]:
        shard = secrets.choice(PREFIXES)
        names = tuple(shard + secrets.token_hex(16) for _ in documents)
        try:
            with self._shard(shard) as folder:
                try:
                    for name, document in zip(names, documents, strict=True):
                        document.publish(name, folder)
                    self._disk.fsync(folder)
                except BaseException:
                    self._withdraw(names, folder)
                    raise
        except OSError as error:
            raise disk.failure(error, "publishing") from error
        return names

    def _withdraw(self, names: Sequence[str], folder: int) -> None:
        """Take back what was published; what stays has no record and is swept in an hour."""
        for name in names:
            try:
                self._disk.unlink(name, dir_fd=folder)
            except OSError:  # most often: was not published yet
                continue

    def size(self, name: str) -> int | None:
        try:
            found = os.stat(self._path(name), follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            with self._shard(name[:2]):
                return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def open(self, name: str) -> Reader:
        return FileReader(self._descriptor(name), self._disk)

    def file(self, name: str) -> BinaryIO:
        """A document to be read in any order; the caller closes it. Raises as `open`."""
        return os.fdopen(self._descriptor(name), "rb")

    def _descriptor(self, name: str) -> int:
        try:
            return self._disk.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            with self._shard(name[:2]):
                raise

    def remove(self, names: Sequence[str]) -> None:
        for name in names:
            try:
                with self._shard(_checked(name)[:2]) as folder:
                    self._disk.unlink(name, dir_fd=folder)
            except FileNotFoundError:
                continue

    def names(self, prefix: str) -> Iterator[str]:
        with os.scandir(self._documents / prefix) as entries:
            yield from (entry.name for entry in entries if _NAME.fullmatch(entry.name))

    def _path(self, name: str) -> str:
        """Of a document to be read, in one step: studies have hundreds (bench: rad69-ct).

        Links are not looked for as `_shard` does: nobody else can make one in this tree.
        """
        return f"{self._documents_path}/{_checked(name)[:2]}/{name}"

    @contextmanager
    def _shard(self, shard: str) -> Iterator[int]:
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(self._opened(self._documents / shard))
            except (FileNotFoundError, NotADirectoryError) as error:
                raise StoreAway from error
            yield folder

    @contextmanager
    def _opened(self, folder: Path) -> Iterator[int]:
        fd = self._disk.open(str(folder), _FOLDER)
        try:
            yield fd
        finally:
            disk.close(fd)


def _checked(name: str) -> str:
    """A name this store gave. Raises OSError for any other, which can only be a damaged ledger."""
    if _NAME.fullmatch(name) is None:
        raise OSError(errno.EINVAL, "not a name of this store")
    return name


class VerifyingReader:
    """Gives the last octets only when all of them have the recorded hash and size (SEC-T-029).

    It hashes in the reader's thread: handed to another, a download was slower (bench: iti43-large).
    checksum: seal or SHA-256
    report: told what was wrong, once, before the OSError is raised
    """

    def __init__(
        self,
        source: Reader,
        size: int,
        checksum: str,
        report: Callable[[OSError], None],
    ) -> None:
        self._source, self._left, self._expected = source, size, checksum
        self._hash, self._report = hash_for(checksum), report
        self._is_good = False
        self._failed: OSError | None = None

    def read(self, n: int, /) -> Octets:
        """Raises OSError (Mismatch when the bytes are wrong) and from then on at every call."""
        if self._failed is not None:
            raise self._failed
        if self._is_good or n <= 0:
            return b""
        try:
            data = self._source.read(min(n, self._left)) if self._left else b""
            if self._left and not data:
                raise Mismatch("shorter than recorded")
            self._hash.update(data)
            self._left -= len(data)
            if not self._left:
                self._verify()
        except OSError as error:
            self._failed = error
            self._report(error)
            raise
        return data

    def _verify(self) -> None:
        if self._source.read(1):
            raise Mismatch("longer than recorded")
        if self._hash.hexdigest() != self._expected:
            raise Mismatch("other octets than recorded")
        self._is_good = True

    def close(self) -> None:
        self._source.close()
