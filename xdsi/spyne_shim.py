"""Lets spyne 2.14 be imported on Python 3.12 and 3.13.

spyne carries a copy of six whose import hook offers only the protocol that Python 3.12 dropped
(PEP 302 ``find_module``), so ``spyne.util.six.moves`` is not found there; and its WSGI server
imports ``cgi``, gone with Python 3.13 (PEP 594), for one function. Nothing of spyne is imported
here: its package ``xdsi.server`` calls ``prepare`` before anything in it imports spyne.
"""

import sys
from collections.abc import Sequence
from email.message import Message
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

SIX = "spyne.util.six"


def _parse_header(line: str) -> tuple[str, dict[str, str]]:
    """Split ``value; name=value; ...`` as ``cgi.parse_header`` did."""
    message = Message()
    message["content-type"] = line
    (value, _), *parameters = message.get_params(failobj=[("", "")])
    return value, dict(parameters)


class _Finder(MetaPathFinder, Loader):
    """Offers the modules of spyne's six by today's protocol, and a ``cgi`` where there is none."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        six = sys.modules.get(SIX)
        if six and six._importer in sys.meta_path:
            # Its hook speaks the old protocol only: each later import would warn (3.10, 3.11).
            sys.meta_path.remove(six._importer)
        if fullname == "cgi" or (six and fullname in six._importer.known_modules):
            return ModuleSpec(fullname, self)
        return None

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ == "cgi":
            module.parse_header = _parse_header  # type: ignore[attr-defined]
            return
        # six answers with the module itself (say, collections.abc). It has to take the place of
        # the empty one in sys.modules: written into it, it would lose its own __spec__.
        del sys.modules[module.__name__]
        sys.modules[SIX]._importer.load_module(module.__name__)


def prepare() -> None:
    """Make ``import spyne`` work from here on; call it before the first one, as often as you like.

    The finder goes last, so whatever Python still has itself is preferred.
    """
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
