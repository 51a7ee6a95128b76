"""Patient Identity Feed [ITI-8].

Source: ITI TF-2 3.8.
"""

from registry import identity
from registry.identity import Authorities
from registry.unit import Unit
from xdsi.model.identity import Acknowledgement, IdentityEvent
from xdsi.plug import Call
from xdsi.units import Units


def receive(
    event: IdentityEvent, call: Call, units: Units[Unit], authorities: Authorities
) -> Acknowledgement:
    """Do what an HL7 v2 message says; durable before it is acknowledged (C.2.3).

    Raises every finding at once as an ExceptionGroup, and the errors of `Units.run`.
    """
    identity.receive(event, units, authorities)
    return Acknowledgement()
