"""Two countries in network namespaces of their own, with delay and loss between them."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic

import pytest

from tests.actors.gateway.test_countries import HERE, NORTH, ask, find
from tests.actors.imaging.studies import new_uid, study
from tests.node import AUTHORITY, XDSI, Node, environment, fresh_patient, init, serving
from tests.wide import FAR, PORT, Wide, wide
from xdsi.model.messages import DocumentRequest, RetrieveRequest
from xdsi.standard import urns
from xdsi.standard.transactions import RETRIEVE, STORED_QUERY

pytestmark = pytest.mark.optional("not every machine lets namespaces have tun devices")

_SECONDS, _LOSS = 0.02, 0.01  # on the way; of all packets
_PARTNER_SECONDS = 3.0
_GATEWAY = """[gateway]
home_community_id = "{home}"
"""
_PARTNER = """[gateway.initiating]
[[gateway.partners]]
name = "North"
home_community_id = "{home}"
query = "{address}/gateway/responding"
discovery = "none"
domains = ["{domain}"]
seconds = {seconds}
"""


@dataclass(frozen=True)
class Countries:
    """here: whose consumers ask; north: far away"""

    wide: Wide
    here: Node
    north: Node

    def run(self, place: str, *arguments: object) -> dict[str, object]:
        """What a command of xdsi says there."""
        command = [*self.wide.enter(place), *XDSI, *map(str, arguments), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, env=environment())
        assert done.returncode == 0, done.stderr
        answer: dict[str, object] = json.loads(done.stdout)
        return answer


def _node(folder: Path, gateway: str) -> Path:
    config = init(folder, PORT)
    with config.open("a") as file:
        file.write(gateway)
    return config


@pytest.fixture(scope="module")
def countries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Countries]:
    folder = tmp_path_factory.mktemp("wide")
    home = {each: each.removeprefix("urn:oid:") for each in (HERE, NORTH)}
    partner = _PARTNER.format(
        home=home[NORTH], address=FAR, domain=AUTHORITY, seconds=_PARTNER_SECONDS
    )
    near = _node(folder / "here", _GATEWAY.format(home=home[HERE]) + partner)
    far = _node(folder / "north", _GATEWAY.format(home=home[NORTH]))
    subprocess.run([*XDSI, "migrate", "--config", near], check=True, capture_output=True)
    with (
        wide(folder, _SECONDS, _LOSS) as made,
        serving(far, inside=made.enter("far")) as north,
        serving(near, inside=made.enter("near")) as here,
        made.address("far") as north.base,
        made.address("near") as here.base,
    ):
        yield Countries(made, here, north)


@pytest.mark.proves("UC-150", "XC-054")
def test_a_report_is_found_and_read(countries: Countries, tmp_path: Path) -> None:
    patient, report = fresh_patient(), Random(1).randbytes(400_000)
    file = tmp_path / "report.bin"
    file.write_bytes(report)
    at = ("--config", countries.north.config)
    said = countries.run("far", "submit", file, "--patient", patient, *at)
    began = monotonic()
    answer, _ = ask(countries.here, STORED_QUERY, find(patient))
    assert monotonic() - began > 2 * _SECONDS, "it was on its way"
    (entry,) = answer.objects
    assert (answer.errors, str(entry.home)) == ((), NORTH)
    (submitted,) = said["documents"]  # type: ignore[misc]
    assert str(entry.unique_id) == submitted["uniqueId"]
    asked = DocumentRequest(str(entry.repository_unique_id), str(entry.unique_id), NORTH)
    got, contents = ask(countries.here, RETRIEVE, RetrieveRequest((asked,)))
    assert (got.status, contents) == (urns.SUCCESS, [report])


@pytest.mark.proves("UC-151")
def test_a_study_is_fetched(countries: Countries, tmp_path: Path) -> None:
    patient, uid = fresh_patient(), new_uid()
    images = study(uid, {new_uid(): 3, new_uid(): 2})
    folder = tmp_path / "study"
    folder.mkdir()
    for name, data in images.items():
        (folder / f"{name}.dcm").write_bytes(data)
    at = ("--config", countries.north.config)
    countries.run("far", "import", folder, *at)
    countries.run("far", "publish", uid, "--patient", patient, *at)
    into = tmp_path / "into"
    countries.run(
        *("near", "fetch", "--gateway", "--patient", patient, "--study", uid),
        *("--into", into, "--config", countries.here.config),
    )
    assert {each.stem: each.read_bytes() for each in into.glob("*/*.dcm")} == images


@pytest.mark.proves("XC-056", "SEC-T-048")
def test_a_line_that_goes_dark_is_told_in_time_and_forgotten(countries: Countries) -> None:
    patient = fresh_patient()
    answer, _ = ask(countries.here, STORED_QUERY, find(patient))
    assert (answer.status, answer.errors) == (urns.SUCCESS, ())
    countries.wide.lose(1.0)
    try:
        began = monotonic()
        answer, _ = ask(countries.here, STORED_QUERY, find(patient))
        took = monotonic() - began
    finally:
        countries.wide.lose(_LOSS)
    assert [(each.code, each.location) for each in answer.errors] == [
        ("XDSUnavailableCommunity", NORTH)
    ]
    assert took < _PARTNER_SECONDS + 2
    answer, _ = ask(countries.here, STORED_QUERY, find(patient))
    assert (answer.status, answer.errors) == (urns.SUCCESS, ())
