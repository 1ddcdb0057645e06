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
import functools
import logging
import os
import re
import runpy
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import parse_qsl, unquote

from local_account import asking, clock_control, cloudformation, codecommit, connections, emulators, permissions, places, request_body
from local_account.api import one_meaning, reading, tokens, validation, wording
from local_account.api.rules import rule
from local_account.authorization.credentials import Credentials
from local_account.cloudformation import deployer
from local_account.context import Context
from local_account.endpoints import asynchronous, runtime
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
_INVOCATION = re.compile(r"/endpoints/([^/]+)/([a-z-]*invocations[a-z-]*)")
#: The operations of sagemaker-runtime, by the end of their path.
_INVOCATIONS = {
    "invocations": "InvokeEndpoint",
    "async-invocations": "InvokeEndpointAsync",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
}
#: Names a Python file whose function `answered(call, status, headers, body)` sees every answer: for tests, of this account or of yours.
OBSERVER = "LOCAL_ACCOUNT_OBSERVER"


@dataclass(frozen=True)
class _Asked:
    """A request that is what it says: `context` is the caller's account in the region."""

    context: Context
    service: str
    request: Request
    caller: Credentials

    def authorize(self, call: reading.Call) -> None:
        """Raises ServiceError for what the caller may not do."""
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
            headers=_headers(scope["headers"]),
        )
        service, incoming = "", request_body.Incoming(receive, request.headers)
        try:
            self._refuse_strangers(request)
            if request.path.startswith(_GIT_PREFIXES) or request.path in _OWN_PATHS:
                response = await self._for_the_password(request, incoming)
            elif request.method == "PUT" and _SIGNALS.fullmatch(request.path):
                service, body = "cloudformation", await incoming.read(request_body.SIGNAL_BYTES)
                response = await _ask_ministack(service, replace(request, body=body.content), scope)
            else:
                asked = await self._authenticate(request, scope["path"], incoming)
                service, request = asked.service, asked.request
                response = await self._answer(asked, scope)
        except ServiceError as error:
            await incoming.forget()  # a client that still sends would not see its answer
            response = error_response(error, request, service)
        except Exception:  # a bug of ours or of an emulator: the client gets an AWS error, the log the traceback
            _log.exception("%s:%s failed", service, operation_of(request))
            message = f"The local account failed in {service}:{operation_of(request)}; see {self._context.log_path('account', 'account')}"
            response = error_response(ServiceError("InternalFailure", message, 500), request, service)
        await _reply(send, response)

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
        signature = read_signature(request)
        if signature is None:
            raise ServiceError(
                "MissingAuthenticationToken", "The request is not signed. Use the exports that the local account printed.", 403
            )
        keyring = self._context.keyring
        secret, account = keyring.secret_and_account_of(signature.access_key)
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
        context = self._context.places.at(account, region)
        return _Asked(context, signature.service, replace(request, body=body.content), caller)

    async def _answer(self, asked: _Asked, scope: Mapping[str, Any]) -> Response:
        context, service, request, caller = asked.context, asked.service, asked.request, asked.caller
        invocation = _INVOCATION.fullmatch(request.path)
        operation = _INVOCATIONS.get(invocation[2]) if invocation and service == "sagemaker" and request.method == "POST" else None
        if invocation and operation and operation != "InvokeEndpointAsync":  # many a second: it knows its few members itself
            return await _invoked(asked, operation, unquote(invocation[1]))
        request = one_meaning.unambiguous(service, request)
        call = context.authorizer.completed(caller, _checked(service, request))
        request = one_meaning.handed_on(call, request, caller.access_key, context.settings.region, service)
        asked.authorize(call)
        asking.note(caller)
        context = context.places.at(context.authorizer.account_of(call), context.settings.region)
        self._tokens.require_known(call)
        if rule.has_rules(call):
            await asyncio.to_thread(rule.require, context, call)
        response = await self._served(_Asked(context, service, request, caller), call, scope)
        self._tokens.remember(call, response)
        return _observed(call, response)

    async def _served(self, asked: _Asked, call: reading.Call, scope: Mapping[str, Any]) -> Response:
        """The answer of the service itself, in the place where the resource is that the request is about."""
        context, service, request = asked.context, asked.service, asked.request
        if call.service == "sagemaker-runtime":
            return asynchronous.invoke(context, call.parameters)
        if service == "sagemaker":
            return await asyncio.to_thread(Api.at(context).answer, call)
        if service in connections.SERVICES:
            return await asyncio.to_thread(connections.answer, context, call)
        if service in emulators.MOTO_SERVICES:
            response = await asyncio.to_thread(self._ask_moto, context, service, request)
            return _worded(call, request, response) if service == "codecommit" else response
        serving = emulators.serving(service, context.settings.account_id, context.settings.region)
        with deployer.deploying(context, call, asked.caller), serving:
            response = await _ask_ministack(service, request, scope)
        if call.service == "cloudformation" and call.operation in cloudformation.STACK_CHANGES and response.is_good:
            await asyncio.to_thread(cloudformation.wait_until_settled, context, request.body)
        return _worded(call, request, response)

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


async def _invoked(asked: _Asked, operation: str, endpoint_name: str) -> Response:
    validation.require_valid_invocation(endpoint_name, asked.request.headers)
    headers = asked.request.headers  # a policy may name both: sagemaker:TargetModel, and the component's ARN
    chosen = {"TargetModel": headers.get(runtime.TARGET_MODEL), "InferenceComponentName": headers.get(runtime.COMPONENT)}
    given = {"EndpointName": endpoint_name, **{member: value for member, value in chosen.items() if value is not None}}
    asked.authorize(reading.Call("sagemaker-runtime", operation, given))
    if operation != "InvokeEndpoint":
        raise runtime.not_offered(asked.context, endpoint_name)
    response = await runtime.invoke(asked.context, endpoint_name, asked.request.headers, asked.request.body)
    return _observed(reading.Call("sagemaker-runtime", operation, {}), response)


async def _ask_ministack(service: str, request: Request, scope: Mapping[str, Any]) -> Response:
    """Pass the request on. It sends every answer whole: of what streams, this account has nothing."""
    import ministack.app

    sent: list[Event] = []

    async def collect(event: Event) -> None:
        sent.append(event)

    await ministack.app.app(_scope_of(request, scope), _replay(request.body), collect)
    head, *parts = sent
    response = Response(head["status"], b"".join(part.get("body", b"") for part in parts), _headers(head.get("headers", ())))
    if response.status == 501 or (response.status >= 400 and _UNKNOWN_OPERATION.search(response.body[:2000])):
        raise NotEmulatedError(service, operation_of(request))
    return response


def _scope_of(request: Request, scope: Mapping[str, Any]) -> Mapping[str, Any]:
    """The request as it was read, for MiniStack, which reads the event of its arrival."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()]
    path = {"path": unquote(request.path), "raw_path": request.path.encode("latin-1"), "query_string": request.query.encode("latin-1")}
    return {**scope, **path, "method": request.method, "headers": headers}


def _replay(body: bytes) -> Receive:
    events = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Event:
        return next(events, {"type": "http.disconnect"})

    return receive


def _headers(given: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Header name -> value, repeated ones joined by a comma as RFC 9110 §5.2 allows."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in given:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


async def _reply(send: Send, response: Response) -> None:
    length = str(len(response.body)) if response.body else response.headers.get("content-length", "0")  # HEAD: of what GET would answer
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in {**response.headers, "content-length": length}.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def _checked(service: str, request: Request) -> reading.Call:
    """What a request asks for. Raises ServiceError for what this account does not have, and for what AWS would not take."""
    call = reading.read(service, request)
    if call is None:
        raise NotEmulatedError(service, operation_of(request))
    validation.require_allowed(call)
    return call


def _worded(call: reading.Call, request: Request, response: Response) -> Response:
    """An emulator's good answer in the form that the model has."""
    word = wording.worded(call.service, call.operation, request.headers.get("content-type", "")) if response.is_good else None
    return response.with_body(word(response.body)) if word else response


def _observed(call: reading.Call, response: Response) -> Response:
    if OBSERVER in os.environ:
        _observer(os.environ[OBSERVER])(call, response.status, response.headers, response.body)
    return response


@functools.cache
def _observer(file: str) -> Callable[..., None]:
    return cast(Callable[..., None], runpy.run_path(file)["answered"])


def _token(request: Request) -> str:
    """The session token that comes with temporary credentials, in the header or in a pre-signed address."""
    in_address = dict(parse_qsl(request.query, keep_blank_values=True)) if "oken=" in request.query else {}
    return (
        request.headers.get("x-amz-security-token") or in_address.get("X-Amz-Security-Token") or in_address.get("x-amz-security-token", "")
    )
