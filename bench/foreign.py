"""Images through Orthanc, a DICOMweb archive by others, beside a byte relay in front of it.

Orthanc listens on all interfaces, so it and all that talks to it run in a network namespace of
their own.

python -m bench.foreign ROW FOLDER     in there; sizes come as JSON, lines leave as JSON
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

from bench import imaging
from bench.images import Series
from bench.measure import Line, Report, Sizes
from bench.node import Served
from bench.transfer import exchange
from tests.orthanc import NAMESPACE, PLUGIN, PORT, has_namespaces, served

ROWS = {"rad69-orthanc": "RAD-69", "wado-rs-orthanc": "WADO-RS"}
_ROOT = Path(__file__).parent.parent


def row(name: str, sizes: Sizes, folder: Path, report: Report) -> None:
    """The series of `imaging.archive`. Orthanc holds a large instance in memory, several times."""
    if not (shutil.which("Orthanc") and Path(PLUGIN).exists() and has_namespaces()):
        report.tell(f"{name} is left out: it takes orthanc-dicomweb and network namespaces")
        return
    done = subprocess.run(
        [*NAMESPACE, sys.executable, "-m", "bench.foreign", name, str(folder)],
        cwd=_ROOT,
        input=json.dumps(asdict(sizes)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    for line in json.loads(done.stdout):
        report.add(Line(**{**line, "rounds": tuple(map(tuple, line["rounds"]))}))


def _measured(name: str, folder: Path) -> None:
    sizes = Sizes(**json.load(sys.stdin))
    report = Report(lambda text: print(text, file=sys.stderr))
    kept = folder / "orthanc"
    kept.mkdir()
    with served(kept) as process:
        there = Served(process, PORT)
        imaging.through(name, ROWS[name], there, _store, sizes, folder, report)
    print(json.dumps([asdict(line) for line in report.lines]))


def _store(series: Series, there: Served) -> None:
    for message in series.single_messages("/instances"):
        exchange(there.port, message)


def rows() -> Iterator[tuple[str, Callable[[Sizes, Path, Report], None]]]:
    """Every row here."""
    for name in ROWS:
        yield name, partial(row, name)


if __name__ == "__main__":
    _measured(sys.argv[1], Path(sys.argv[2]))
