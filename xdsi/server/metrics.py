"""Counters of one process in the Prometheus text format."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from xdsi.model.errors import XDSError
from xdsi.plug import Actor
from xdsi.server.exchange import Exchange
from xdsi.wire import addressing

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


# What stands in a label must not grow: a partner's answers may hold any code.
_FAULTS = frozenset(
    (
        *("Sender", "Receiver", "VersionMismatch", "MustUnderstand"),
        *(code.rpartition("}")[2] for code in addressing.SUBCODES),
    )
)


class _Measures(Collector):
    """The figures of the actors themselves."""

    def __init__(self, actors: Sequence[Actor]) -> None:
        self._actors = actors

    def collect(self) -> Iterator[Metric]:
        found: dict[str, Metric] = {}
        for each in (one for actor in self._actors for one in actor.measures()):
            name = each.name.removesuffix("_total")
            kind = "gauge" if name == each.name else "counter"
            family = found.setdefault(name, Metric(name, each.about, kind))
            family.add_sample(each.name, dict(each.labels), each.value)
        yield from found.values()


class Metrics:
    """What the node did since it started."""

    def __init__(self, actors: Sequence[Actor] = ()) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Measures(actors))
        self._requests = Counter(
            "xdsi_requests",
            "Requests by transaction, HTTP status and status of the answer",
            ("transaction", "http", "status"),
            registry=self.registry,
        )
        self._errors = Counter(
            "xdsi_errors",
            "Error and fault codes answered",
            ("transaction", "code"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "xdsi_request_seconds",
            "Time from the headers of a request to the end of its answer",
            ("transaction",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._octets = Counter(
            "xdsi_octets", "Octets of bodies", ("direction",), registry=self.registry
        )
        self.in_flight = Gauge("xdsi_in_flight", "Requests being worked on", registry=self.registry)

        self._in, self._out = self._octets.labels("in"), self._octets.labels("out")
        # finding a labelled counter costs more than counting
        self._request = lru_cache(maxsize=256)(self._requests.labels)
        self._second = lru_cache(maxsize=256)(self._seconds.labels)

    def count(self, exchange: Exchange) -> None:
        """A finished request."""
        transaction = exchange.transaction or "none"
        self._request(transaction, str(exchange.http), exchange.outcome or "none").inc()
        for code in exchange.codes:
            known = code in XDSError.by_code or code in _FAULTS
            self._errors.labels(transaction, code if known else "other").inc()
        self._second(transaction).observe(exchange.milliseconds / 1000)
        self._in.inc(exchange.bytes_in)
        self._out.inc(exchange.bytes_out)

    def text(self) -> bytes:
        """The page at /metrics."""
        return generate_latest(self.registry)
