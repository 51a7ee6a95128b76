"""From an envelope to the handler and back, through spyne.

One spyne application per actor: a service with one bare method per route, a protocol that reads
our envelopes, a transport on `ServerBase`. A call has two steps, as spyne has: `open` parses,
checks and chooses the method, which is enough to judge a request whose documents are still on
their way; `answer` reads the request, calls the handler and writes the answer.

spyne's own envelope, MIME, fault and type layers are never reached (threats.md section 6).
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import spyne.const
from spyne import Application, MethodContext, Service, rpc
from spyne.model.primitive import AnyXml
from spyne.protocol import ProtocolBase
from spyne.server import ServerBase

from xdsi.config import Limits
from xdsi.model.errors import SoapFault, XDSError
from xdsi.model.messages import Staged
from xdsi.plug import CODECS, Actor, Call, Route
from xdsi.server import answer, faults
from xdsi.server.exchange import Exchange, Reply
from xdsi.server.faults import Refusal
from xdsi.wire import safexml, soap
from xdsi.wire.addressing import action_not_supported
from xdsi.wire.safexml import XmlLimits

# spyne collects garbage after calls; a server under load must not stop for that
spyne.const.MIN_GC_INTERVAL = float("inf")
logging.getLogger("spyne").setLevel(logging.ERROR)


@dataclass(slots=True)
class Job:
    """What spyne carries along with a request, as its user defined context.

    refusal: why documents could not be received or the request not be read, answered instead of
        asking the handler
    """

    exchange: Exchange
    charset: str | None
    route: Route | None = None
    call: Call | None = None
    parts: Mapping[str, Staged] | None = None
    refusal: Refusal | None = None
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A request whose envelope is read and whose method is chosen."""

    context: Any
    route: Route


class Dispatcher(ServerBase):  # type: ignore[misc]
    """The transactions of one actor."""

    transport = "xdsi"

    def __init__(self, actor: Actor, limits: Limits) -> None:
        protocol = _Protocol(actor, limits)
        application = _Application(
            [_service(actor)],
            tns=f"xdsi-{actor.name}",  # spyne asks for one; our methods go by action
            name=actor.name,
            in_protocol=protocol,
            out_protocol=_Protocol(actor, limits),
        )
        protocol.methods = {
            action: method
            for method in application.interface.method_id_map.values()
            for row in (method.udd["route"].transaction,)
            for action in (row.action, *row.older_actions)
        }
        super().__init__(application)

    def open(self, envelope: bytes, charset: str | None, exchange: Exchange) -> Opened:
        """Parse and check an envelope, choose the method.

        charset: parameter of its Content-Type
        Raises SoapFault.
        """
        context = _Context(self, MethodContext.SERVER)
        context.udc = Job(exchange, charset)
        context.in_string = (envelope,)
        (context,) = self.generate_contexts(context)
        return Opened(context, context.udc.route)

    def answer(
        self,
        opened: Opened,
        parts: Mapping[str, Staged],
        call: Call,
        refusal: XDSError | None = None,
    ) -> Reply:
        """Ask the handler and write the answer. Raises SoapFault and whatever is no finding."""
        context = opened.context
        job: Job = context.udc
        job.parts, job.call, job.refusal = parts, call, refusal
        self.get_in_object(context)
        self.get_out_object(context)
        self.get_out_string(context)
        context.close()
        assert job.reply is not None  # noqa: S101 - the protocol has set it
        return job.reply


class _Context(MethodContext):  # type: ignore[misc]
    """spyne's context, made cheaper: it is a third of the cost of a small query otherwise.

    Without the parts that point back at it: a cycle would keep envelope and answer in memory
    until the garbage collector comes. Without a guard on each attribute. Events go the long way
    only where somebody listens.
    """

    TransportContext = None
    __setattr__ = object.__setattr__

    def __init__(self, transport: Any, way: Any) -> None:
        super().__init__(transport, way)
        self.event = None

    def fire_event(self, event: str, *args: Any, **kwargs: Any) -> None:
        heard = self.app.event_manager.handlers
        if not heard and self.descriptor is not None:
            heard = [each for each in self.descriptor.event_managers if each.handlers]
        if heard:
            super().fire_event(event, *args, **kwargs)


class _Application(Application):  # type: ignore[misc]
    def process_request(self, ctx: Any) -> None:
        """As spyne's, but exceptions pass through: `faults` alone judges them."""
        ctx.fire_event("method_call")
        ctx.in_object = [ctx.in_object]
        ctx.out_object = [self.call_wrapper(ctx)]
        ctx.protocol = ctx.outprot_ctx
        ctx.fire_event("method_return_object")


class _Protocol(ProtocolBase):  # type: ignore[misc]
    """SOAP 1.2 with WS-Addressing in spyne's steps; the work is done in `xdsi.wire`."""

    type = frozenset({"soap12"})

    def __init__(self, actor: Actor, limits: Limits) -> None:
        super().__init__()
        self.methods: dict[str, Any] = {}
        self._limits = XmlLimits(
            envelope=limits.envelope,
            depth=limits.depth,
            attributes=limits.attributes,
            namespaces=limits.namespaces,
            elements=limits.elements,
            text=limits.text,
        )

    def get_context(self, parent: Any, transport: Any) -> None:
        """None: see `_Context`."""

    def create_in_document(self, ctx: Any, charset: str | None = None) -> None:
        job: Job = ctx.udc
        (envelope,) = ctx.in_string
        ctx.in_document = safexml.parse(envelope, charset=job.charset, limits=self._limits)

    def decompose_incoming_envelope(self, ctx: Any, message: Any) -> None:
        exchange: Exchange = ctx.udc.exchange
        try:
            envelope = soap.read_envelope(ctx.in_document)
        except SoapFault:
            exchange.message_id = soap.message_id_of(ctx.in_document)
            raise
        exchange.message_id = envelope.message_id
        ctx.in_header_doc, ctx.in_body_doc = envelope.headers, envelope.body
        ctx.method_request_string = envelope.action

    def generate_method_contexts(self, ctx: Any) -> list[Any]:
        """As spyne's, with no copy of the context: a call has one method here."""
        (ctx.descriptor,) = self.get_call_handles(ctx)
        return [ctx]

    def get_call_handles(self, ctx: Any) -> list[Any]:
        """By action, then by body: one body element serves several actions (SEC-T-083)."""
        action = ctx.method_request_string
        method = self.methods.get(action)
        if method is None:
            raise action_not_supported(action)
        route: Route = method.udd["route"]
        if ctx.in_body_doc.tag != route.transaction.request_tag:
            raise action_not_supported(action)
        ctx.udc.route = route
        ctx.udc.exchange.transaction = route.transaction.id
        return [method]

    def deserialize(self, ctx: Any, message: Any) -> None:
        """Read the request, and let go of all it was read from before the handler works."""
        job: Job = ctx.udc
        assert job.route is not None  # noqa: S101 - chosen before
        if job.refusal is None:
            ctx.in_object, job.refusal = faults.read(job.route, ctx.in_body_doc, job.parts or {})
        ctx.in_string = ctx.in_document = ctx.in_header_doc = ctx.in_body_doc = None

    def serialize(self, ctx: Any, message: Any) -> None:
        job: Job = ctx.udc
        job.reply = ctx.out_document = _written(job, ctx.in_object[0], ctx.out_object[0])

    def create_out_string(self, ctx: Any, charset: str | None = None) -> None:
        body = ctx.udc.reply.body
        ctx.out_string = (body,) if isinstance(body, bytes) else body


def _written(job: Job, request: Any, outcome: Any) -> Reply:
    assert job.route is not None  # noqa: S101 - chosen before the call
    transaction = job.route.transaction
    body = CODECS[transaction.id].write_answer(outcome)
    reply = answer.reply(body, transaction.answer_action, job.exchange)
    if isinstance(reply.body, bytes):
        return reply
    return replace(reply, again=partial(_once_more, job, request))


def _once_more(job: Job, request: Any) -> Reply:
    assert job.route is not None  # noqa: S101 - as above
    assert job.call is not None  # noqa: S101 - given with the call
    return _written(job, request, faults.answered(job.route, request, job.call, job.exchange))


def _service(actor: Actor) -> Any:
    """A spyne service with one bare method per route."""
    methods = {_name(route): _method(route) for route in actor.routes}
    return type(Service)(actor.name, (Service,), methods)


def _name(route: Route) -> str:
    return route.transaction.id.replace("-", "").lower()


def _method(route: Route) -> Any:
    def method(ctx: Any, request: Any) -> Any:
        job: Job = ctx.udc
        assert job.call is not None  # noqa: S101 - given with the call
        return faults.answered(route, request, job.call, job.exchange, job.refusal)

    method.__name__ = _name(route)  # spyne tells methods apart by it
    return rpc(AnyXml, _returns=AnyXml, _body_style="bare", _udd={"route": route})(method)
