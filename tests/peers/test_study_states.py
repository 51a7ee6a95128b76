"""How the studies of an archive stand, asked page by page."""

import json
import re
from datetime import date

import pytest

from tests.peers.stub import Line, Stub, http
from xdsi.peers import qido
from xdsi.peers.session import open_session
from xdsi.peers.web import Web
from xdsi.plug import Call

STUDIES = [f"1.2.3.{number}" for number in range(250)]


def telling(most: int, *, knows_offset: bool = True) -> object:
    """A service that gives so many studies at a time at most."""

    def act(line: Line) -> None:
        while (request := line.receive()) is not None:
            asked = dict(re.findall(r"(limit|offset)=(\d+)", request.line))
            first = int(asked["offset"]) if knows_offset else 0
            page = STUDIES[first : first + min(most, int(asked["limit"]))]
            items = [
                {
                    "0020000D": {"vr": "UI", "Value": [uid]},
                    "00201206": {"vr": "IS", "Value": [1]},
                    "00201208": {"vr": "IS", "Value": [7]},
                }
                for uid in page
            ]
            line.send(http(json.dumps(items).encode(), "application/dicom+json"))

    return act


@pytest.mark.parametrize("most", [1, 7, 100, 1000])
def test_a_service_that_gives_less_than_is_asked_for(most: int) -> None:
    with Stub(telling(most)) as stub, open_session() as session:  # type: ignore[arg-type]
        web = Web(stub.address, session)
        found = list(qido.study_states(web, date(2026, 1, 1), Call.internal()))
    assert [each.study_instance_uid for each in found] == STUDIES
    assert {each.mark for each in found} == {"1/7"}


def test_a_service_that_knows_no_offset_is_not_asked_for_ever() -> None:
    with Stub(telling(100, knows_offset=False)) as stub, open_session() as session:  # type: ignore[arg-type]
        web = Web(stub.address, session)
        found = list(qido.study_states(web, date(2026, 1, 1), Call.internal()))
    assert [each.study_instance_uid for each in found] == STUDIES[:100]
