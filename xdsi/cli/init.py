"""`xdsi init DIR`: a node of one's own, ready to serve."""

import argparse
from pathlib import Path
from shlex import quote
from uuid import uuid4

from xdsi import app
from xdsi.cli import screen
from xdsi.config import ConfigurationError, load
from xdsi.model.values import is_oid

HELP = "make a folder with a commented configuration and empty databases"

TEMPLATE = """\
# xdsi: Document Registry, Document Repository and Imaging Document Source in one process.
# Every key has a default but the two called unique_id; `xdsi check` explains what is wrong.
# File names are relative to this file.

[server]
host = "127.0.0.1"
port = {port}
# What WSDLs and answers call this node; give it when a proxy stands in front.
# public_url = "https://xds.example.org"
# Other hosts than loopback need TLS with client certificates here, or a proxy that does it.
# certificate = "server.pem"
# key = "server.key"
# client_ca = "partners.pem"
# proxies = ["10.0.0.5"]

[registry]
database = "sqlite:///registry.db"
# database = "postgresql+psycopg://xdsi@localhost/xdsi"
# password_file = "database.password"
# Patient identifiers must come from these domains: <id>^^^&<authority>&ISO
assigning_authorities = ["{authority}"]
# "admit" takes an unknown patient with its first submission, which is handy for a trial.
# A production node says "refuse": only the patient identity feed makes patients known.
unknown_patients = "admit"
# Options not offered. Whoever may submit may also use what is offered, so a production node keeps
# the default: ["metadata-update", "restricted-update", "remove-metadata"].
without = []
# The feed as HL7 v2 over MLLP [ITI-8]; with certificate and key above it speaks TLS.
# feed_host = "127.0.0.1"
# feed_port = 2575
# feed_senders = ["APPLICATION|FACILITY"]
# authority_namespaces = ["HOSPITAL={authority}"]
# The feed as HL7 v3 at /registry [ITI-44]; every partner may use it unless devices are listed.
# feed_v3 = true
# feed_devices = ["1.2.3.4"]

[registry.value_sets]
# Files with the codes of the affinity domain, in the XML form that Connectathon tools use:
# files = ["codes.xml"]
# What happens to a code that is not in them: "off" takes it, "warn" takes it with a warning,
# "strict" refuses the submission.
# class_code = "off"
# type_code = "off"
# format_code = "off"
# confidentiality_code = "off"
# event_code_list = "off"
# practice_setting_code = "off"
# healthcare_facility_type_code = "off"
# content_type_code = "off"
# folder_code_list = "off"
# association_documentation = "off"
# mime_type = "off"
# language_code = "off"

[registry.discovery]
# Tells other communities which patients are known here [ITI-55]: "exact" or "close". Every partner
# that may connect may ask; read docs/operators.md first.
# match = "exact"
# by = "identifier"
# home_community_id = "{community}"

[repository]
# Goes into every DocumentEntry; never change it once documents are registered.
unique_id = "{repository}"
database = "sqlite:///repository.db"
store = "documents"
# "local" is the registry above; or the address of another one:
registry = "local"
# registry = "https://registry.example.org/registry"
# An Initiating Gateway, by which consumers here ask other communities:
# [gateway.initiating]
# [[gateway.partners]]
# name = "North"
# home_community_id = "1.2.5"
# query = "https://north.example.org/gateway/responding"
# Documents of these sources alone, by the sourceId of their SubmissionSets:
# sources = ["1.2.3"]
# Imaging manifests are looked into: "off" takes them as they are, "warn" takes a wrong one with a
# warning, "strict" refuses it.
# manifest_check = "warn"
# Submissions are refused when less than this, or 2 % of the disk, is free (octets).
# free_bytes = 1073741824

[imaging]
# What manifests call this source (Retrieve Location UID); never change it once they are shared.
unique_id = "{imaging}"
# "embedded" keeps the images here; or the DICOMweb address of an archive that has them:
archive = "embedded"
# archive = "https://archive.example.org/dicom-web"
# archive_user = "xdsi"
# archive_password_file = "archive.password"
# archive_ca = "archive.pem"
# archive_certificate = "node.pem"
# archive_key = "node.key"
# "stream" passes images of that archive on while they come; "spool" fetches all of an answer first.
# relay = "stream"
# spool_bytes = 8589934592
database = "sqlite:///imaging.db"
store = "images"
# Images are refused when less than this, or 2 % of the disk, is free (octets).
# free_bytes = 1073741824
# Studies are published for patients whose identifiers are of these domains; none: those above.
# patient_authorities = ["{authority}"]
# patient_issuer = "{authority}"

[imaging.share]
# What is not shared of a study when it is published:
# without_modalities = ["OT"]
# without_classes = ["1.2.840.10008.5.1.4.1.1.7"]
# without_descriptions = ["*dose report*"]

# What other communities ask this one by: a gateway in front of all of the above.
# [gateway]
# home_community_id = "{community}"
# Beyond the actors of this file, OID=URL each:
# repositories = ["1.2.3=https://repository.example.org/repository"]
# imaging = ["1.2.4=https://source.example.org/imaging"]
# registry = "https://registry.example.org/registry"
# An Initiating Gateway, by which consumers here ask other communities:
# [gateway.initiating]
# [[gateway.partners]]
# name = "North"
# home_community_id = "1.2.5"
# query = "https://north.example.org/gateway/responding"

[limits]
# One document and one submission at most, in octets.
# document = 4294967296
# submission = 8589934592
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="new or empty folder")
    parser.add_argument("--port", type=int, default=8080, help="where it will listen (8080)")
    parser.add_argument(
        "--assigning-authority",
        metavar="OID",
        help="domain of the patient identifiers (a fresh one under 2.25)",
    )


def run(args: argparse.Namespace) -> int:
    path = create(args.folder, args.port, args.assigning_authority or fresh_oid())
    screen.plain(f"made {path}")
    screen.plain(f"serve it:  xdsi serve --config {quote(str(path))}")
    return 0


def fresh_oid() -> str:
    """An OID nobody else uses: 2.25 and a random UUID (ITU-T X.667)."""
    return f"2.25.{uuid4().int}"


def create(folder: Path, port: int, authority: str) -> Path:
    """Write xdsi.toml into `folder`, migrate its databases, and return the file.

    Raises ConfigurationError when there is one already, or an argument is no good.
    """
    path = folder / "xdsi.toml"
    if path.exists():
        raise ConfigurationError(f"{path} exists already; give another folder or edit it")
    if not is_oid(authority):
        raise ConfigurationError(f"--assigning-authority: expected an OID, got '{authority}'")
    if not 0 < port < 65536:
        raise ConfigurationError(f"--port: expected 1 to 65535, got {port}")
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"{folder} is a file; give the name of a folder")
    text = TEMPLATE.format(
        port=port,
        authority=authority,
        repository=fresh_oid(),
        imaging=fresh_oid(),
        community=fresh_oid(),
    )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{folder}: {error.strerror}") from error
    app.migrate(load(path))
    return path
