"""The benchmark runs, and what it fills a registry with is what the registry writes."""

import io
import json
import random
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pydicom
import pytest

from bench import fill, generate, images, messages, node, samples, scale
from bench.__main__ import ROWS, main
from bench.courses import VARIANTS, Course
from bench.measure import compared, percentile, take_turns
from bench.query import answering
from registry.schema import Kind
from xdsi import app
from xdsi.config import Config, Registry
from xdsi.model.messages import QueryRequest
from xdsi.plug import Call
from xdsi.standard import queries, urns
from xdsi.wire.parameters import many, single


# the rows of WADO-RS take the way of those of RAD-69, and memory-images asks for it too
@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, marks=pytest.mark.needs("Orthanc")) if row.endswith("-orthanc") else row
        for row in ROWS
        if not row.startswith("wado-rs-")
    ],
)
def test_row_runs_at_the_smallest_size(row: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    outcome = main(["--smallest", "--only", row, "--json", str(kept), "--folder", str(tmp_path)])
    assert outcome in (0, 1)  # at this size a mark may be missed
    found = json.loads(kept.read_text())
    assert found["mode"] == "smallest"
    assert found["machine"]["cores"] > 0
    assert any(line["row"] == row and line["demand"] for line in found["lines"])
    assert all(line["ours"] > 0 for line in found["lines"])
    assert list(tmp_path.iterdir()) == [kept]


def _shape(database: sqlite3.Connection, submission: int) -> list[tuple[object, ...]]:
    """The rows of a submission, with ids, uniqueIds and patient left out and numbers relative."""
    tables = {
        "object": "SELECT * FROM object WHERE submission = ?1 ORDER BY id",
        "fragment": "SELECT fragment.* FROM fragment JOIN object ON id = object "
        "WHERE submission = ?1 ORDER BY id",
        "association": "SELECT association.* FROM association JOIN object USING (id) "
        "WHERE submission = ?1 ORDER BY id",
        "object_value": "SELECT object_value.* FROM object_value JOIN object ON id = object "
        "WHERE submission = ?1 ORDER BY 1, 2, 3",
        "unique_id": "SELECT * FROM unique_id WHERE value IN "
        "(SELECT unique_id FROM object WHERE submission = ?1)",
    }
    ids = database.execute(
        "SELECT uuid, unique_id FROM object WHERE submission = ? ORDER BY id", (submission,)
    ).fetchall()
    (first,) = database.execute(
        "SELECT min(id) FROM object WHERE submission = ?", (submission,)
    ).fetchone()
    tokens = [token for pair in ids for token in pair if token]
    found = []
    for table, statement in tables.items():
        cursor = database.execute(statement, (submission,))
        names = [each[0] for each in cursor.description]
        for row in cursor:
            found.append(
                (
                    table,
                    *(
                        _masked(name, value, tokens, first, fill._NUMBERS[table])
                        for name, value in zip(names, row, strict=True)
                    ),
                )
            )
    return sorted(found, key=repr)


def _masked(
    name: str, value: object, tokens: list[str], first: int, numbers: tuple[str, ...]
) -> object:
    if name in numbers:
        assert isinstance(value, int)
        return value - first
    if name == "patient":
        return value is None
    if isinstance(value, bytes):
        for at, token in enumerate(tokens):
            value = value.replace(token.encode(), b"<%d>" % at)
    elif isinstance(value, str):
        for at, token in enumerate(tokens):
            value = value.replace(token, f"<{at}>")
    return value


def test_filled_rows_are_those_of_a_registered_submission(tmp_path: Path) -> None:
    fill.fill(tmp_path, 40, 20)
    with closing(sqlite3.connect(tmp_path / fill.DATABASE)) as database:
        sets = [
            row[0] for row in database.execute("SELECT DISTINCT submission FROM object ORDER BY 1")
        ]
        shapes = [_shape(database, each) for each in sets]
        assert len(sets) == 1 + 40 // fill.PER_SUBMISSION  # the first was registered by ITI-42
        assert len(shapes[0]) > 10
        assert all(shape == shapes[0] for shape in shapes[1:])
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_registry_goes_on_after_it_was_filled(tmp_path: Path) -> None:
    fill.fill(tmp_path, 40, 20)
    fill.template(tmp_path)
    with closing(sqlite3.connect(tmp_path / fill.DATABASE)) as database:
        (count,) = database.execute("SELECT count(*) FROM object WHERE kind = 1").fetchone()
        assert count == 40 + 2 * fill.PER_SUBMISSION


def _all_of(number: int) -> bytes:
    """The envelope that asks for all that a patient of that number has."""
    statuses = ("DocumentEntryStatus", "SubmissionSetStatus", "FolderStatus")
    slots = (
        single("$patientId", str(samples.patient(number))),
        *(many(f"$XDS{name}", (urns.APPROVED, urns.DEPRECATED)) for name in statuses),
    )
    return messages.query_envelope(QueryRequest(queries.GET_ALL.id, slots))


def _canonical(answer: bytes) -> bytes:
    """The objects of an answer with ids counted in the order in which they occur."""
    _, _, text = answer.partition(b"<rim:RegistryObjectList>")
    seen: dict[bytes, int] = {}
    own = (
        rb"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|2\.25\.1\d{37}|\d{20}|BENCH-\d{7}"
        # set when a folder is registered
        rb"|(?<=lastUpdateTime\"><rim:ValueList><rim:Value>)\d{14}"
    )
    return re.sub(own, lambda found: b"<%d>" % seen.setdefault(found[0], len(seen)), text)


def test_a_generated_registry_answers_as_one_that_was_registered(
    database: str, tmp_path: Path
) -> None:
    config = Config(registry=Registry(database=database, unknown_patients="admit"), folder=tmp_path)
    app.migrate(config)
    patients, each = VARIANTS + 1, 12
    filled = generate.fill(config, patients * each, each)
    assert (filled.patients, filled.entries) == (patients, patients * each)
    (actor,) = app.actors(config)
    answer = answering(actor)
    registered = [answer(_all_of(generate._FIRST_TEMPLATE + at)) for at in range(VARIANTS)]
    assert len(set(map(_canonical, registered))) == VARIANTS
    for number in range(patients):
        found = answer(_all_of(number))
        assert found.count(b"<rim:ExtrinsicObject ") == each
        assert _canonical(found) == _canonical(registered[number % VARIANTS])
    with generate.registering(config) as register:  # goes on where the copies end
        for sent in Course(samples.patient(0), each, 1).submissions():
            register(sent, Call.internal())
    assert answer(_all_of(0)).count(b"<rim:ExtrinsicObject ") == 2 * each
    for shape in scale.SHAPES:
        one = scale._One(filled, patients - 1, random.Random(1))
        assert b"ResponseStatusType:Success" in answer(shape.envelope(one)), shape.name
    actor.close()


def test_what_is_asked_for_is_what_the_registry_was_filled_with(tmp_path: Path) -> None:
    config = Config(
        registry=Registry(
            database=f"sqlite:///{tmp_path / 'registry.db'}", unknown_patients="admit"
        ),
        folder=tmp_path,
    )
    app.migrate(config)
    filled = generate.fill(config, 40, 20)
    one = scale._One(filled, 1, random.Random(1))
    with closing(sqlite3.connect(tmp_path / "registry.db")) as database:
        for kind in (Kind.DOCUMENT_ENTRY, Kind.SUBMISSION_SET, Kind.FOLDER):
            for column, value in (("uuid", one.uuid(kind)), ("unique_id", one.unique_id(kind))):
                found = database.execute(
                    f"SELECT kind, cx FROM object JOIN patient ON patient.id = patient "
                    f"WHERE {column} = ?",
                    (value,),
                ).fetchall()
                assert found == [(kind, str(samples.patient(1)))]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_every_stored_query_is_measured() -> None:
    assert {shape.query.id for shape in scale.SHAPES} == set(queries.EVERY_QUERY)


def test_images_of_a_series_are_dicom_with_uids_and_numbers_of_their_own() -> None:
    series = images.Series.new(2, frames=3)
    files = [b"".join(block * times for block, times in series._file(at)) for at in range(2)]
    read = [pydicom.dcmread(io.BytesIO(file)) for file in files]
    assert sum(map(len, files)) == series.octets
    assert [item.SOPInstanceUID for item in read] == list(series.instances)
    assert read[1].InstanceNumber == read[0].InstanceNumber + 1
    for item in read:
        assert item.file_meta.MediaStorageSOPInstanceUID == item.SOPInstanceUID
        assert (item.StudyInstanceUID, item.SeriesInstanceUID) == (series.study, series.series)
        assert item.pixel_array.shape == (3, 128, 128)


def test_arms_take_turns_and_are_cleared_after() -> None:
    seen: list[str] = []
    arms = (
        lambda: float(len(seen) + (seen.append("floor") or 0)),
        lambda: seen.append("ours") or 1.0,
    )
    rounds = take_turns(arms, 2, lambda: seen.append("clear"))
    assert seen == ["floor", "clear", "ours", "clear"] * 2
    assert rounds == [(0.0, 1.0), (4.0, 1.0)]


@pytest.mark.parametrize(
    ("demand", "is_most", "is_met"),
    [
        (0.5, False, True),
        (0.6, False, False),
        (0.6, True, True),
        (0.4, True, False),
        (None, False, None),
    ],
)
def test_ratio_is_the_median_of_the_rounds(demand: float, is_most: bool, is_met: bool) -> None:
    rounds = [(10.0, 5.0), (20.0, 10.0), (10.0, 90.0)]
    line = compared("row", "work", "unit", rounds, demand, is_most=is_most)
    assert (line.floor, line.ours, line.ratio) == (10.0, 10.0, 0.5)
    assert line.is_met is is_met


def test_percentile_is_a_measured_value() -> None:
    assert percentile(range(1, 101), 0.95) == 95
    assert percentile([7.0], 0.95) == 7.0


def test_node_of_a_folder_listens_on_loopback_only(tmp_path: Path) -> None:
    assert node.config(tmp_path).server.host == "127.0.0.1"


def test_new_oids_have_one_length() -> None:
    assert len({len(samples.new_oid()) for _ in range(100)}) == 1
