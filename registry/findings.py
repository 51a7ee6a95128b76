"""Findings of the rules: which object, what is wrong, which rule."""

from registry.unit import Stored
from xdsi.model.checks import name_of
from xdsi.model.errors import (
    UnresolvedReferenceException,
    XDSError,
    XDSRegistryDeprecatedDocumentError,
    XDSRegistryMetadataError,
)
from xdsi.model.objects import Association, RegistryObject


def what(obj: RegistryObject, attribute: str = "") -> str:
    name = f"{name_of(obj)} {type(obj).__name__}"
    return f"{name}.{attribute}" if attribute else name


def refuse(
    obj: RegistryObject | None,
    attribute: str,
    problem: str,
    rule: str,
    value: str | None = None,
    error: type[XDSError] = XDSRegistryMetadataError,
) -> XDSError:
    """obj: None for the submission as a whole, which `attribute` then names."""
    name = attribute if obj is None else what(obj, attribute)
    location = "" if obj is None else obj.entry_uuid
    return error(name, problem, value=value, rule=rule, location=location)


def unresolved(association: Association, attribute: str, problem: str, rule: str) -> XDSError:
    value = association.source_object if attribute == "sourceObject" else association.target_object
    return UnresolvedReferenceException(
        what(association, attribute),
        problem,
        value=value,
        rule=rule,
        location=association.entry_uuid,
    )


def deprecated(association: Association, target: Stored, rule: str) -> XDSError:
    return XDSRegistryDeprecatedDocumentError(
        what(association, "targetObject"),
        "the entry is Deprecated; find the current one and name that",
        value=target.uuid,
        rule=rule,
        location=association.entry_uuid,
    )
