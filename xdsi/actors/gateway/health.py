"""How partners did: what to leave alone for a while, and what the operator is shown.

A service of a partner that failed several times in a row is not asked until a pause is over; then
one request tries it again, and all are let through once that is answered. Its other services are
asked as before. Each process keeps its own figures.
Source: XC-056, XC-066; threats.md SEC-T-048.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import BoundedSemaphore, Lock
from time import monotonic, time
from typing import Any

from xdsi.actors.gateway.xcwado import Ask
from xdsi.model.community import Partner
from xdsi.model.errors import XDSError, XDSUnavailableCommunity, is_given_up, relocated
from xdsi.model.messages import Content, Octets, Reader, RetrieveAnswer
from xdsi.model.web import WebAnswer, WebError, WebRequest
from xdsi.plug import Call, Handler, Measure
from xdsi.standard import transactions

# A good beginning is no good answer yet where documents follow it.
_STREAMING = (
    transactions.CROSS_GATEWAY_RETRIEVE.id,
    transactions.CROSS_GATEWAY_RETRIEVE_IMAGING.id,
    transactions.WADO_RS,
)
_TURN = 3.0  # seconds to wait for one; longer, and who is slow would keep threads from others


@dataclass(slots=True)
class Figures:
    """Of one service since the process started.

    last_success, last_failure: seconds since 1970, None before the first; problem: of the last one
    in_a_row: failures since the last success
    seconds: of all answers together; octets: of documents
    """

    successes: int = 0
    failures: int = 0
    in_a_row: int = 0
    last_success: float | None = None
    last_failure: float | None = None
    problem: str = ""
    seconds: float = 0.0
    octets: int = 0


@dataclass(slots=True)
class Health:
    """Of one service of a partner; any number of threads may use it.

    service: its transaction; turns: of all services of the partner together
    """

    partner: Partner
    service: str
    turns: BoundedSemaphore
    clock: Callable[[], float] = monotonic
    figures: Figures = field(default_factory=Figures)
    _until: float = 0.0  # nobody is let through before, once it has failed too often
    _guard: Lock = field(default_factory=Lock)

    @property
    def is_paused(self) -> bool:
        """Whether it has failed too often to be asked as if nothing were wrong."""
        return self.figures.in_a_row >= self.partner.failures

    def watched(self, handler: Handler) -> Handler:
        """The handler of one of its services, within its limits; what it raises names the partner.

        Raises XDSUnavailableCommunity, for whatever is no answer, and the errors of the answer.
        """

        def ask(request: Any, call: Call) -> Any:
            with self._turn(call):
                deadline = min(call.deadline, monotonic() + self.partner.seconds)
                answer = handler(request, replace(call, deadline=deadline))
            return self._counted(answer, call) if isinstance(answer, RetrieveAnswer) else answer

        return ask

    def watched_web(self, ask: Ask) -> Ask:
        """The same of a service in plain HTTP, which raises WebError for what is no answer."""

        def asked(request: WebRequest, call: Call) -> WebAnswer:
            refused: WebError | None = None
            try:
                with self._turn(call):
                    try:
                        answer = ask(request, call)
                    except WebError as error:
                        refused = error
                        raise self.unavailable(error.reason) from error
            except XDSUnavailableCommunity as error:
                raise refused or WebError(503, error.context, ("Retry-After", "30")) from error
            body = [
                self._streamed(each) if isinstance(each, Content) else each for each in answer.body
            ]
            return replace(answer, body=tuple(body))

        return asked

    def _counted(self, answer: RetrieveAnswer, call: Call) -> RetrieveAnswer:
        """The same, its errors with the partner's name where they are ours, its documents watched:
        one that breaks off in the middle is a failure too.
        """
        lost = [each for each in answer.errors if _is_ours(each)]
        if lost:
            self._failed(lost[0].context, call)
        elif not answer.documents:
            self.read(0, None, is_whole=True)
        errors = (
            relocated(each, each.location, self.unavailable(each.context).context)
            if _is_ours(each)
            else each
            for each in answer.errors
        )
        documents = (
            each._replace(content=self._streamed(each.content)) for each in answer.documents
        )
        return replace(answer, documents=tuple(documents), errors=tuple(errors))

    def _streamed(self, content: Content) -> Content:
        return Content(content.size, _Opener(content, self).open)

    @contextmanager
    def _turn(self, call: Call) -> Iterator[None]:
        """Within it the partner is asked once. Raises XDSUnavailableCommunity."""
        self._let_through()
        if not self.turns.acquire(timeout=min(call.remaining, self.partner.seconds, _TURN)):
            raise self.unavailable(f"{self.partner.connections} requests wait for it already")
        started = self.clock()
        try:
            yield
        except XDSUnavailableCommunity as error:
            if error.fault == "Sender":
                # it will not take this one, which says nothing of others
                self._succeeded(started, is_whole=True)
            else:
                # a fault may quote what one user asked, and this is shown to all
                fault = f"it answered with a SOAP fault ({error.fault})"
                self._failed(fault if error.fault else error.context, call)
            raise self.unavailable(error.context, error.fault) from error
        except (XDSError, ExceptionGroup):
            self._succeeded(started, is_whole=True)  # it answered, if with errors
            raise
        else:
            is_probe = self.is_paused  # a good beginning lets the others through
            self._succeeded(started, is_whole=is_probe or self.service not in _STREAMING)
        finally:
            self.turns.release()

    def unavailable(self, problem: str, fault: str = "") -> XDSUnavailableCommunity:
        """See `unavailable`."""
        error = unavailable(self.partner, problem)
        error.fault = fault
        return error

    def _let_through(self) -> None:
        with self._guard:
            now = self.clock()
            if self.is_paused and now < self._until:
                figures = self.figures
                raise self.unavailable(
                    f"not asked, since it failed {figures.in_a_row} times in a row; "
                    f"the next try is in {self._until - now:.0f} s; {figures.problem}"
                )
            if self.is_paused:  # this one tries
                self._until = now + self.partner.pause_seconds

    def _failed(self, problem: str, call: Call) -> None:
        if not call.cancelled():
            self._broke_off(problem)
        elif self.is_paused:  # who tried it has gone, which says nothing; the next one tries
            self._until = self.clock()

    def _broke_off(self, problem: str) -> None:
        with self._guard:
            figures = self.figures
            figures.failures += 1
            figures.in_a_row += 1
            figures.last_failure, figures.problem = time(), problem
            self._until = self.clock() + self.partner.pause_seconds

    def _succeeded(self, started: float, *, is_whole: bool) -> None:
        with self._guard:
            figures = self.figures
            figures.successes += 1
            if is_whole:
                figures.in_a_row = 0
            figures.last_success = time()
            figures.seconds += self.clock() - started

    @property
    def note(self) -> str:
        """Why it is left alone; "" when it is not."""
        if not self.is_paused:
            return ""
        figures = self.figures
        return f"{self.partner.title} is left alone by {self.service}: {figures.problem}"

    def measures(self) -> Iterator[Measure]:
        """The figures for /metrics."""
        figures, partner = self.figures, self.partner
        labels = (
            ("community", str(partner.home)),
            ("name", partner.name),
            ("service", self.service),
        )
        for name, about, value in (
            ("answers_total", "Answers of a partner", figures.successes),
            ("failures_total", "Requests that it did not answer", figures.failures),
            ("seconds_total", "Time until its answers began", figures.seconds),
            ("octets_total", "Octets of its documents passed on", figures.octets),
            ("last_answer", "When it last answered, since 1970", figures.last_success),
            ("last_failure", "When it last did not, since 1970", figures.last_failure),
            ("left_alone", "1 while it has failed too often", float(self.is_paused)),
        ):
            if value is not None:
                yield Measure(f"xdsi_partner_{name}", about, labels, value)

    def read(self, count: int, error: OSError | None, *, is_whole: bool) -> None:
        """Octets of a document were passed on. error: why there will be no more"""
        with self._guard:
            self.figures.octets += count
            if is_whole:
                self.figures.in_a_row = 0
        if error is not None and not is_given_up(error):
            self._broke_off(str(error))


def unavailable(partner: Partner, problem: str) -> XDSUnavailableCommunity:
    """The error that names a partner (XC-056)."""
    name = f"{partner.home} ({partner.name})" if partner.name else str(partner.home)
    return XDSUnavailableCommunity(
        context=f"{name}: {problem}", location=str(partner.home), rule="XC-056"
    )


def _is_ours(error: XDSError) -> bool:
    """Whether it says that a document got lost on the way here."""
    return error.code == XDSUnavailableCommunity.code and error.rule == "XC-056"


@dataclass(frozen=True, slots=True)
class _Opener:
    content: Content
    health: Health

    def open(self) -> Reader:
        return _Counted(self.content.open(), self.health)


@dataclass(slots=True)
class _Counted:
    """A reader whose octets are counted when it is closed, and whether that was its end."""

    source: Reader
    health: Health
    octets: int = 0
    is_whole: bool = False
    error: OSError | None = None

    def read(self, n: int, /) -> Octets:
        try:
            block = self.source.read(n)
        except OSError as error:
            self.error = error
            raise
        self.octets += len(block)
        self.is_whole = not block
        return block

    def close(self) -> None:
        self.source.close()
        self.health.read(self.octets, self.error, is_whole=self.is_whole)
        self.octets, self.error = 0, None
