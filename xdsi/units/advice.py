"""What an operator can do about a database that a node cannot use.

A server's own words are looked into, since a refused connection comes without SQLSTATE; in a
language other than English its words stand as they are, with general advice.
"""

from pathlib import Path
from shlex import quote
from typing import NamedTuple

from sqlalchemy import make_url
from sqlalchemy.engine import URL

from xdsi.units.engines import UnusableDatabase


class Trouble(NamedTuple):
    """setting: the key that needs a look; problem: one sentence with what to do."""

    setting: str
    problem: str


def trouble(
    error: Exception, url: str, password_file: Path | None = None, folder: Path | None = None
) -> Trouble:
    """What an error of a connection, or of a statement of a migration, means to an operator.

    url, password_file, folder: as given to `engine`
    """
    if isinstance(error, UnusableDatabase):
        return Trouble(error.setting, str(error))
    cause = getattr(error, "orig", None) or error
    said = str(cause).strip().partition("\n")[0]
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return Trouble("database", _of_file((folder or Path()) / str(parsed.database), said))
    return _of_server(parsed, said, password_file)


def _of_file(file: Path, said: str) -> str:
    if "locked" in said:
        return f"{file}: {_LOCKED}"
    if file.is_dir():
        return f"{file}: is a folder; give the name of a file"
    if not file.parent.is_dir():
        return f"{file}: its folder is missing; run: mkdir -p {quote(str(file.parent))}"
    if "not a database" in said:
        return f"{file}: holds something else than an SQLite database; give another file name"
    if "unable to open" in said or "readonly" in said:
        return (
            f"{file}: cannot be opened for writing; give the node's user the right to "
            f"{file.parent} and what lies in it"
        )
    return f"{file}: {said}"


def _of_server(url: URL, said: str, password_file: Path | None) -> Trouble:
    user, name = url.username or "of the process", url.database or ""
    host = url.host or url.query.get("host") or "this machine"
    where = f"{host}:{url.port or 5432}"
    if "no password supplied" in said or "password authentication failed" in said:
        if password_file is None:
            return Trouble(
                "password_file",
                f"{where} wants a password of user {user}; write it into a file, "
                "chmod 600 that file, and name it here",
            )
        return Trouble(
            "password_file",
            f"{where} does not know user {user} with this password; "
            f"write the right one into {password_file}, or mend the user's name in the address",
        )
    for words, told in (
        (f'database "{name}" does not exist', f"{where} has no database {name}; {_CREATE}"),
        (f'role "{user}" does not exist', f"{where} has no user {user}; {_CREATE}"),
        ("permission denied for", f"{where}: {said}; make user {user} the database's owner"),
        ("lock timeout", f"{where}: {_LOCKED}"),
        ("pg_hba.conf", f"{where}: {said}; let user {user} in there, then reload the server"),
        ("Peer authentication", f"{where}: {said}; let user {user} in by pg_hba.conf, or add a "
         "host and a password_file"),
    ):  # fmt: skip
        if words in said:
            return Trouble("database", told)
    if any(words in said for words in _SILENT):
        told = f"nobody answers at {where} ({said}); start PostgreSQL there, or mend host and port"
        return Trouble("database", told)
    return Trouble("database", f"{where}: {said}; see the server's log for the reason")


_CREATE = "make it as docs/operators.md shows, or mend the address"
_LOCKED = "another program holds it, such as another `xdsi migrate`; run this again when it is done"
_SILENT = (
    "Connection refused",
    "failed to resolve",
    "No such file or directory",
    "timeout",
    "unreachable",
    "No route",
)
