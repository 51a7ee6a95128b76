"""Cross Gateway Patient Discovery [ITI-55], asked of another community.

Source: ITI TF-2 3.55.4.1 (XC-090 to XC-104).
"""

from collections.abc import Sequence
from uuid import uuid4

from xdsi.actors.gateway.communities import Community
from xdsi.actors.gateway.health import unavailable
from xdsi.model.discovery import (
    Address,
    DiscoveryAnswer,
    DiscoveryRequest,
    PatientMatch,
    PatientQuery,
    PersonName,
)
from xdsi.model.identity import Demographics, InstanceId, Wrapper, issued
from xdsi.model.values import CX, HomeCommunityId
from xdsi.plug import Call
from xdsi.standard import urns


def question(
    patient: CX, person: Demographics, home: HomeCommunityId, asked: HomeCommunityId
) -> DiscoveryRequest:
    """Who is asked for: all that is known, and our identifier for the way back (XC-095, XC-098)."""
    address = Address(person.street, person.city, person.state, person.postal_code, person.country)
    own, other = (str(each).removeprefix(urns.OID_PREFIX) for each in (home, asked))
    query = PatientQuery(
        InstanceId(own, uuid4().hex),
        names=(PersonName(person.family, person.given),) if person.family else (),
        birth_date=person.birth_date,
        sex=person.sex,
        ids=(issued(patient), *person.other_ids),
        addresses=() if address == Address() else (address,),
    )
    wrapper = Wrapper(
        InstanceId(own, uuid4().hex),
        InstanceId(own),
        InstanceId(other),
        sender_home=home,
        receiver_home=asked,
    )
    return DiscoveryRequest(query, wrapper)


def ask(
    patient: CX, person: Demographics, home: HomeCommunityId, community: Community, call: Call
) -> Sequence[PatientMatch]:
    """Those that fit; none where none does or the community wants to know more.

    Raises XDSUnavailableCommunity when it does not answer, or with an error (XC-107).
    """
    if community.discover is None:
        return ()
    request = question(patient, person, home, community.partner.home)
    answer: DiscoveryAnswer = community.discover(request, call)
    if answer.errors or answer.problem:
        said = answer.problem or "; ".join(each.context for each in answer.errors)
        raise unavailable(community.partner, f"patient discovery [ITI-55] failed there: {said}")
    return answer.matches
