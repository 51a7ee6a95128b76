"""Patient Identity Feed HL7 V3 [ITI-44].

Source: ITI TF-2 3.44.
"""

from registry import identity
from registry.identity import Authorities
from registry.unit import Unit
from xdsi.model.errors import XDSError, XDSRegistryError, findings
from xdsi.model.identity import Acknowledgement, IdentityMessage, InstanceId
from xdsi.plug import Call
from xdsi.units import Units


def receive(
    message: IdentityMessage,
    call: Call,
    units: Units[Unit],
    authorities: Authorities,
    devices: frozenset[str],
) -> Acknowledgement:
    """Do what a message says; durable before it is acknowledged.

    devices: ids of the senders that are heard, `root` or `root^extension`; none: any (PIF-005)
    Findings are returned, not raised: the acknowledgement names the message (PIF-071, PIF-073).
    """
    try:
        _check(message.wrapper.sender, devices)
        identity.receive(message.event, units, authorities)
    except (XDSError, ExceptionGroup) as error:
        return Acknowledgement(findings(error), message.wrapper)
    return Acknowledgement(wrapper=message.wrapper)


def _check(sender: InstanceId, devices: frozenset[str]) -> None:
    names = {sender.root, f"{sender.root}^{sender.extension}"}
    if devices and devices.isdisjoint(names):
        problem = "is no source of this registry"
        raise XDSRegistryError("sender.device.id", problem, value=sender.root, rule="PIF-005")
