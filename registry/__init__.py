"""The Document Registry actor."""

from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from registry import (
    discovery,
    iti8,
    iti18,
    iti42,
    iti44,
    iti51,
    iti55,
    iti57,
    iti61,
    iti62,
    iti92,
    valuesets,
)
from registry.codes import Codes
from registry.identity import Authorities
from registry.iti18 import Policy
from registry.known import Domain
from registry.search import Searches
from registry.unit import open_units
from xdsi import config
from xdsi.config import Limits
from xdsi.model.errors import XDSError
from xdsi.plug import Actor, Feed, Handler, Route
from xdsi.standard.transactions import (
    MULTI_PATIENT_QUERY,
    PATIENT_DISCOVERY,
    PATIENT_FEED,
    REGISTER,
    REGISTER_ON_DEMAND,
    REMOVE_METADATA,
    RESTRICTED_UPDATE,
    STORED_QUERY,
    UPDATE,
    Transaction,
)
from xdsi.units import Migrations

MIGRATIONS = Migrations("registry", Path(__file__).parent / "migrations")


def actor(settings: config.Registry, limits: Limits, engine: Engine) -> Actor:
    """A Document Registry on a database whose tables are those of this version.

    Its handlers also serve callers in the process. `close` disposes of the engine.
    Raises ConfigurationError when the code files cannot be used.
    """
    units = open_units(engine, limits.statement_seconds)
    codes, searches = Codes(units), Searches(engine.dialect)
    domain = Domain.of(settings, limits.objects, valuesets.load(settings.value_sets))
    policy = Policy.of(settings, limits)

    submitting: dict[str, Any] = {"units": units, "codes": codes, "domain": domain}
    asking: dict[str, Any] = {
        "units": units,
        "codes": codes,
        "searches": searches,
        "policy": policy,
    }

    # those with a name may be switched off
    offered: tuple[tuple[str, Transaction, Handler], ...] = (
        ("", REGISTER, partial(iti42.register, **submitting)),
        ("", STORED_QUERY, partial(iti18.find, **asking)),
        ("multi-patient", MULTI_PATIENT_QUERY, partial(iti51.find, **asking)),
        ("metadata-update", UPDATE, partial(iti57.update, **submitting)),
        ("on-demand", REGISTER_ON_DEMAND, partial(iti61.register, **submitting)),
        (
            "remove-metadata",
            REMOVE_METADATA,
            partial(iti62.remove, units=units, objects=limits.objects),
        ),
        ("restricted-update", RESTRICTED_UPDATE, partial(iti92.update, **submitting)),
    )

    authorities = Authorities.of(settings)
    receive = partial(iti8.receive, units=units, authorities=authorities)
    devices = frozenset(settings.feed_devices)
    feed = partial(iti44.receive, units=units, authorities=authorities, devices=devices)

    discover = partial(iti55.find, units=units, settings=settings.discovery)

    def ready() -> tuple[str, ...]:
        try:
            units.rows(text("SELECT 1"))
        except XDSError as error:
            return (f"registry: {error.context}",)
        return ()

    def close() -> None:
        units.close()
        engine.dispose()

    return Actor(
        name="registry",
        path="/registry",
        contract="registry",
        routes=(
            *(
                Route(transaction, handler)
                for option, transaction, handler in offered
                if option not in settings.without
            ),
            *(Route(each, feed) for each in PATIENT_FEED if settings.feed_v3),
            *((Route(PATIENT_DISCOVERY, discover),) if settings.discovery.match != "off" else ()),
        ),
        feed=None if settings.feed_port is None else Feed(receive, settings.feed_senders),
        demographics=partial(discovery.told, units=units),
        ready=ready,
        close=close,
    )
