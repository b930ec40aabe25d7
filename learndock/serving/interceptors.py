"""What surrounds every RPC: telemetry, errors, deadline, message limit, access.

Each is a layer, a context manager around the call; one gRPC interceptor puts them around all four kinds of methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
import logging
import math
from threading import Event
import time
from typing import Any
from uuid import uuid4

from google.protobuf.message import Message
import grpc
from grpc_status import rpc_status

from learndock import errors
from learndock.audit import AuditEntry
from learndock.errors import LearndockError, Reason
from learndock.serving import access, caller, telemetry, tracing
from learndock.serving.application import AuditLog, Authenticator
from learndock.serving.limits import FairPool, InPlace, RateLimit, too_busy
from learndock.status import to_status

_log = logging.getLogger("learndock.rpc")
_audit_log = logging.getLogger("learndock.audit")

# gRPC tells "no deadline" by one that is years away, in seconds.
_FAR_AWAY = 1e9
_ASIDE_THREADS = 2


@dataclass
class Outcome:
    """The answer of a call that has a single one, or why it was refused."""

    response: Any = None
    error: LearndockError | None = None


@dataclass(frozen=True)
class Call:
    """A call on its way through the layers.

    Attributes
    ----------
    method
        ``/package.Service/Method``.
    unary
        Whether request and response are single messages.
    metadata
        What came with it, lower-case keys.
    request
        The request message, None for a stream of them.
    context
        gRPC's own view of the call.
    outcome
        What became of it, as far as is known.
    """

    method: str
    unary: bool
    metadata: Mapping[str, str]
    request: Message | None
    context: grpc.ServicerContext
    outcome: Outcome


Layer = Callable[[Call], AbstractContextManager[None]]


class LayerInterceptor(grpc.ServerInterceptor):
    """Puts layers around every method, the first outermost; calls for which there is no place are refused at once.

    What is open to anybody, such as health, is answered by a thread of its own and so under any load.
    """

    def __init__(self, pool: FairPool, layers: Sequence[Layer]) -> None:
        self._pool = pool
        self._layers = tuple(layers)
        self._aside = ThreadPoolExecutor(_ASIDE_THREADS, thread_name_prefix="aside")
        self._refusal = _refusal()

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the handler of a call."""
        method = handler_call_details.method
        if access.is_open(method):
            handler = continuation(handler_call_details)
            return None if handler is None else _answered_aside(handler, self._aside)
        metadata = {key: value for key, value in handler_call_details.invocation_metadata if isinstance(value, str)}
        if not self._pool.admits(metadata.get("authorization", ""), method):
            telemetry.record(method, grpc.StatusCode.RESOURCE_EXHAUSTED.name, 0.0)
            return self._refusal
        handler = continuation(handler_call_details)
        return None if handler is None else _wrapped(handler, method, metadata, self._layers)


def _refusal() -> grpc.RpcMethodHandler[Any, Any]:
    """Handler of a call for which there is no place: it answers in gRPC's own thread and reads nothing.

    Only a handler that takes a stream is called before there is a request; callers see no difference.
    """
    status = rpc_status.to_status(to_status(too_busy()))

    def refuse(_: object, context: grpc.ServicerContext) -> None:
        context.abort_with_status(status)

    refuse.experimental_thread_pool = InPlace(1)  # type: ignore[attr-defined]  # gRPC's name for "run it there"
    return grpc.stream_unary_rpc_method_handler(refuse)


def _answered_aside(handler: Any, pool: ThreadPoolExecutor) -> grpc.RpcMethodHandler[Any, Any]:
    if handler.unary_unary is None:
        return handler  # type: ignore[no-any-return]  # streams of these services hold no thread, or are rare

    def respond(request: Any, context: grpc.ServicerContext) -> Any:
        return handler.unary_unary(request, context)

    respond.experimental_thread_pool = pool  # type: ignore[attr-defined]
    return grpc.unary_unary_rpc_method_handler(
        respond,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _wrapped(
    handler: Any,
    method: str,
    metadata: Mapping[str, str],
    layers: tuple[Layer, ...],
) -> grpc.RpcMethodHandler[Any, Any]:
    unary = not handler.request_streaming and not handler.response_streaming

    def surround(request: Any, context: grpc.ServicerContext, outcome: Outcome) -> ExitStack:
        message = None if handler.request_streaming else request
        call = Call(method, unary, metadata, message, context, outcome)
        stack = ExitStack()
        try:
            for layer in layers:
                stack.enter_context(layer(call))
        except BaseException as error:  # a layer that refuses must not hide from the ones around it
            if not stack.__exit__(type(error), error, error.__traceback__):
                raise
        return stack

    def received(request: Any) -> Any:
        if handler.request_streaming:
            return _standing(request, method, "in")
        telemetry.BYTES.labels(method, "in").inc(request.ByteSize())
        return request

    def respond(request: Any, context: grpc.ServicerContext) -> Any:
        outcome = Outcome()
        with surround(request, context, outcome):
            outcome.response = behaviour(received(request), context)
            telemetry.BYTES.labels(method, "out").inc(outcome.response.ByteSize())
            return outcome.response

    def respond_stream(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        with surround(request, context, Outcome()):
            yield from _standing(behaviour(received(request), context), method, "out")

    kind = f"{'stream' if handler.request_streaming else 'unary'}_{'stream' if handler.response_streaming else 'unary'}"
    behaviour = getattr(handler, kind)
    return getattr(grpc, f"{kind}_rpc_method_handler")(  # type: ignore[no-any-return]
        respond_stream if handler.response_streaming else respond,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _standing(messages: Iterator[Any], method: str, direction: str) -> Iterator[Any]:
    """Messages of a stream, for as long as the caller's credential works."""
    for message in messages:
        caller.check_standing()
        telemetry.BYTES.labels(method, direction).inc(message.ByteSize())
        yield message


@contextmanager
def recorded(call: Call) -> Iterator[None]:
    """Count, time and log the call: one line each, no values."""
    began = time.monotonic()
    request_id = call.metadata.get("x-request-id", "")[:64] or uuid4().hex
    with telemetry.IN_FLIGHT.labels(call.method).track_inprogress(), tracing.served(call.method, call.metadata) as span:
        caller.enter(caller.ServedCall(request_id=request_id, context=call.context, trace=span.context))
        try:
            yield
        finally:
            seconds = time.monotonic() - began
            code = _code_of(call.context)
            span.end(code)
            telemetry.record(call.method, code, seconds)
            principal = caller.current()
            _log.info(
                "rpc",
                extra={
                    "method": call.method,
                    "code": code,
                    "seconds": round(seconds, 6),
                    "user_id": principal.user_id,
                    "role": principal.role.value,
                    "request_id": request_id,
                    "trace_id": span.trace_id,
                },
            )


def _code_of(context: grpc.ServicerContext) -> str:
    code = context.code()  # type: ignore[attr-defined]  # there, but missing in the type stubs
    if code is not None:
        return str(code.name)
    return "OK" if context.is_active() else "CANCELLED"


@contextmanager
def reported(call: Call) -> Iterator[None]:
    """Turn errors into statuses; what is not a `LearndockError` is logged and told as INTERNAL without details."""
    try:
        yield
    except LearndockError as error:
        call.outcome.error = error
        _abort(call.context, error)
    except Exception as error:
        if _ended_by_caller(call, error):
            raise  # gRPC has answered already
        request_id = caller.served().request_id
        _log.exception("fault", extra={"method": call.method, "request_id": request_id})
        _abort(
            call.context,
            errors.Internal(Reason.INTERNAL, f"A fault of the dock; its log tells more under request id {request_id}."),
        )


def _ended_by_caller(call: Call, error: Exception) -> bool:
    """Whether reading a stream of requests failed since its caller is gone; gRPC tells it by an error of no class."""
    return call.request is None and type(error) is grpc.RpcError and not call.context.is_active()


def _abort(context: grpc.ServicerContext, error: LearndockError) -> None:
    context.abort_with_status(rpc_status.to_status(to_status(error)))


def timed(stopping: Event, default_seconds: float, max_seconds: float) -> Layer:
    """Layer that states the deadline: a unary call without one gets the default, a stream ends with the server."""

    @contextmanager
    def layer(call: Call) -> Iterator[None]:
        given = call.context.time_remaining()
        if given is None or given > _FAR_AWAY:
            given = default_seconds if call.unary else math.inf
        ends_at = time.monotonic() + (min(given, max_seconds) if call.unary else given)
        caller.enter(replace(caller.served(), ends_at=ends_at, stopping=None if call.unary else stopping))
        caller.check_active()
        yield

    return layer


def paced(limit: RateLimit) -> Layer:
    """Layer that refuses callers who call too often."""

    @contextmanager
    def layer(call: Call) -> Iterator[None]:
        limit.take(caller.current(), call.context.peer())
        yield

    return layer


def limited(limits: Mapping[str, int]) -> Layer:
    """Layer that refuses request messages above the limit of their service, by its full name."""

    @contextmanager
    def layer(call: Call) -> Iterator[None]:
        limit = limits.get(call.method.split("/")[1])
        if limit is not None and call.request is not None and call.request.ByteSize() > limit:
            raise errors.ResourceExhausted(
                Reason.MESSAGE_TOO_LARGE,
                f"The request has {call.request.ByteSize()} bytes; the limit is {limit}. Send less at a time.",
            )
        yield

    return layer


def audited(log: AuditLog, rules: Mapping[str, access.Rule]) -> Layer:
    """Layer that writes each call of a method that mutates into the audit log, unless nobody knows whose it is."""

    @contextmanager
    def layer(call: Call) -> Iterator[None]:
        try:
            yield
        finally:
            rule = rules.get(call.method)
            if rule is not None and rule.mutates and not isinstance(call.outcome.error, errors.Unauthenticated):
                entry = _audit_entry(call)
                _audit_log.info("audit", extra=asdict(entry))
                log.record(entry)

    return layer


def _audit_entry(call: Call) -> AuditEntry:
    served = caller.served()
    error = call.outcome.error
    return AuditEntry(
        entry_id=uuid4().hex,
        time=datetime.now(UTC),
        user_id=served.principal.user_id,
        user_name=served.principal.name,
        role=served.principal.role,
        action=call.method.removeprefix("/"),
        code=_code_of(call.context),
        resource=_resource_of(call.outcome.response) or _resource_of(call.request),
        reason=error.reason.value if error is not None else "",
        request_id=served.request_id,
        peer=call.context.peer(),
    )


def _resource_of(message: Message | None) -> str:
    """Id of what a message is about: its first field that is one, or that of the first resource in it."""
    if message is None:
        return ""
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.name.endswith("_id") and field.name != "request_id" and isinstance(value, str) and value:
            return value
    inner = [value for _, value in message.ListFields() if isinstance(value, Message)]
    return next(filter(None, map(_resource_of, inner)), "")


def admitted(authenticator: Authenticator, rules: Mapping[str, access.Rule]) -> Layer:
    """Layer that finds out who calls and whether they may."""

    @contextmanager
    def layer(call: Call) -> Iterator[None]:
        _enter_as_caller(call, authenticator)
        access.require(caller.current(), call.method, rules)
        yield

    return layer


def _enter_as_caller(call: Call, authenticator: Authenticator) -> None:
    scheme, _, token = call.metadata.get("authorization", "").partition(" ")
    if token and scheme.lower() != "bearer":
        raise errors.Unauthenticated(Reason.TOKEN_INVALID, "Only 'authorization: Bearer TOKEN' is understood.")
    if not token:
        return
    principal = authenticator.authenticate(token)
    standing = None if call.unary else caller.Standing(lambda: authenticator.authenticate(token))
    caller.enter(replace(caller.served(), principal=principal, token=token, standing=standing))
