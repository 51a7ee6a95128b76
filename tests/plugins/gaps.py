"""What a run could not show: skips grouped by reason, and ``--require-all`` that fails on them.

A test states what it needs by ``@pytest.mark.needs("nginx", "openssl")``: programs, looked for on
PATH and where Debian keeps them for administrators. Where one is missing the test is skipped and
the summary names the package to install. ``.ci/run`` installs every package of ``PACKAGES``.

Two kinds of gap never fail ``--require-all``, because nothing this project can install closes
them; they are listed all the same: tests marked ``@pytest.mark.optional("why not demanded")``, and
skips whose reason speaks of something in ``HANDED_OVER``.
"""

import glob
import os
import shutil
from collections import Counter

import pytest

# Program -> Debian package that brings it.
PACKAGES = {
    "Orthanc": "orthanc-dicomweb",
    "dcmdjpeg": "dcmtk",
    "dcmdjpls": "dcmtk",
    "dcmdrle": "dcmtk",
    "dcmdump": "dcmtk",
    "dciodvfy": "dicom3tools",
    "dsrdump": "dcmtk",
    "echoscu": "dcmtk",
    "git": "git",
    "make": "make",
    "nginx": "nginx",
    "openssl": "openssl",
    "pdftotext": "poppler-utils",
    "pg_ctl": "postgresql",
    "storescu": "dcmtk",
}

# The requirement catalogue with official schemas and samples comes beside the project or not at
# all, and a machine gives away namespaces or it does not: no package provides either.
HANDED_OVER = ("../shared", "a private network namespace")

_OPTIONAL = "not demanded"

# Not on the PATH of an ordinary user.
SYSTEM_FOLDERS = ("/usr/sbin", "/sbin", "/usr/lib/postgresql/*/bin")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-all",
        action="store_true",
        help="fail when a test could not run for want of something that can be installed",
    )


def pytest_configure(config: pytest.Config) -> None:
    folders = [folder for pattern in SYSTEM_FOLDERS for folder in sorted(glob.glob(pattern))]
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), *folders])
    if not hasattr(config, "workerinput"):  # of a run in several processes
        config.pluginmanager.register(_Gaps(), "gaps-of-this-run")


@pytest.hookimpl(tryfirst=True)  # before a mark skips it
def pytest_runtest_setup(item: pytest.Item) -> None:
    if optional := item.get_closest_marker("optional"):
        # goes along with the report, which may come from another process
        item.user_properties.append((_OPTIONAL, optional.args[0]))
    programs = [name for mark in item.iter_markers("needs") for name in mark.args]
    if unknown := [name for name in programs if name not in PACKAGES]:
        pytest.fail(f"tests/plugins/gaps.py names no package for {', '.join(unknown)}")
    if missing := [name for name in programs if shutil.which(name) is None]:
        packages = " ".join(sorted({PACKAGES[name] for name in missing}))
        pytest.skip(f"needs {', '.join(missing)}: apt-get install {packages}")


class _Gaps:
    """The skips of one run; pytest calls it by the names of its hooks."""

    def __init__(self) -> None:
        self.demanded: Counter[str] = Counter()
        self.optional: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            assert isinstance(report.longrepr, tuple)
            reason = report.longrepr[2].removeprefix("Skipped: ")
            self.note(reason, dict(report.user_properties).get(_OPTIONAL))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped and isinstance(report.longrepr, tuple):
            self.note(report.longrepr[2].removeprefix("Skipped: "), None)

    def note(self, reason: str, optional: object) -> None:
        if optional:
            self.optional[f"{reason} (not demanded: {optional})"] += 1
        elif any(name in reason for name in HANDED_OVER):
            self.optional[f"{reason} (not demanded: it cannot be installed)"] += 1
        else:
            self.demanded[reason] += 1

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        # Runs before the terminal's summary, which writes the closing line.
        if self.demanded and session.config.getoption("--require-all") and not session.exitstatus:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not (self.demanded or self.optional):
            return
        terminalreporter.section("could not run here, and what would be needed")
        for reason, count in sorted((self.demanded + self.optional).items()):
            terminalreporter.line(f"{count:4d}  {reason}")
        if self.demanded and terminalreporter.config.getoption("--require-all"):
            terminalreporter.line(
                f"FAILED --require-all: {self.demanded.total()} could not run", red=True
            )
