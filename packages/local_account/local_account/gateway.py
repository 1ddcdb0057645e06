"""The one port of all accounts: checks who is asking, then hands a request to the service that it was signed for.

Input: HTTP as ASGI events. Output: the answer of MiniStack (most services), moto (`emulators.MOTO_SERVICES`), SageMaker
(`sagemaker/api.py`), CodeConnections (`connections/`), a git server (both know repositories) or an endpoint (`endpoints/`). Nothing is
answered without the run's secret.
Which account and region a request is of, its keys and its signature say (`places.py`); a resource of another account that it names
by ARN, URL or a bucket's name is served there, once the policies of both have allowed it.
Next: `signatures.py`, `codecommit.py`, `cloudformation/`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import re
import runpy
import threading
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

from local_account import clock_control, cloudformation, codecommit, connections, emulators, permissions, places, request_body
from local_account.api import one_meaning, reading, tokens, validation, values, wording
from local_account.api.rules import rule
from local_account.authorization import deletions
from local_account.authorization.credentials import Credentials
from local_account.cloudformation import deployer
from local_account.context import Context
from local_account.endpoints import runtime
from local_account.errors import NotEmulatedError, ServiceError
from local_account.protocols import error_response, operation_of
from local_account.response import Response
from local_account.sagemaker.api import Api
from local_account.signatures import Request, read_signature, require_region, verify_body, verify_head

_log = logging.getLogger(__name__)

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

#: How a MiniStack service says that it lacks an operation. Everything else it answers is passed on as it is.
_UNKNOWN_OPERATION = re.compile(
    rb"UnknownOperation|InvalidAction|NotImplemented|UnsupportedOperation\b|No route for|Unsupported service|not implemented", re.I
)
#: Paths of MiniStack that belong to no service of AWS: they show, change and reset the emulator itself. No bucket's name begins so.
_INTERNAL = re.compile(r"/(_|health$)")
#: The answer of a custom resource or wait handle to CloudFormation. It is not signed: its random path is the permission.
_SIGNALS = re.compile(r"/_ministack/cfn-(response|signal)/[\w%-]{16,}")
#: IAM user guide, "IAM identifiers": how an access key of a user begins, which comes without a session's token.
_LASTING_KEYS = "AKIA"
#: What AWS has nothing like, and who answers it.
_OWN_PATHS = {
    clock_control.PATH: clock_control.serve_clock,
    connections.HANDSHAKE_PATH: connections.serve_handshake,
    permissions.PATH: permissions.serve_permissions,
}
#: Where Git is spoken.
_GIT_PREFIXES = (codecommit.HTTP_PREFIX, connections.HTTP_PREFIX)
_INVOCATION = re.compile(r"/endpoints/([^/]+)/invocations")
#: Names a Python file whose function `answered(call, status, headers, body)` sees every answer: for tests, of this account or of yours.
OBSERVER = "LOCAL_ACCOUNT_OBSERVER"


@dataclass(frozen=True)
class _Asked:
    """A request that is what it says: `caller` is nobody for what needs no signature, `context` the caller's account in the region."""

    context: Context
    service: str
    request: Request
    caller: Credentials | None

    def authorize(self, call: reading.Call) -> None:
        """Raises ServiceError for what the caller may not do."""
        if self.caller is not None:
            self.context.authorizer.require_of(self.caller, call.service, call.operation, call.parameters)


class Gateway:
    """The ASGI application of one process. `context` is its first account's."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._moto_lock = threading.Lock()
        self._moto: dict[str, Any] = {}
        self._tokens = tokens.Tokens()
        self._regions = places.regions() | {context.settings.region}

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:  # web sockets belong to services that this account does not have
            await send({"type": "websocket.close", "code": 1008})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        emulators.attach_to_loop()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        request = Request(
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers=_headers(scope),
        )
        service, incoming = "", request_body.Incoming(receive, request.headers)
        try:
            self._refuse_strangers(request)
            if request.path.startswith(_GIT_PREFIXES) or request.path in _OWN_PATHS:
                await _reply(send, await self._for_the_password(request, incoming))
                return
            asked = await self._authenticate(request, scope["path"], incoming)
            service, request = asked.service, asked.request
            await self._dispatch(asked, scope, send)
        except ServiceError as error:
            await incoming.forget()  # a client that still sends would not see its answer
            await _reply(send, error_response(error, request, service))
        except Exception:  # a bug of ours or of an emulator: the client gets an AWS error, the log the traceback
            _log.exception("%s:%s failed", service, operation_of(request))
            message = f"The local account failed in {service}:{operation_of(request)}; see {self._context.log_path('account', 'account')}"
            await _reply(send, error_response(ServiceError("InternalFailure", message, 500), request, service))

    def _refuse_strangers(self, request: Request) -> None:
        """A browser page must not reach the account: neither through its own name for 127.0.0.1, nor with its own script."""
        host, _, port = request.headers.get("host", "").rpartition(":")
        is_ours = port == str(self._context.settings.port) and (host in ("127.0.0.1", "localhost") or host.endswith(".localhost"))
        if not is_ours:
            raise ServiceError("AccessDenied", f"Host {request.headers.get('host', '')!r} is not this local account.", 403)
        if "origin" in request.headers:
            raise ServiceError("AccessDenied", "The local account does not answer browsers.", 403)

    async def _for_the_password(self, request: Request, incoming: request_body.Incoming) -> Response:
        """Git and what is the account's own ask for the secret as a password (HTTP basic authentication); the body is read after that."""
        refusal = codecommit.refusal(self._context, request)
        if refusal is not None:
            await incoming.forget()
            return refusal
        body = await incoming.read(request_body.limit_of("git"))
        request = replace(request, body=body.content)
        if request.path in _OWN_PATHS:
            return await asyncio.to_thread(_OWN_PATHS[request.path], self._context, request)
        serve_git = connections.serve_git if request.path.startswith(connections.HTTP_PREFIX) else codecommit.serve_git
        return await asyncio.to_thread(serve_git, self._context, request)

    async def _authenticate(self, request: Request, path: str, incoming: request_body.Incoming) -> _Asked:
        """Who asks for which service, of which account and region, with the request's body. Raises ServiceError (403) for a stranger.

        `path` is the request's own, decoded, as MiniStack sees it.
        """
        if request.method == "PUT" and _SIGNALS.fullmatch(request.path):
            body = await incoming.read(request_body.SIGNAL_BYTES)
            return _Asked(self._context, "cloudformation", replace(request, body=body.content), None)
        signature = read_signature(request)
        if signature is None:
            raise ServiceError(
                "MissingAuthenticationToken", "The request is not signed. Use the exports that the local account printed.", 403
            )
        keyring = self._context.keyring
        secret = keyring.secret_of(signature.access_key)
        verify_head(request, signature, secret)
        require_region(signature, self._regions)
        if _INTERNAL.match(path):
            raise ServiceError("AccessDenied", f"{path} is not a path of any service of AWS.", 403)
        body = await incoming.read(request_body.limit_of(signature.service))
        verify_body(request, signature, secret, body.sha256)
        caller = Credentials(signature.access_key, secret, _token(request))
        if caller.token and signature.access_key.startswith(_LASTING_KEYS):
            raise ServiceError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
        region = self._context.settings.region if signature.is_regionless else signature.region
        context = self._context.places.at(keyring.account_of(signature.access_key), region)
        return _Asked(context, signature.service, replace(request, body=body.content), caller)

    async def _dispatch(self, asked: _Asked, scope: Mapping[str, Any], send: Send) -> None:
        context, service, request, caller = asked.context, asked.service, asked.request, asked.caller
        invocation = _INVOCATION.fullmatch(request.path)
        if service == "sagemaker" and invocation and request.method == "POST":  # many a second: it knows its few members itself
            name = unquote(invocation[1])
            validation.require_valid_invocation(name, request.headers)
            asked.authorize(reading.Call("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": name}))
            if OBSERVER in os.environ:
                send = _recorded(reading.Call("sagemaker-runtime", "InvokeEndpoint", {}), send)
            await _reply(send, await runtime.invoke(context, name, request.headers, request.body))
            return
        call = None
        if caller is not None:
            request = one_meaning.unambiguous(service, request)
            call = context.authorizer.completed(caller, _checked(service, request))
            request = one_meaning.handed_on(call, request, caller.access_key, context.settings.region, service)
            if deletions.is_list(call):
                refused = deletions.refused(call, asked.authorize)
                allowed = deletions.without(request, call, refused) if refused else request
                if allowed is None:
                    await _reply(send, deletions.answer(refused))
                    return
                request, send = allowed, _changed(deletions.with_errors(refused) if refused else None, send)
            else:
                asked.authorize(call)
            context = context.places.at(context.authorizer.account_of(call), context.settings.region)
            self._tokens.require_known(call)
            if rule.has_rules(call):
                await asyncio.to_thread(rule.require, context, call)
            if OBSERVER in os.environ:
                send = _recorded(call, send)
            if service == "codecommit" or service not in (*emulators.MOTO_SERVICES, *connections.SERVICES, "sagemaker"):
                send = _worded(call, request, send)
            if tokens.member_of(call.service, call.operation):
                send = self._remembering(call, send)
        if service == "sagemaker" and call is not None:
            await _reply(send, await asyncio.to_thread(Api.at(context).answer, call))
        elif service in connections.SERVICES and call is not None:
            await _reply(send, await asyncio.to_thread(connections.answer, context, call))
        elif service in emulators.MOTO_SERVICES:
            await _reply(send, await asyncio.to_thread(self._ask_moto, context, service, request))
        else:
            if service == "cloudformation":
                send = self._once_stack_is_settled(context, request, send)
            with deployer.deploying(context, call, caller) if call and caller else contextlib.nullcontext():
                await _ask_ministack(context, service, request, scope, send)

    def _remembering(self, call: reading.Call, send: Send) -> Send:
        """Let an answer through once the token of its next page is known: the client may come with it at once."""
        held: list[Event] = []

        async def send_later(event: Event) -> None:
            held.append(event)
            if event["type"] == "http.response.body" and not event.get("more_body"):
                self._tokens.remember(call, _response_of(held))
                for each in held:
                    await send(each)

        return send_later

    def _once_stack_is_settled(self, context: Context, request: Request, send: Send) -> Send:
        """Hold the answer to a change of a stack for a moment: `cdk` looks every five seconds, most stacks take less than one."""
        if operation_of(request) not in cloudformation.STACK_CHANGES:
            return send

        async def send_later(event: Event) -> None:
            if event["type"] == "http.response.start" and event["status"] < 400:
                await asyncio.to_thread(cloudformation.wait_until_settled, context, request.body)
            await send(event)

        return send_later

    def _ask_moto(self, context: Context, service: str, request: Request) -> Response:
        from werkzeug.test import EnvironBuilder, run_wsgi_app

        with self._moto_lock:
            application = self._moto.get(service) or self._moto.setdefault(service, emulators.moto_application(service))
        # moto would take account and region from what a client says of itself, before those of its keys and signature.
        kept = [(name, value) for name, value in request.headers.items() if name != "user-agent" and not name.startswith("x-moto-")]
        builder = EnvironBuilder(
            method=request.method,
            path=unquote(request.path),
            query_string=request.query,
            data=request.body,
            headers=[*kept, ("x-moto-account-id", context.settings.account_id)],
            base_url=f"http://{request.headers['host']}",
        )
        try:
            chunks, status, headers = run_wsgi_app(application, builder.get_environ(), buffered=True)
        except NotImplementedError as error:
            raise NotEmulatedError(service, operation_of(request)) from error
        response = Response(int(status.split()[0]), b"".join(chunks), {name.lower(): value for name, value in headers})
        if response.status == 501 and b"The local account" not in response.body:
            raise NotEmulatedError(service, operation_of(request))
        return response


async def _ask_ministack(context: Context, service: str, request: Request, scope: Mapping[str, Any], send: Send) -> None:
    """Pass the request on. Good answers stream through; errors are read first, to name an operation that is missing."""
    import ministack.app

    withheld: list[Event] = []

    async def watch(event: Event) -> None:
        if event["type"] == "http.response.start" and event["status"] >= 400:
            withheld.append(event)
        elif not withheld:
            await send(event)
        else:
            withheld.append(event)
            if not event.get("more_body"):
                await _reply_error(service, request, withheld, send)

    settings = context.settings
    is_signal = _SIGNALS.fullmatch(request.path)
    with contextlib.nullcontext() if is_signal else emulators.serving(service, settings.account_id, settings.region):
        await ministack.app.app(_scope_of(request, scope), _replay(request.body), watch)


def _scope_of(request: Request, scope: Mapping[str, Any]) -> Mapping[str, Any]:
    """The request as it was read, for MiniStack, which reads the event of its arrival."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()]
    path = {"path": unquote(request.path), "raw_path": request.path.encode("latin-1"), "query_string": request.query.encode("latin-1")}
    return {**scope, **path, "method": request.method, "headers": headers}


async def _reply_error(service: str, request: Request, events: list[Event], send: Send) -> None:
    body = b"".join(event.get("body", b"") for event in events[1:])
    if events[0]["status"] == 501 or _UNKNOWN_OPERATION.search(body[:2000]):
        await _reply(send, error_response(NotEmulatedError(service, operation_of(request)), request, service))
        return
    for event in events:
        await send(event)


def _replay(body: bytes) -> Receive:
    events = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Event:
        return next(events, {"type": "http.disconnect"})

    return receive


def _headers(scope: Mapping[str, Any]) -> Mapping[str, str]:
    """Header name -> value, repeated ones joined by a comma as RFC 9110 §5.2 allows."""
    pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


async def _reply(send: Send, response: Response) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items() if name != "content-length"]
    length = [(b"content-length", str(len(response.body)).encode())]
    await send({"type": "http.response.start", "status": response.status, "headers": headers + length})
    await send({"type": "http.response.body", "body": response.body})


def _checked(service: str, request: Request) -> reading.Call:
    """What a request asks for. Raises ServiceError for what this account does not have, and for what AWS would not take."""
    call = reading.read(service, request)
    if call is None:
        raise NotEmulatedError(service, operation_of(request))
    validation.require_allowed(call)
    values.require_emulated(call)
    return call


def _worded(call: reading.Call, request: Request, send: Send) -> Send:
    """Sends an emulator's good answer in the form that the model has."""
    return _changed(wording.of_call(call, request.headers.get("content-type", "")), send)


def _changed(change: Callable[[bytes], bytes] | None, send: Send) -> Send:
    """Sends a good answer with another body."""
    if change is None:
        return send
    events = list[Event]()

    async def send_changed(event: Event) -> None:
        if event["type"] == "http.response.start" and not 200 <= event["status"] < 300:
            events.append({})  # an error goes through, and what follows it
        if events and not events[0]:
            await send(event)
            return
        events.append(event)
        if event["type"] == "http.response.body" and not event.get("more_body"):
            body = change(b"".join(part.get("body", b"") for part in events[1:]))
            headers = [(name, value) for name, value in events[0]["headers"] if name.lower() != b"content-length"]
            await send({**events[0], "headers": [*headers, (b"content-length", str(len(body)).encode())]})
            await send({"type": "http.response.body", "body": body})

    return send_changed


def _recorded(call: reading.Call, send: Send) -> Send:
    """Sends on, and shows the whole answer to the observer."""
    events: list[Event] = []

    async def send_and_hold(event: Event) -> None:
        await send(event)
        events.append(event)
        if event["type"] == "http.response.body" and not event.get("more_body"):
            head = {name.decode("latin-1"): value.decode("latin-1") for name, value in events[0]["headers"]}
            _observer(os.environ[OBSERVER])(call, events[0]["status"], head, b"".join(part.get("body", b"") for part in events[1:]))

    return send_and_hold


@functools.cache
def _observer(file: str) -> Callable[..., None]:
    return cast(Callable[..., None], runpy.run_path(file)["answered"])


def _response_of(events: list[Event]) -> Response:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in events[0].get("headers", [])}
    return Response(events[0]["status"], b"".join(event.get("body", b"") for event in events[1:]), headers)


def _token(request: Request) -> str:
    """The session token that comes with temporary credentials, in the header or in a pre-signed address."""
    in_address = dict(parse_qsl(request.query, keep_blank_values=True)) if "oken=" in request.query else {}
    return (
        request.headers.get("x-amz-security-token") or in_address.get("X-Amz-Security-Token") or in_address.get("x-amz-security-token", "")
    )


def application(context: Context) -> Callable[..., Awaitable[None]]:
    return functools.partial(Gateway(context).__call__)
