"""Which requirements a run proved: ``--requirements FILE`` writes one table per catalogue file.

A requirement is proved when at least one test marked with its id passed and none failed.
"""

import re
from collections import defaultdict
from pathlib import Path

import pytest

ID = re.compile(r"(?:SEC-T|[A-Z]{2,4})-\d{3}[a-z]?")
# A rule is a table's row, or a line or list item that begins with its id.
DEFINITION = re.compile(rf"^[|-]? *({ID.pattern})(?: *\||:| \()", re.MULTILINE)
_PROVES = "proves"
CATALOGUE = Path(__file__).parents[3] / "shared" / "spec"


def catalogue(folder: Path = CATALOGUE) -> dict[str, list[str]]:
    """Catalogue file -> ids it defines, in its order; empty where the catalogue is not at hand."""
    found = {path.stem: DEFINITION.findall(path.read_text()) for path in folder.glob("*.md")}
    return {name: ids for name, ids in sorted(found.items()) if ids}


def table(ids: dict[str, list[str]], tests: dict[str, list[str]]) -> str:
    """The report in Markdown. tests: id -> tests that prove it."""
    lines = ["# Requirements and the tests that prove them", ""]
    known = {identifier for section in ids.values() for identifier in section}
    sections = dict(ids)
    if unknown := sorted(set(tests) - known):
        sections["not in the catalogue at hand"] = unknown
    for name, section in sections.items():
        proven = [identifier for identifier in section if identifier in tests]
        lines += [f"## {name}: {len(proven)} of {len(section)}", ""]
        if proven:
            lines += ["| Id | Tests |", "|---|---|"]
            lines += [f"| {one} | {'<br>'.join(tests[one])} |" for one in proven]
            lines.append("")
        if open_ids := [identifier for identifier in section if identifier not in tests]:
            lines += [f"Not proven: {', '.join(open_ids)}", ""]
    return "\n".join(lines)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--requirements",
        metavar="FILE",
        type=Path,
        help="write which requirements the run proved, and which not, to this file",
    )


def pytest_configure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")  # of a run in several processes
    if config.getoption("--requirements") and not is_worker:
        config.pluginmanager.register(_Proofs(), "proofs-of-this-run")


def pytest_runtest_setup(item: pytest.Item) -> None:
    # goes along with the report, which may come from another process
    item.user_properties.extend(
        (_PROVES, identifier) for mark in item.iter_markers("proves") for identifier in mark.args
    )


class _Proofs:
    """Outcomes of marked tests; pytest calls it by the names of its hooks."""

    def __init__(self) -> None:
        self.passed: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, identifier in report.user_properties:
            if name != _PROVES:
                continue
            if report.failed:
                self.failed.add(str(identifier))
            elif report.when == "call" and report.passed:
                # Cases of one table count as one test.
                self.passed[str(identifier)][report.nodeid.partition("[")[0]] = None

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        proven = {one: list(names) for one, names in self.passed.items() if one not in self.failed}
        file: Path = session.config.getoption("--requirements")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(table(catalogue(), proven))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        count = len(set(self.passed) - self.failed)
        file = terminalreporter.config.getoption("--requirements")
        terminalreporter.line(f"{count} requirements proved, listed in {file}")
