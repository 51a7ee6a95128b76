"""The server: HTTP and SOAP in front of the actors."""

from xdsi import spyne_shim

# before any module of this package imports spyne
spyne_shim.prepare()

from xdsi.server.app import application  # noqa: E402
from xdsi.server.listen import (  # noqa: E402
    FEED,
    CannotServe,
    check_exposure,
    check_port,
    check_record,
    serve,
)

__all__ = [
    "FEED",
    "CannotServe",
    "application",
    "check_exposure",
    "check_port",
    "check_record",
    "serve",
]
