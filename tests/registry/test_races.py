"""Submissions at the same moment, on both databases: one winner, the right error for the rest."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache

import pytest

from registry import iti57, iti92
from tests import samples
from tests.databases import PostgreSQL
from tests.registry.conftest import DOMAIN, LEVEL_2, Maker, Registry, Submitting
from tests.registry.race import DOORS, RACES, WON, Door, Race, Threads, main, servers, together
from tests.registry.race import WRITERS as MOST
from tests.registry.updates import request, revised
from xdsi.model.messages import Submission
from xdsi.model.values import CX
from xdsi.standard import queries, urns
from xdsi.wire.parameters import single

WRITERS, ROUNDS = 16, 3


def race(registry: Registry, submissions: Sequence[Submission]) -> Counter[str]:
    return Counter(together([lambda sent=sent: registry.register(sent) for sent in submissions]))


@pytest.fixture(scope="module")
def doors(
    postgresql_server: PostgreSQL, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Door]]:
    """A door of each kind, opened when it is first asked for."""
    with ExitStack() as stack:

        @cache
        def door(kind: str) -> Door:
            folder = tmp_path_factory.mktemp("race")
            if kind == "servers":
                return stack.enter_context(servers(postgresql_server.create(), folder))
            is_file = kind == "sqlite"
            url = f"sqlite:///{folder / 'race.db'}" if is_file else postgresql_server.create()
            one = Threads(url)
            stack.callback(one.close)
            return one

        yield door


@pytest.mark.parametrize("kind", DOORS)
@pytest.mark.parametrize(
    "of",
    [
        pytest.param(each, marks=pytest.mark.proves(*ids), id=each.__name__)
        for each, ids in RACES.items()
    ],
)
def test_a_race_ends_well(doors: Callable[[str], Door], kind: str, of: Race, make: Maker) -> None:
    of(doors(kind), make, MOST)


def test_the_campaign_counts_its_rounds_and_ends_in_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["--on", "sqlite", "--only", "sets_of_one_unique_id", "--writers", "4"]
    assert main([*given, "--rounds", "2"]) == 0
    assert " 2 rounds held" in capsys.readouterr().out
    assert main([*given, "--seconds", "0"]) == 0
    assert " 1 rounds held" in capsys.readouterr().out


def test_the_campaign_ends_with_the_first_thing_that_does_not_hold(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.registry.race.DUPLICATE", "another code")
    assert main(["--on", "sqlite", "--only", "sets_of_one_unique_id", "--writers", "4"]) == 1
    assert "sets_of_one_unique_id: does not hold in round 1" in capsys.readouterr().out


@pytest.mark.proves("REG-094")
def test_identical_documents_all_win(registry: Registry, make: Maker) -> None:
    value = make.entry().unique_id
    sent = [make.submission([make.entry(unique_id=value)]) for _ in range(WRITERS)]
    assert race(registry, sent) == {WON: WRITERS}
    slot = single("$XDSDocumentEntryUniqueId", str(value))
    assert len(registry.ids(queries.GET_DOCUMENTS, slot)) == WRITERS


@pytest.mark.proves("REG-113", "SEC-T-012")
def test_an_addendum_never_survives_the_replacement_of_its_document(
    registry: Registry, make: Maker
) -> None:
    for _ in range(ROUNDS):
        old, new = make.entry(), make.entry()
        registry.register(make.submission([old]))
        addenda = [make.entry() for _ in range(WRITERS - 1)]
        sent = [
            make.submission([each], associations=[samples.association(urns.APND, each, old)])
            for each in addenda
        ]
        link = samples.association(urns.RPLC, new, old)
        sent.insert(5, make.submission([new], associations=[link]))
        outcome = race(registry, sent)
        assert outcome.keys() <= {WON, "XDSRegistryDeprecatedDocumentError"}
        links = registry.associations(old.entry_uuid)
        stored = [each.source_object for each in links if each.association_type == urns.APND]
        assert len(stored) == outcome[WON] - 1
        assert {registry.status(each) for each in stored} <= {urns.DEPRECATED}


@pytest.mark.proves("LC-015", "LC-024", "LC-092", "SEC-T-012")
@pytest.mark.parametrize("by", [iti57.update, iti92.update], ids=["ITI-57", "ITI-92"])
def test_one_of_many_updates_wins(registry: Registry, make: Maker, by: Submitting) -> None:
    for _ in range(ROUNDS):
        old = make.entry()
        registry.register(make.submission([old]))
        sent = [request(make, revised(old)) for _ in range(WRITERS)]
        outcome = together([lambda one=one: registry.register(one, by=by) for one in sent])
        assert Counter(outcome) == {WON: 1, "XDSMetadataVersionError": WRITERS - 1}
        slot = single("$XDSDocumentEntryLogicalID", old.entry_uuid)
        found = registry.find(queries.GET_DOCUMENTS, slot, LEVEL_2)
        assert [each.version for each in found] == ["1", "2"]


@pytest.mark.proves("LC-056", "SEC-T-012")
def test_both_ends_of_an_association_updated_at_once_stay_related(
    registry: Registry, make: Maker
) -> None:
    for _ in range(6):
        old, addendum = make.entry(), make.entry()
        registry.register(make.submission([old]))
        link = samples.association(urns.APND, addendum, old)
        registry.register(make.submission([addendum], associations=[link]))
        new = [revised(old), revised(addendum)]
        sent = [request(make, each) for each in new]
        works = [lambda one=one: registry.register(one, by=iti57.update) for one in sent]
        assert together(works) == [WON, WON]
        (one,) = (
            each
            for each in registry.associations(new[0].entry_uuid)
            if each.association_type == urns.APND and each.source_object == new[1].entry_uuid
        )
        assert one.target_object == new[0].entry_uuid


@pytest.mark.proves("PIF-006")
def test_many_first_submissions_of_a_patient_admit_it_once(registry: Registry) -> None:
    for _ in range(ROUNDS):
        make = Maker(samples.new_patient())
        code = samples.Code.of(samples.new_oid(), samples.new_oid(), "new")
        sent = [make.submission([make.entry(class_code=code)]) for _ in range(WRITERS)]
        assert race(registry, sent) == {WON: WRITERS}


@pytest.mark.proves("SEC-T-002", "REG-130")
def test_a_reader_sees_a_submission_whole_or_not_at_all(
    registry: Registry, make: Maker, patient: CX
) -> None:
    sizes: list[int] = []
    sent = [make.submission([make.entry(), make.entry()]) for _ in range(12)]
    whole = 5  # a set, two entries, two memberships

    def write() -> None:
        for each in sent:
            registry.register(each, DOMAIN)

    def read() -> None:
        while not sizes or sizes[-1] < len(sent) * whole:
            sizes.append(len(registry.everything(patient)))

    assert together([write, read]) == [WON, WON]
    assert {size % whole for size in sizes} == {0}
