"""Databases for every actor with tables: engines, units of work, migrations.

Works on SQLite (one writing process) and PostgreSQL (any number).
"""

from xdsi.units.engines import UnusableDatabase, engine
from xdsi.units.faults import Faults, LostRace
from xdsi.units.migrations import Migrations, SchemaMismatch, migrate, pending, require_current
from xdsi.units.prepared import Listing, Prepared, among, listed, room
from xdsi.units.work import Units

__all__ = [
    "Faults",
    "Listing",
    "LostRace",
    "Migrations",
    "Prepared",
    "SchemaMismatch",
    "Units",
    "UnusableDatabase",
    "among",
    "engine",
    "listed",
    "migrate",
    "pending",
    "require_current",
    "room",
]
