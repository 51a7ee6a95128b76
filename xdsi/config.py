"""The configuration: one TOML file read into frozen dataclasses.

A present section mounts the actor; unknown sections and keys are refused; file names are relative
to the configuration file; secrets are only named by files. Times in seconds, sizes in octets.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal

from xdsi.model.community import Initiating, Partner
from xdsi.model.discovery import OFF, Discovery
from xdsi.model.sharing import EVERYTHING, Share
from xdsi.sections import ConfigurationError as ConfigurationError
from xdsi.sections import read

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of requests; each names its requirement. Answers above them stand there too."""

    request_line: int = 8 * KIB  # SEC-T-030
    header_block: int = 64 * KIB
    header_count: int = 100
    header_seconds: float = 10.0  # SEC-T-031, SEC-T-033: to complete headers; idle before the next
    body_grace: float = 30.0  # SEC-T-032: after it `body_rate` octets per second are demanded
    body_rate: int = 1 * KIB
    envelope: int = 16 * MIB  # SEC-T-034
    depth: int = 64  # SEC-T-035
    attributes: int = 64
    namespaces: int = 64
    elements: int = 1_000_000  # SEC-T-036
    header_blocks: int = 64
    text: int = 64 * KIB  # SEC-T-037
    parts: int = 1_001  # SEC-T-039
    part_header_block: int = 16 * KIB
    part_headers: int = 32
    document: int = 4 * GIB  # SEC-T-040
    submission: int = 8 * GIB
    retrieve_documents: int = 1_000  # SEC-T-042
    imaging_documents: int = 10_000
    query_values: int = 1_000  # SEC-T-043
    query_slots: int = 100
    leaf_results: int = 5_000  # SEC-T-044
    ref_results: int = 100_000
    statement_seconds: float = 5.0  # SEC-T-045
    in_flight: int = 256  # SEC-T-049
    threads: int = 16
    objects: int = 5_000  # SEC-T-051
    request_seconds: float = 60.0  # handling of a simple request, receiving excluded
    drain_seconds: float = 30.0  # SEC-T-019
    feed_message: int = 1 * MIB
    feed_seconds: float = 30.0  # for one message of the feed to come in
    feed_idle: float = 600.0
    feed_connections: int = 64
    dicom_associations: int = 32
    dicom_idle: float = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """Where the node listens and what it calls itself.

    public_url: base of the addresses in WSDLs; never taken from a Host header
    proxies: addresses or networks of the proxies that end TLS in front; their X-Forwarded-For
        names the caller. Without them and without TLS only loopback is served
    certificate, key, client_ca: PEM files; a client certificate of client_ca is then demanded
    record: folder that keeps every exchange for a tester (holds patient data)
    """

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""
    proxies: tuple[str, ...] = ()
    workers: int = 1
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    record: Path | None = None
    record_bytes: int = 256 * MIB


Check = Literal["off", "warn", "strict"]


@dataclass(frozen=True, slots=True)
class ValueSets:
    """Codes that the affinity domain accepts (REG-074, REG-075).

    files: code files in the XML form that Connectathon tools use; together they are the sets
    others: how an attribute is checked; what is not accepted is taken, taken with a warning, or
        refused
    """

    files: tuple[Path, ...] = ()
    class_code: Check = "off"
    type_code: Check = "off"
    format_code: Check = "off"
    confidentiality_code: Check = "off"
    event_code_list: Check = "off"
    practice_setting_code: Check = "off"
    healthcare_facility_type_code: Check = "off"
    content_type_code: Check = "off"
    folder_code_list: Check = "off"
    association_documentation: Check = "off"
    mime_type: Check = "off"
    language_code: Check = "off"


# what a registry offers besides ITI-42 and ITI-18, and may be told not to
REGISTRY_OPTIONS = (
    "metadata-update",
    "multi-patient",
    "on-demand",
    "reference-id",
    "remove-metadata",
    "restricted-update",
)
# those that change or remove what others have registered
CHANGING = ("metadata-update", "restricted-update", "remove-metadata")


@dataclass(frozen=True, slots=True)
class Registry:
    """A Document Registry.

    database: SQLAlchemy URL without password; `sqlite:///registry.db` or
        `postgresql+psycopg://user@host/name`
    password_file: file that holds the database password
    assigning_authorities: OIDs of the affinity domain's patient identifiers; none: any
    authority_namespaces: `NAME=OID`, what HL7 v2 messages call them (PIF-002)
    unknown_patients: `admit` a patient with its first submission, or `refuse` it (REG-080)
    replaced_documents: whether an update may make them Approved again (LC-072)
    lenient_queries: take double quotes, several codes in one text, long Values, no returnType
        (SQ-026)
    without: options not offered, of `REGISTRY_OPTIONS`; unless it is given, none that changes or
        removes what others have registered
    repositories: repositoryUniqueIds known here; none: any (REG-079)
    mime_types: accepted MIME types; none: any (REG-074)
    feed_port: listens there for HL7 v2 messages over MLLP [ITI-8]; with server.certificate over TLS
    feed_v3: takes HL7 v3 messages [ITI-44] at the registry's address
    feed_devices: ids of sending devices that are heard there, `root` or `root^extension`; none: any
    feed_senders: `application|facility` of MSH-3 and MSH-4 that are heard; none: any (PIF-005)
    value_sets: the subsection [registry.value_sets]
    discovery: the subsection [registry.discovery]
    """

    database: str = "sqlite:///registry.db"
    password_file: Path | None = None
    assigning_authorities: tuple[str, ...] = ()
    unknown_patients: Literal["admit", "refuse"] = "refuse"
    unknown_patient_in_query: Literal["empty", "error"] = "empty"
    replaced_documents: Literal["reapprovable", "final"] = "reapprovable"
    lenient_queries: bool = False
    without: tuple[str, ...] = CHANGING
    repositories: tuple[str, ...] = ()
    mime_types: tuple[str, ...] = ()
    authority_namespaces: tuple[str, ...] = ()
    feed_host: str = "127.0.0.1"
    feed_port: int | None = None
    feed_senders: tuple[str, ...] = ()
    feed_v3: bool = False
    feed_devices: tuple[str, ...] = ()
    value_sets: ValueSets = ValueSets()
    discovery: Discovery = OFF


@dataclass(frozen=True, slots=True)
class Repository:
    """A Document Repository.

    unique_id: its repositoryUniqueId, an OID
    store: folder of the documents; staging lies inside it
    registry: `local`, or the address of a remote registry for ITI-42 and ITI-18
    registry_ca, registry_certificate, registry_key: PEM files for that connection
    free_bytes: new submissions are refused below max(free_bytes, 2 % of the disk) (SEC-T-018)
    sources: sourceIds whose submissions are taken; none: any (REG-024)
    settle_seconds: how often claims without a known outcome are settled
    manifest_check: an imaging manifest that is wrong is taken, taken with a warning, or refused
    """

    unique_id: str
    database: str = "sqlite:///repository.db"
    password_file: Path | None = None
    store: Path = Path("documents")
    registry: str = "local"
    registry_ca: Path | None = None
    registry_certificate: Path | None = None
    registry_key: Path | None = None
    free_bytes: int = 1 * GIB
    sources: tuple[str, ...] = ()
    settle_seconds: float = 30.0
    manifest_check: Check = "warn"


@dataclass(frozen=True, slots=True)
class Imaging:
    """An Imaging Document Source.

    unique_id: an OID: Retrieve Location UID in manifests, RepositoryUniqueId in RAD-69
    archive: `embedded`, or the DICOMweb address of an archive whose images are passed on
    database, password_file: index of the embedded archive
    store: folder of its DICOM files; staging lies inside it
    free_bytes: files are refused below max(free_bytes, 2 % of the disk) (SEC-T-018)
    other_data_set: what becomes of a file whose SOP Instance UID is known with another data set:
        `refuse`, or `replace` what is there. A UID names one instance for good, and whoever may
        send could else change what manifests name and consumers have seen
    ae_title: what it is called in DICOM; associations that call another one are rejected
    dicom_host, dicom_port: takes instances there by C-STORE; without a port it does not
    dicom_peers: addresses or networks that may connect there, besides loopback
    dicom_senders: AE titles that may send; none: any
    archive_user, archive_password_file: basic authentication at a DICOMweb archive
    archive_ca: trusted for it instead of the system's authorities
    archive_certificate, archive_key: shown to it
    relay: `stream` passes an image on while it comes; `spool` first fetches all of an answer, so
        that its errors name every one that cannot be had, as long as there is room for them
    spool_bytes: what may lie in temporary files at a moment
    patient_authorities: OIDs of the domain's patient identifiers: one of them in a DICOM header is
        taken as it is when a study is published; none: those of registry.assigning_authorities
    patient_issuer: OID of a Patient ID that comes without an issuer
    share: the subsection [imaging.share]
    """

    unique_id: str
    archive: str = "embedded"
    database: str = "sqlite:///imaging.db"
    password_file: Path | None = None
    store: Path = Path("images")
    free_bytes: int = 1 * GIB
    other_data_set: Literal["refuse", "replace"] = "refuse"
    ae_title: str = "XDSI"
    dicom_host: str = "127.0.0.1"
    dicom_port: int | None = None
    dicom_peers: tuple[str, ...] = ()
    dicom_senders: tuple[str, ...] = ()
    archive_user: str | None = None
    archive_password_file: Path | None = None
    archive_ca: Path | None = None
    archive_certificate: Path | None = None
    archive_key: Path | None = None
    relay: Literal["stream", "spool"] = "stream"
    spool_bytes: int = 8 * GIB
    patient_authorities: tuple[str, ...] = ()
    patient_issuer: str = ""
    share: Share = EVERYTHING


@dataclass(frozen=True, slots=True)
class Gateway:
    """A Responding Gateway, which other communities ask, and an Initiating one, which asks them.

    home_community_id: OID of this community, without `urn:oid:`
    database, password_file: what patients are called in other communities
    registry: `local`, or the address of a remote registry for ITI-18
    repositories, imaging: `OID=URL` of those beyond [repository] and [imaging]
    web: the same of imaging sources for WADO-RS
    ca, certificate, key: PEM files for connections to these
    relay: documents of remote ones go on while they come (`stream`), or are fetched first
        (`spool`); `auto` streams where one of them alone is asked
    spool, spool_bytes: where documents of remote ones wait until they are passed on, and how many
        octets at most, in each process
    initiating: the subsection [gateway.initiating]; without it nobody here can ask
    partners: the tables [[gateway.partners]]
    """

    home_community_id: str
    database: str = "sqlite:///gateway.db"
    password_file: Path | None = None
    registry: str = "local"
    repositories: tuple[str, ...] = ()
    imaging: tuple[str, ...] = ()
    web: tuple[str, ...] = ()
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    relay: Literal["auto", "stream", "spool"] = "auto"
    spool: Path = Path("spool")
    spool_bytes: int = 8 * GIB
    initiating: Initiating | None = None
    partners: tuple[Partner, ...] = ()


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Config:
    """The whole node.

    folder: where relative file names start; file: where all this was read from
    """

    server: Server = field(default_factory=Server)
    limits: Limits = field(default_factory=Limits)
    registry: Registry | None = None
    repository: Repository | None = None
    imaging: Imaging | None = None
    gateway: Gateway | None = None
    folder: Path = field(default_factory=Path.cwd)
    file: Path | None = None


def feed(config: Config) -> Address | None:
    """Where HL7 v2 messages are taken; None without a feed."""
    registry = config.registry
    if registry is None or registry.feed_port is None:
        return None
    return Address(registry.feed_host, registry.feed_port)


def addresses(config: Config, base: str) -> dict[str, str]:
    """What is served where; base: scheme, host and port of the node itself.

    DICOM's C-STORE as AE title, host and port.
    """
    public = config.server.public_url or base
    names = [each for each in ("registry", "repository", "imaging") if getattr(config, each)]
    served = {name: f"{public}/{name}" for name in names}
    if config.gateway is not None:
        served["gateway"] = f"{public}/gateway/responding"
        if config.gateway.initiating is not None:
            served["initiating"] = f"{public}/gateway/initiating"
    if (imaging := config.imaging) is not None:
        served |= {name: f"{public}/{name}" for name in ("dicom-web", "wado")}
        if imaging.archive == "embedded" and imaging.dicom_port is not None:
            served["c-store"] = (
                f"{imaging.ae_title}@{Address(imaging.dicom_host, imaging.dicom_port)}"
            )
    if (at := feed(config)) is not None:
        scheme = "mllps" if config.server.certificate is not None else "mllp"
        served["feed"] = f"{scheme}://{at}"
    return {**served, "health": f"{public}/health/ready", "metrics": f"{public}/metrics"}


def namespaces(registry: Registry) -> dict[str, str]:
    """OID by the namespace id of an assigning authority. Raises ConfigurationError."""
    found = {}
    for text in registry.authority_namespaces:
        name, separator, oid = text.partition("=")
        if not (name and separator) or oid not in registry.assigning_authorities:
            raise ConfigurationError(
                "registry.authority_namespaces: expected NAME=OID with an OID of "
                f"registry.assigning_authorities, got '{text}'"
            )
        found[name] = oid
    return found


def load(path: Path) -> Config:
    """The configuration in a TOML file. Raises ConfigurationError in one sentence."""
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file; `xdsi init DIR` makes one") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    return replace(from_mapping(data, path.resolve().parent), file=path)


def from_mapping(data: Mapping[str, Any], folder: Path) -> Config:
    """The configuration in parsed TOML. Raises ConfigurationError."""
    for key in ("folder", "file"):
        if key in data:
            raise ConfigurationError(f"{key}: unknown key; it follows from where the file lies")
    config: Config = read(Config, data, "", folder)
    _check(config)
    return replace(config, folder=folder)


def _check(config: Config) -> None:
    server = config.server
    if (server.certificate is None) != (server.key is None):
        raise ConfigurationError("server: certificate and key go together; give both")
    if server.client_ca is not None and server.certificate is None:
        raise ConfigurationError("server.client_ca: needs certificate and key as well")
    for proxy in server.proxies:
        try:
            ip_network(proxy)
        except ValueError as error:
            raise ConfigurationError(
                f"server.proxies: {error}; expected an address or a network, such as 10.0.0.0/24"
            ) from None
    if config.registry is not None:
        _check_feed(config.registry)
        if (wrong := config.registry.discovery.problem) is not None:
            raise ConfigurationError(f"registry.discovery.{wrong}")
    for name in ("registry", "repository", "imaging", "gateway"):
        section = getattr(config, name)
        if section is not None:
            userinfo = section.database.split("//", 1)[-1].rpartition("@")[0]
            if ":" in userinfo or "password=" in section.database:
                raise ConfigurationError(
                    f"{name}.database: holds a password; put it into a file and name that "
                    f"file as {name}.password_file"
                )
    for option in config.registry.without if config.registry else ():
        if option not in REGISTRY_OPTIONS:
            names = ", ".join(REGISTRY_OPTIONS)
            raise ConfigurationError(f"registry.without: {option!r} is none of {names}")
    for name in ("repository", "gateway"):
        section = getattr(config, name)
        if section and section.registry == "local" and config.registry is None:
            raise ConfigurationError(
                f"{name}.registry: 'local' needs a [registry] section; "
                "add one or give the address of a registry"
            )


def _check_feed(registry: Registry) -> None:
    namespaces(registry)
    for text in registry.feed_senders:
        if text.count("|") != 1:
            problem = f"expected application|facility, got '{text}'"
            raise ConfigurationError(f"registry.feed_senders: {problem}")
    port = registry.feed_port
    if port is not None and not 0 < port < 65536:
        problem = f"expected 1 to 65535, got {port}"
        raise ConfigurationError(f"registry.feed_port: {problem}")
    if (port is not None or registry.feed_v3) and not registry.assigning_authorities:
        key = "feed_v3" if port is None else "feed_port"
        raise ConfigurationError(
            f"registry.{key}: a feed needs registry.assigning_authorities, "
            "the domain whose identifiers it brings"
        )
