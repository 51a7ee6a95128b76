"""The addresses of DICOMweb and WADO-URI."""

from functools import partial

from xdsi.actors.imaging import pictures, qido, rad55, rad107, stow
from xdsi.actors.imaging.source import Source
from xdsi.actors.imaging.web import Keep, Row, Web, route
from xdsi.model.web import WebRequest
from xdsi.plug import Resource, WebRoute
from xdsi.standard.transactions import QIDO_RS, STOW_RS, WADO_RS, WADO_URI

DICOM_WEB, WADO = "/dicom-web", "/wado"

_INSTANCE = "studies/*/series/*/instances/*"
_ROWS = (
    Row("GET", "studies", QIDO_RS, qido.studies),
    Row("GET", "studies/*/series", QIDO_RS, qido.series),
    Row("GET", "studies/*/instances", QIDO_RS, qido.instances),
    Row("GET", "studies/*/series/*/instances", QIDO_RS, qido.instances),
    Row("POST", "studies", STOW_RS, stow.store),
    Row("POST", "studies/*", STOW_RS, stow.store),
    *(
        row
        for path in ("studies/*", "studies/*/series/*", _INSTANCE)
        for row in (
            Row("GET", path, WADO_RS, rad107.instances),
            Row("GET", f"{path}/metadata", WADO_RS, rad107.metadata),
        )
    ),
    Row("GET", f"{_INSTANCE}/rendered", WADO_RS, pictures.render),
    Row("GET", f"{_INSTANCE}/frames/*", WADO_RS, rad107.frames),
    Row("GET", f"{_INSTANCE}/frames/*/rendered", WADO_RS, pictures.render),
    Row("GET", f"{_INSTANCE}/bulkdata/*", WADO_RS, rad107.bulk_data),
)
_WADO = (Row("GET", "", WADO_URI, rad55.retrieve),)


def resources(
    source: Source, public_url: str = "", *, keep: Keep | None = None
) -> tuple[Resource, ...]:
    """What an imaging source serves in plain HTTP.

    public_url: where addresses in answers begin; without it they begin at the path
    keep: stores what comes by STOW-RS
    """
    web = Web(source, public_url.rstrip("/") + DICOM_WEB, keep)
    methods = ("GET", "HEAD") if keep is None else ("GET", "HEAD", "POST")
    return (
        Resource(DICOM_WEB, methods, partial(_dicom_web, web=web)),
        Resource(WADO, ("GET", "HEAD"), partial(route, rows=_WADO, web=web)),
    )


def _dicom_web(request: WebRequest, web: Web) -> WebRoute:
    found = route(request, _ROWS, web)
    if found.transaction == STOW_RS:
        stow.check(request)
    return found
