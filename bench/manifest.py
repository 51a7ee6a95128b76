"""A manifest of many instances: made from headers that are read already, registered, opened.

    python -m bench.manifest make COUNT DIALECT FILE     DIALECT: of MADO, `plain` without
    python -m bench.manifest open FILE

Each prints JSON: seconds, and the peak of its memory in octets.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from statistics import median
from time import perf_counter

from bench import messages, samples
from bench.measure import MIB, Line, Report, Sizes
from bench.messages import Message
from bench.node import Served, node, peak
from bench.transfer import exchange
from xdsi.model.manifest import IssuedId, PatientHeader, ReferencedRequest
from xdsi.model.messages import Content, Document, ProvideRequest
from xdsi.model.study import InstanceHeader, SeriesHeader, StudyHeader
from xdsi.model.values import CX, CXi, Identifier
from xdsi.standard import mado, urns
from xdsi.wire import kos

ROW = "manifest"
_PLAIN = "plain"
_SECONDS, _PEAK = 5.0, 256.0  # most; the latter in MiB
_PER_SERIES = 500
_CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
_PATIENT = samples.patient(1)
_ISSUER, _UID_ROOT = "1.2.3.4.999", "1.2.3.4.5.6"
Done = tuple[float, int]  # seconds, and octets of the peak


def manifest(sizes: Sizes, folder: Path, report: Report) -> None:
    """Plain and with descriptors (MADO)."""
    with node(folder / "node") as server:
        for dialect in (_PLAIN, next(iter(mado.DIALECTS))):
            form = "plain" if dialect == _PLAIN else "MADO"
            report.tell(f"{form} manifest of {sizes.references:,} instances")
            file = folder / f"{form}.dcm"
            steps: tuple[tuple[str, Callable[[], Done]], ...] = (
                ("made", partial(_alone, "make", str(sizes.references), dialect, str(file))),
                ("registered", partial(_register, server, file)),
                ("opened", partial(_alone, "open", str(file))),
            )
            for step, do in steps:
                done = [do() for _ in range(sizes.transfers)]
                work = f"{form} manifest of {sizes.references:,} instances {step}"
                seconds = [each for each, _ in done]
                _add(report, work, "s", _SECONDS, seconds)
                _add(report, "… peak of memory", "MiB in all", _PEAK, [at / MIB for _, at in done])


def _add(report: Report, work: str, unit: str, most: float, found: list[float]) -> None:
    ours = median(found)
    rounds = tuple((most, each) for each in found)
    report.add(Line(ROW, work, unit, most, ours, ours / most, 1.0, is_most=True, rounds=rounds))


def _alone(*arguments: str) -> Done:
    """In a process of its own."""
    command = [sys.executable, "-m", "bench.manifest", *arguments]
    done = subprocess.run(
        command, cwd=Path(__file__).parent.parent, capture_output=True, check=True, text=True
    )
    found = json.loads(done.stdout)
    return found["seconds"], found["peak"]


def _register(server: Served, file: Path) -> Done:
    return exchange(server.port, _message(file)).seconds, server.peak()


def _message(file: Path) -> Message:
    """ITI-41 of a manifest, with what its entry must say of it; a new one each time."""
    content = file.read_bytes()
    old = kos.read_manifest(content)
    uid = kos.new_uid(_UID_ROOT)  # all have one length
    content = content.replace(old.sop_instance_uid.encode(), uid.encode())
    made = samples.submission(_PATIENT)
    (entry,) = made.entries
    entry = replace(
        entry,
        mime_type="application/dicom",
        unique_id=Identifier(uid),
        reference_ids=(
            CXi(f"{old.study_instance_uid}^^^^{urns.STUDY_INSTANCE_UID}"),
            *(CXi(f"{each.value}^^^&{_ISSUER}&ISO^{urns.ACCESSION}") for each in old.accessions),
        ),
        source_patient_id=CX(f"{old.patient.id.value}^^^&{_ISSUER}&ISO"),
    )
    document = Document(entry.entry_uuid, Content(len(content), partial(BytesIO, content)))
    request = ProvideRequest(replace(made, entries=(entry,)), (document,))
    return messages.provided(request, (content, 1))


def _study(count: int) -> StudyHeader:
    """Headers as they are read from images."""
    uids = [samples.new_oid() for _ in range(count)]
    series = tuple(
        SeriesHeader(
            samples.new_oid(),
            tuple(
                InstanceHeader(_CT_IMAGE, uid, number=str(number))
                for number, uid in enumerate(uids[at : at + _PER_SERIES], 1)
            ),
            number=str(at // _PER_SERIES + 1),
            modality="CT",
            description="Invented series",
            body_part="CHEST",
            date="20240101",
            time="120000",
        )
        for at in range(0, count, _PER_SERIES)
    )
    study = samples.new_oid()
    patient, accession, none = _issued("INVENTED-77"), _issued("A77"), IssuedId("")
    return StudyHeader(
        study,
        PatientHeader(patient, "Example^Patient"),
        series,
        date="20240101",
        time="120000",
        description="Invented study",
        requests=(ReferencedRequest(study, accession, none, none),),
    )


def _issued(value: str) -> IssuedId:
    return IssuedId(value, issuer_uid=_ISSUER, issuer_type="ISO")


def _make(count: int, dialect: str, file: Path) -> float:
    study = _study(count)
    started = perf_counter()
    made = kos.manifest_of(
        study,
        retrieve_location_uid=samples.IMAGING_SOURCE,
        retrieve_url="https://images.example/dicom-web",
        uid_root=_UID_ROOT,
        mado=None if dialect == _PLAIN else mado.DIALECTS[dialect],
    )
    file.write_bytes(kos.manifest_bytes(made))
    return perf_counter() - started


def _open(file: Path) -> float:
    started = perf_counter()
    kos.read_manifest(file.read_bytes())
    return perf_counter() - started


if __name__ == "__main__":
    match sys.argv[1:]:
        case "make", count, dialect, file:
            seconds = _make(int(count), dialect, Path(file))
        case _, file:
            seconds = _open(Path(file))
    print(json.dumps({"seconds": seconds, "peak": peak(os.getpid())}))
