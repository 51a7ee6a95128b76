"""spyne imports and answers on every Python we support, with the shim alone."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.install.conftest import run
from xdsi.spyne_shim import _parse_header

VERSIONS = ("3.11", "3.12", "3.13")
OWN = f"{sys.version_info[0]}.{sys.version_info[1]}"

PROGRAM = """
import collections.abc, io, runpy, sys, warnings
before = collections.abc.__spec__
shim = runpy.run_path(sys.argv[1])
shim["prepare"]()
finders = len(sys.meta_path)
shim["prepare"]()
assert len(sys.meta_path) == finders
warnings.simplefilter("ignore")

from spyne import Application, ServiceBase, Unicode, rpc
from spyne.protocol.soap import Soap12
from spyne.server.wsgi import WsgiApplication
assert collections.abc.__spec__ is before

class Echo(ServiceBase):
    @rpc(Unicode, _returns=Unicode)
    def echo(ctx, word):
        return word

soap = "http://www.w3.org/2003/05/soap-envelope"
body = (f'<e:Envelope xmlns:e="{soap}"><e:Body><t:echo xmlns:t="t"><t:word>heard</t:word>'
        '</t:echo></e:Body></e:Envelope>').encode()
request = {
    "REQUEST_METHOD": "POST", "PATH_INFO": "/", "QUERY_STRING": "", "SERVER_NAME": "localhost",
    "SERVER_PORT": "80", "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body),
    "CONTENT_TYPE": "application/soap+xml; charset=utf-8", "CONTENT_LENGTH": str(len(body)),
}
application = Application([Echo], "t", in_protocol=Soap12(), out_protocol=Soap12())
answer = WsgiApplication(application)(request, lambda status, headers, *rest: print(status))
print(b"".join(answer).decode())
"""


@cache
def interpreter(version: str) -> str | None:
    """A Python of this version: this one, one on PATH that really runs, or one of pyenv's."""
    if version == OWN:
        return sys.executable
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for candidate in [shutil.which(f"python{version}"), *pyenv]:
        if candidate is None:
            continue
        done = subprocess.run(
            [candidate, "-c", "import venv, ensurepip"], capture_output=True, check=False
        )
        if done.returncode == 0:
            return str(candidate)
    return None


def with_spyne(version: str, folder: Path) -> Path:
    """A Python of this version that has spyne and lxml, or skip with the reason."""
    python = interpreter(version)
    if python is None:
        pytest.skip(f"needs Python {version}")
    if version == OWN:
        return Path(python)
    done = run(python, "-m", "venv", folder / "environment", cwd=folder)
    assert done.returncode == 0, done.stderr
    made = folder / "environment" / "bin" / "python"
    wanted = ("spyne==2.14.0", "lxml>=6.1.0")
    done = run(made, "-m", "pip", "install", "--quiet", *wanted, cwd=folder)
    if done.returncode != 0:
        pytest.skip(f"needs spyne for Python {version} from the package index")
    return made


@pytest.mark.optional("Debian 12 has Python 3.11 alone; the others come from elsewhere")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", VERSIONS)
def test_spyne_answers(version: str, tmp_path: Path, root: Path) -> None:
    python = with_spyne(version, tmp_path)
    done = run(python, "-c", PROGRAM, root / "xdsi" / "spyne_shim.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("200 OK\n")
    assert "heard" in done.stdout


@pytest.mark.parametrize(
    ("line", "parsed"),
    [
        ("text/xml", ("text/xml", {})),
        ('text/xml; charset="utf-8"', ("text/xml", {"charset": "utf-8"})),
        ("a/b; c=d; e=f", ("a/b", {"c": "d", "e": "f"})),
        ("", ("", {})),
    ],
    ids=["bare", "quoted", "two", "empty"],
)
def test_header_is_parsed_as_cgi_did(line: str, parsed: tuple[str, dict[str, str]]) -> None:
    assert _parse_header(line) == parsed
