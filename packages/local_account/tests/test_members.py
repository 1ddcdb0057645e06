"""Nothing that a client sends is dropped in silence: every member of every operation is acted on, stored with a reason, or refused."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.api.members import Coverage, coverage, require_emulated, require_emulated_values
from local_account.api.reading import LISTS, SERVICES, Call, model
from local_account.api.rules.rule import registered
from local_account.errors import NotEmulatedError, ServiceError

Path_ = tuple[str, ...]

EVERY_SERVICE = sorted(name for names in SERVICES.values() for name in names)
#: Where the code is that answers a service: ours, and the emulator's under it.
ANSWERED_BY = {
    "application-autoscaling": (
        *("local_account/scaling", "local_account/listing.py", "local_account/cloudformation", "capacity"),
        "moto.applicationautoscaling",
    ),
    "cloudformation": ("local_account/cloudformation", "ministack.services.cloudformation"),
    "cloudwatch": ("local_account/monitoring", "ministack.services.cloudwatch"),
    "codebuild": ("local_account/codebuild", "ministack.services.codebuild"),
    "codecommit": ("local_account/codecommit.py", "local_account/git_repositories.py", "moto.codecommit"),
    "codeconnections": ("local_account/connections",),
    "codepipeline": ("local_account/codepipeline", "local_account/listing.py", "local_account/cloudformation"),
    "codestar-connections": ("local_account/connections",),
    "ecr": ("ministack.services.ecr",),
    "events": ("local_account/events.py", "local_account/targets.py", "ministack.services.eventbridge"),
    "iam": ("ministack.services.iam", "local_account/authorization/simulation.py"),
    "kms": ("ministack.services.kms",),
    "lambda": ("ministack.services.lambda_svc",),
    "logs": ("ministack.services.cloudwatch_logs",),
    "s3": ("ministack.services.s3",),
    "sagemaker": ("local_account/sagemaker", "local_account/listing.py", "local_account/endpoints"),
    "sagemaker-runtime": ("local_account/endpoints",),
    "scheduler": ("local_account/scheduler.py", "local_account/targets.py", "local_account/events.py", "ministack.services.scheduler"),
    "secretsmanager": ("ministack.services.secretsmanager",),
    "sns": ("ministack.services.sns",),
    "sqs": ("ministack.services.sqs",),
    "ssm": ("ministack.services.ssm",),
    "sts": ("ministack.services.sts",),
}


def members_of(shape: Any, path: Path_ = (), inside: tuple[str, ...] = ()) -> Iterator[tuple[Path_, Any]]:
    """Every member below a structure, as the path that the lists use, with its shape. A structure in itself is entered once."""
    while shape is not None and shape.type_name in ("list", "map"):
        shape = shape.member if shape.type_name == "list" else shape.value
    if shape is None or shape.type_name != "structure" or shape.name in inside:
        return
    for name, member in shape.members.items():
        yield (*path, name), member
        yield from members_of(member, (*path, name), (*inside, shape.name))


def request_with(shape: Any, path: Path_) -> Any:
    """The smallest request that gives the member at `path`."""
    if shape.type_name == "list":
        return [request_with(shape.member, path)]
    if shape.type_name == "map":
        return {"key": request_with(shape.value, path)}
    if not path:
        return "value"
    return {path[0]: request_with(shape.members[path[0]], path[1:])}


def is_listed(covered: Coverage, operation: str, path: Path_) -> bool:
    """By the meaning of the lists: a member's name is in its structure's line, or that structure has no line of its own."""
    for length in range(1, len(path) + 1):
        place, name = ".".join((operation, *path[: length - 1])), path[length - 1]
        names = covered.acted.get(place)
        if names is not None and name not in names and name not in covered.stored and f"{place}.{name}" not in covered.stored:
            return False
    return True


@pytest.mark.parametrize("service", EVERY_SERVICE)
def test_every_member_of_every_operation_is_listed_or_refused_by_name(service: str) -> None:
    covered, known = coverage(service), model(service)
    for operation in known.operation_names:
        shape = known.operation_model(operation).input_shape
        if operation not in covered.acted:
            with pytest.raises(NotEmulatedError, match=f"{service}:{operation}"):
                require_emulated(Call(service, operation, {}))
            continue
        for path, _ in members_of(shape):
            call = Call(service, operation, request_with(shape, path))
            if is_listed(covered, operation, path):
                require_emulated(call)
            else:
                with pytest.raises(NotEmulatedError, match=rf"{operation} with {path[0]}"):
                    require_emulated(call)


@pytest.mark.parametrize("service", EVERY_SERVICE)
def test_the_lists_name_only_what_aws_has(service: str) -> None:
    covered, known = coverage(service), model(service)
    every_name: set[str] = set()
    for place, names in covered.acted.items():
        operation, *path = place.split(".")
        shape = known.operation_model(operation).input_shape
        for name in path:
            shape = _structure(shape).members[name]
        allowed = set(_structure(shape).members) if shape is not None else set()
        every_name |= allowed
        assert names <= allowed, f"{place} has no {', '.join(sorted(names - allowed))}"
    for stored in covered.stored:
        assert stored.rsplit(".", 1)[-1] in every_name, f"stored {stored} is a member of no listed operation"


def _structure(shape: Any) -> Any:
    while shape.type_name in ("list", "map"):
        shape = shape.member if shape.type_name == "list" else shape.value
    return shape


def test_each_service_has_a_list_and_each_list_a_service() -> None:
    assert sorted(path.stem for path in LISTS.glob("*.yaml")) == EVERY_SERVICE


@pytest.mark.parametrize("service", EVERY_SERVICE)
def test_a_member_that_is_called_acted_on_is_read_by_the_code_of_its_operation(service: str) -> None:
    """The name, or what it is called on the wire, is a word that the operation reaches. A part of the address or a whole body has none."""
    covered, known = coverage(service), model(service)
    unread = []
    for place, names in covered.acted.items():
        operation, *path = place.split(".")
        shape = known.operation_model(operation).input_shape
        for name in path:
            shape = _structure(shape).members[name]
        texts = words_of(service, operation) if names else frozenset()
        for name in sorted(names):
            serialization = _structure(shape).members[name].serialization
            wire = str(serialization.get("name", name)).lower()
            # The member that names a kind of resource is made of what the kind is called.
            spellings = {name.lower(), wire, wire.removeprefix("x-amzn-sagemaker-"), wire.removesuffix("name")}
            is_whole = serialization.get("location") == "uri" or _structure(shape).serialization.get("payload") == name
            if f"{place}.{name}" in coverage(service).values:  # read at the port
                continue
            if not is_whole and f"{place}.{name}" not in covered.acted and not spellings & texts:
                unread.append(f"{place}.{name}")
    assert unread == []


def words_of(service: str, operation: str) -> frozenset[str]:
    """Of our own code all words: it has a module for each subject. Of an emulator's, which has one for a service, those of the functions
    that the operation reaches; and those of the rules at the port for this operation."""
    found: set[str] = set()
    for place in ANSWERED_BY[service]:
        found |= (
            _words(*(_tree(file) for file in _files(place)))
            if not place.startswith(("ministack.", "moto."))
            else _reached(place, operation)
        )
    for rule in registered(service, operation):
        file = Path(rule.__code__.co_filename)
        found |= _reached_from(_functions((file,)), [rule.__name__])
    return frozenset(found)


def _reached(place: str, operation: str) -> set[str]:
    """Words of what an operation reaches: from the function that is called as it is, or that a table names for it."""
    files = tuple(_files(place))
    functions = _functions(files)
    name = xform_name(operation)
    tables = _tables(files).get(operation, [])
    entries = [entry for entry in (name, f"_{name}", *tables) if entry in functions]
    return _reached_from(functions, entries) if entries else _words(*(_tree(file) for file in files))


@functools.cache
def _tables(files: tuple[Path, ...]) -> dict[str, list[str]]:
    """Operation -> the functions that a table of a module names for it."""
    found: dict[str, list[str]] = {}
    for node in (node for file in files for node in ast.walk(_tree(file)) if isinstance(node, ast.Dict)):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(value, ast.Name):
                found.setdefault(str(key.value), []).append(value.id)
    return found


def _reached_from(functions: Mapping[str, ast.AST], entries: list[str]) -> set[str]:
    reached, todo = set(), list(entries)
    while todo:
        name = todo.pop()
        if name in functions and name not in reached:
            reached.add(name)
            todo += _mentioned(functions[name])
    return _words(*(functions[name] for name in reached))


@functools.cache
def _mentioned(function: ast.AST) -> list[str]:
    nodes = list(ast.walk(function))
    return [node.id for node in nodes if isinstance(node, ast.Name)] + [node.attr for node in nodes if isinstance(node, ast.Attribute)]


@functools.cache
def _functions(files: tuple[Path, ...]) -> dict[str, ast.AST]:
    """Functions and methods by name, and the constants of the modules that they may use, which are words of theirs."""
    found: dict[str, ast.AST] = {}
    for file in files:
        for node in ast.walk(_tree(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found[node.name] = node
        for statement in _tree(file).body:
            targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
            found.update({target.id: statement for target in targets if isinstance(target, ast.Name)})
    return found


@functools.cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _words(*nodes: ast.AST) -> set[str]:
    """Every word of every text constant and every argument's name, in lower case."""
    return set().union(*(_words_in(node) for node in nodes))


@functools.cache
def _words_in(part: ast.AST) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(part):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            text = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
            found.update(re.findall(r"[a-z0-9_-]+", text.lower()))
        elif isinstance(node, ast.arg):
            found.add(node.arg.replace("_", ""))
    return frozenset(found)


def _files(place: str) -> list[Path]:
    if "/" in place:
        path = Path(__file__).parents[1] / place
        return sorted(path.rglob("*.py")) if path.is_dir() else [path]
    spec = importlib.util.find_spec(place)
    assert spec and spec.origin
    origin = Path(spec.origin)
    return sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]


def test_a_member_that_aws_does_not_have_is_a_mistake_of_the_client() -> None:
    with pytest.raises(ServiceError) as error:
        require_emulated(Call("sagemaker", "DeleteModel", {"ModelName": "x", "Mode1Name": "x"}))

    assert (error.value.code, error.value.status) == ("ValidationException", 400)
    assert "Mode1Name" in error.value.message


@pytest.mark.parametrize(
    ("service", "operation", "request_", "named"),
    [
        ("kms", "create_key", {"XksKeyId": "x"}, "kms:CreateKey with XksKeyId"),
        ("s3", "put_object", {"Bucket": "b", "Key": "k", "ACL": "public-read"}, "s3:PutObject with ACL"),
        ("sns", "publish", {"PhoneNumber": "+1", "Message": "m"}, "sns:Publish with PhoneNumber"),
        ("lambda", "invoke", {"FunctionName": "f", "TenantId": "t"}, "lambda:Invoke with TenantId"),
        (
            "events",
            "put_targets",
            {"Rule": "r", "Targets": [{"Id": "1", "Arn": "arn:x", "EcsParameters": {"TaskDefinitionArn": "a"}}]},
            "events:PutTargets with Targets.EcsParameters",
        ),
        ("cloudwatch", "put_metric_data", {"Namespace": "n", "EntityMetricData": []}, "cloudwatch:PutMetricData with EntityMetricData"),
    ],
)
def test_the_port_refuses_it_in_every_protocol(account: Account, service: str, operation: str, request_: Any, named: str) -> None:
    with pytest.raises(ClientError) as error:
        getattr(account.client(service), operation)(**request_)

    assert error.value.response["Error"]["Code"] == "NotImplemented"
    assert error.value.response["Error"]["Message"] == f"The local account does not implement {named}."


@pytest.mark.parametrize("service", EVERY_SERVICE)
def test_the_values_that_alone_are_taken_are_values_of_aws(service: str) -> None:
    known = model(service)
    for path, taken in coverage(service).values.items():
        operation, *names = path.split(".")
        shape = known.operation_model(operation).input_shape
        for name in names:
            shape = _structure(shape).members[name]
        assert operation in coverage(service).acted
        assert taken <= set(getattr(shape, "enum", None) or taken), f"{path} has other values"


def test_another_value_is_refused_by_name() -> None:
    require_emulated_values(Call("kms", "CreateKey", {"KeySpec": "SYMMETRIC_DEFAULT", "MultiRegion": False}))
    with pytest.raises(NotEmulatedError, match="kms:CreateKey with KeySpec RSA_2048; implemented: SYMMETRIC_DEFAULT"):
        require_emulated_values(Call("kms", "CreateKey", {"KeySpec": "RSA_2048"}))
