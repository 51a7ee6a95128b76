"""How a gateway is put together, and what keeps it from being."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.actors.gateway.conftest import HOME, ask, told
from tests.node import free_port
from tests.samples import HOME as OID
from xdsi import checking, gateways
from xdsi.config import Config, ConfigurationError, addresses, from_mapping
from xdsi.model.community import SERVICES
from xdsi.model.messages import DocumentRequest, QueryRequest, RetrieveRequest
from xdsi.plug import Actor
from xdsi.standard import queries
from xdsi.standard.transactions import CROSS_GATEWAY_QUERY, CROSS_GATEWAY_RETRIEVE

GOOD = "http://127.0.0.1:9/x"


def config(folder: Path, **keys: Any) -> Config:
    """A node that is a gateway alone, unless told otherwise."""
    section = {"home_community_id": OID, "registry": GOOD, **keys}
    return from_mapping({"gateway": section}, folder)


def partner(home: str = "2.999.8", **keys: Any) -> dict[str, Any]:
    return {"home_community_id": home, "query": GOOD, **keys}


def actor(settings: Config) -> Actor:
    assert settings.gateway is not None
    (made,) = gateways.actors(
        settings,
        settings.gateway,
        lambda row: pytest.fail(f"no {row.id} here"),
    )
    return made


def test_a_gateway_may_be_a_node_of_its_own(tmp_path: Path) -> None:
    settings = config(tmp_path, repositories=[f"1.2.3={GOOD}"], imaging=[f"1.2.3={GOOD}"])
    assert list(gateways.check(settings)) == []
    assert addresses(settings, "http://x") == {
        "gateway": "http://x/gateway/responding",
        "health": "http://x/health/ready",
        "metrics": "http://x/metrics",
    }
    assert list(gateways.check(from_mapping({}, tmp_path))) == []


@pytest.mark.proves("XC-008")
@pytest.mark.parametrize(
    ("keys", "told_"),
    [
        ({"home_community_id": HOME}, "gateway.home_community_id: expected an OID without urn:oid"),
        ({"home_community_id": "1." + "2" * 63}, "gateway.home_community_id: expected an OID"),
        ({"registry": "registry.example"}, "gateway.registry: expected 'local' or an http"),
        ({"repositories": ["1.2.3"]}, "gateway.repositories: expected OID=URL with an http"),
        ({"repositories": [f"x={GOOD}"]}, "gateway.repositories: expected OID=URL"),
        ({"imaging": ["1.2.3=ftp://x/"]}, "gateway.imaging: expected OID=URL"),
        ({"imaging": [f"1.2={GOOD}", f"1.2={GOOD}"]}, "gateway.imaging: 1.2 is there already"),
        ({"spool_bytes": 0}, "gateway.spool_bytes: expected more than 0"),
        (
            {"partners": [partner(), partner()]},
            "gateway.partners[2]: 2.999.8 is there already; each community has one gateway",
        ),
        ({"partners": [partner(OID)]}, f"gateway.partners[1]: {OID} is there already"),
        (
            {"partners": [partner("urn:oid:1.2")]},
            "gateway.partners[1].home_community_id: expected an OID without urn:oid:, got 'urn:",
        ),
        (
            {"partners": [partner(communities=["x"])]},
            "gateway.partners[1].communities: expected an OID without urn:oid:, got 'x'",
        ),
        (
            {"partners": [partner(imaging="ftp://x")]},
            "gateway.partners[1].imaging: expected an http or https address without user, got 'ftp",
        ),
        *(
            ({"partners": [partner(query=query)]}, "gateway.partners[1].query: expected an http")
            for query in ("", "none", "https://u:p@h/x", "https://[::1", "http://h:99999/", "http://h:0")
        ),
        *(
            ({name: [f"1.2.3={url}"]}, f"gateway.{name}: expected OID=URL with an http")
            for name in ("repositories", "imaging", "web")
            for url in ("https://u:p@h/x", "https://[::1", "http://h:99999/")
        ),
        ({"web": ["1.2.3=http://h/x?y=1"]}, "gateway.web: expected the base of a service, without"),
        (
            {"partners": [partner(web="http://h/x?y=1")]},
            "gateway.partners[1].web: expected the base of a service, without query",
        ),
        ({"registry": "http://u@h/"}, "gateway.registry: expected 'local' or an http"),
        (
            {"partners": [partner(name="N"), partner("2.999.9", name="N")]},
            "gateway.partners[2].name: 'N' is there already",
        ),
        *(
            ({"partners": [partner(seconds=one)]}, "gateway.partners[1].seconds: expected a number")
            for one in (0, -1)
        ),
        (
            {"partners": [partner(identifiers=["guess"])]},
            "gateway.partners[1].identifiers: 'guess' is none of same-domain, table, discovery",
        ),
        (
            {"partners": [partner(quirks=["odd"])]},
            "gateway.partners[1].quirks: 'odd' is none of bare-home, ",
        ),
        (
            {"partners": [partner(domains=["P^1"])]},
            "gateway.partners[1].domains: expected OIDs, got 'P^1'",
        ),
        (
            {"partners": [partner(certificate="x.pem")]},
            "gateway.partners[1].certificate and key go together; give both",
        ),
        *(
            ({"initiating": {key: one}}, f"gateway.initiating.{key}: expected a number above 0")
            for key in ("seconds", "expiry_hours")
            for one in (0, -1)
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it_is_said(tmp_path: Path, keys: dict[str, Any], told_: str) -> None:
    (problem,) = gateways.check(config(tmp_path, **keys))
    assert "u:p" not in problem, "a password"
    assert problem.startswith(told_)


def test_a_source_of_this_node_is_not_named_again(tmp_path: Path) -> None:
    sections: dict[str, Any] = {
        "gateway": {"home_community_id": OID, "repositories": [f"1.2.3={GOOD}"]},
        "registry": {},
        "repository": {"unique_id": "1.2.3"},
    }
    (problem,) = gateways.check(from_mapping(sections, tmp_path))
    assert problem.startswith("gateway.repositories: 1.2.3 is there already")


@pytest.mark.parametrize(
    ("match", "registry", "is_told"),
    [("exact", "local", True), ("off", "local", False), ("exact", GOOD, False)],
    ids=["local", "off", "another registry"],
)
def test_a_patient_is_of_the_community_of_the_gateway(
    tmp_path: Path, match: str, registry: str, is_told: bool
) -> None:
    sections: dict[str, Any] = {
        "gateway": {"home_community_id": OID, "registry": registry},
        "registry": {"discovery": {"match": match, "home_community_id": "1.2.3"}},
    }
    problems = list(gateways.check(from_mapping(sections, tmp_path)))
    told = f"registry.discovery.home_community_id: expected that of [gateway], {OID}, got '1.2.3'"
    assert problems == ([told] if is_told else [])


@pytest.mark.parametrize(("registry", "known"), [("local", ("1.2.3",)), (GOOD, ())])
def test_the_domains_of_a_community_are_those_of_its_registry(
    tmp_path: Path, registry: str, known: tuple[str, ...]
) -> None:
    sections: dict[str, Any] = {
        "gateway": {"home_community_id": OID, "registry": registry},
        "registry": {"assigning_authorities": ["1.2.3"]},
    }
    assert gateways.domains(from_mapping(sections, tmp_path)) == known
    assert gateways.domains(config(tmp_path)) == ()


def test_a_local_registry_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"gateway.registry: 'local' needs a \[registry\]"):
        config(tmp_path, registry="local")


@pytest.mark.proves("XC-057", "XC-070", "XC-016")
def test_a_registry_that_does_not_answer_is_an_error_of_the_gateway(tmp_path: Path) -> None:
    one = actor(config(tmp_path, registry=f"http://127.0.0.1:{free_port()}/registry"))
    answer = ask(one, CROSS_GATEWAY_QUERY, QueryRequest(queries.GET_ALL.id))
    one.close()
    assert told(answer) == [("XDSRegistryError", HOME)]
    assert answer.errors[0].context.startswith("ITI-18: no answer: Connection refused;")
    assert not (tmp_path / "spool").exists()  # there is nothing it could hold


def test_the_spool_is_closed_to_others_and_ends_with_the_gateway(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/repository"
    one = actor(config(tmp_path, repositories=[f"1.2.3={url}"]))
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
    asked = DocumentRequest("1.2.3", "2.25.1", HOME)
    answer = ask(one, CROSS_GATEWAY_RETRIEVE, RetrieveRequest((asked,)))
    assert told(answer) == [("XDSRepositoryError", f"{HOME} 2.25.1")]
    assert len([*(tmp_path / "spool").iterdir()]) == 1
    one.close()
    assert [*(tmp_path / "spool").iterdir()] == []


def test_a_spool_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("")
    with pytest.raises(ConfigurationError, match=r"gateway\.spool: .*spool: File exists"):
        actor(config(tmp_path, imaging=[f"1.2.3={GOOD}"]))


def test_files_of_its_connections_are_looked_at(tmp_path: Path) -> None:
    key = tmp_path / "open.key"
    key.write_text("")
    key.chmod(0o644)
    said = list(checking.check(config(tmp_path, ca="lost.pem", key="open.key")))
    assert f"gateway.ca: {tmp_path / 'lost.pem'} is no file; give the name of a PEM file" in said
    assert any(each.startswith(f"gateway.key: {key}: others may read it") for each in said)


def test_files_of_partners_are_looked_at(tmp_path: Path) -> None:
    key = tmp_path / "open.key"
    key.write_text("")
    key.chmod(0o644)
    second = partner("2.999.9", ca="lost.pem", certificate="lost.pem", key="open.key")
    said = list(checking.check(config(tmp_path, partners=[partner(), second])))
    lost = f"{tmp_path / 'lost.pem'} is no file; give the name of a PEM file"
    assert f"gateway.partners[2].ca: {lost}" in said
    assert f"gateway.partners[2].certificate: {lost}" in said
    assert any(each.startswith(f"gateway.partners[2].key: {key}: others may read") for each in said)


@pytest.mark.parametrize(
    ("keys", "told_"),
    [
        ({"partners": {}}, "gateway.partners: expected tables [[gateway.partners]]"),
        ({"partners": ["x"]}, "gateway.partners[1]: expected a section"),
        ({"partners": [{"query": GOOD}]}, "gateway.partners[1].home_community_id: required"),
        ({"partners": [partner(quirk=["x"])]}, "gateway.partners[1].quirk: unknown key"),
        ({"partners": [partner(relay="x")]}, 'gateway.partners[1].relay: expected "auto" or'),
        ({"initiating": {"x": 1}}, "gateway.initiating.x: unknown key"),
        *(
            ({section: value}, f"{name}: expected a number up to 1000000000, got {one}")
            for one in (float("inf"), float("nan"), float("-inf"), 1e10)
            for section, value, name in (
                ("partners", [partner(seconds=one)], "gateway.partners[1].seconds"),
                ("initiating", {"seconds": one}, "gateway.initiating.seconds"),
                ("initiating", {"expiry_hours": one}, "gateway.initiating.expiry_hours"),
            )
        ),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, keys: dict[str, Any], told_: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(told_)):
        config(tmp_path, **keys)


def test_a_partner_has_one_address_unless_told_otherwise(tmp_path: Path) -> None:
    given = partner(imaging="none", retrieve="http://127.0.0.1:9/y", communities=["2.999.9"])
    section = config(tmp_path, partners=[given], initiating={}).gateway
    assert section is not None and section.initiating is not None
    (one,) = section.partners
    assert {each: one.address(each) for each in SERVICES} == {
        "query": GOOD, "retrieve": "http://127.0.0.1:9/y", "imaging": None,
        "discovery": GOOD, "web": None,
    }  # fmt: skip
    assert one.homes == ("urn:oid:2.999.8", "urn:oid:2.999.9")
    assert one.title == "urn:oid:2.999.8"
