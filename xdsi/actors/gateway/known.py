"""What patients are called in other communities, as it is kept."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, bindparam, delete, select

from xdsi.actors.gateway.schema import DISCOVERY, IDENTIFIER, TABLE
from xdsi.model.errors import XDSRegistryBusy, XDSRegistryError, XDSRegistryOutOfResources
from xdsi.model.values import CX, HomeCommunityId
from xdsi.units import Faults, Migrations, Units

MIGRATIONS = Migrations("gateway", Path(__file__).parent / "migrations")
FAULTS = Faults(XDSRegistryBusy, XDSRegistryOutOfResources, XDSRegistryError)


@dataclass(frozen=True, slots=True)
class KnownAs:
    """One identifier.

    patient: of this domain; identifier: of the community
    source: `schema.TABLE` or `schema.DISCOVERY`; expires: seconds since 1970, of the latter
    degree: how well the patient fitted, 0 to 100; is_locator: the community knows of others
    person: digest of the demographics that the patient was discovered by
    """

    patient: CX
    community: HomeCommunityId
    identifier: CX
    source: str = TABLE
    expires: int | None = None
    degree: int | None = None
    is_locator: bool = False
    person: str | None = None

    def is_expired(self, now: float) -> bool:
        """Whether it is not used any more; now: seconds since 1970."""
        return self.source == DISCOVERY and (self.expires or 0) <= now


@dataclass(frozen=True, slots=True)
class _Unit:
    connection: Connection
    now: datetime


_ALL = select(IDENTIFIER).order_by(
    IDENTIFIER.c.patient, IDENTIFIER.c.community, IDENTIFIER.c.source
)
_OF_ONE = _ALL.where(
    IDENTIFIER.c.patient == bindparam("patient"), IDENTIFIER.c.community == bindparam("community")
)
_REMOVED = delete(IDENTIFIER).where(
    IDENTIFIER.c.patient == bindparam("of"),
    IDENTIFIER.c.community == bindparam("at"),
    IDENTIFIER.c.source == bindparam("by"),
)
_EXPIRED = delete(IDENTIFIER).where(
    IDENTIFIER.c.source == DISCOVERY, IDENTIFIER.c.expires <= bindparam("now")
)


class Known:
    """The identifiers in a database whose tables are those of this version.

    Every method raises XDSRegistryBusy, XDSRegistryOutOfResources or XDSRegistryError when the
    database does not do its part.
    """

    def __init__(self, engine: Engine, *, patience: float = 5.0) -> None:
        self._engine = engine
        self._units = Units(engine, _Unit, FAULTS, patience=patience)

    def find(self, patient: CX, community: HomeCommunityId) -> dict[str, KnownAs]:
        """What a community calls a patient, by source, expired or not."""
        values = {"patient": str(patient), "community": str(community)}
        return {each.source: _known_as(each) for each in self._units.rows(_OF_ONE, values)}

    def list_(self) -> Sequence[KnownAs]:
        """All, by patient and community."""
        return [_known_as(each) for each in self._units.rows(_ALL)]

    def put(self, given: Iterable[KnownAs], now: float = 0.0) -> None:
        """Keep these, all or none, instead of those of the same patient, community and source.

        now: seconds since 1970; what has expired by then goes, of whatever patient
        """
        # of two for the same the last one counts
        rows = {(str(each.patient), str(each.community), each.source): each for each in given}

        def work(unit: _Unit) -> None:
            unit.connection.execute(_EXPIRED, {"now": int(now)})
            for key, each in sorted(rows.items()):
                unit.connection.execute(_REMOVED, dict(zip(("of", "at", "by"), key, strict=True)))
                unit.connection.execute(IDENTIFIER.insert(), _row(each))

        self._units.run(work)

    def remove(self, patient: CX, community: HomeCommunityId) -> bool:
        """Forget what a community calls a patient; False if there was nothing."""

        def work(unit: _Unit) -> bool:
            gone = delete(IDENTIFIER).where(
                IDENTIFIER.c.patient == str(patient), IDENTIFIER.c.community == str(community)
            )
            return bool(unit.connection.execute(gone).rowcount)

        return self._units.run(work)

    def close(self) -> None:
        self._units.close()
        self._engine.dispose()


def _known_as(row: Row[Any]) -> KnownAs:
    return KnownAs(
        CX(row.patient),
        HomeCommunityId(row.community),
        CX(row.identifier),
        row.source,
        row.expires,
        row.degree,
        row.is_locator,
        row.person,
    )


def _row(each: KnownAs) -> dict[str, object]:
    return {
        "patient": str(each.patient),
        "community": str(each.community),
        "source": each.source,
        "identifier": str(each.identifier),
        "expires": each.expires,
        "degree": each.degree,
        "is_locator": each.is_locator,
        "person": each.person,
    }
