"""What AWS's models do not allow is refused at the port, by member and rule, for every constrained member of every emulated operation."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from local_account.api.constraints import NOT_NULL, Checks, Problem, checks_of
from local_account.api.members import coverage
from local_account.api.patterns import compiled
from local_account.api.reading import SERVICES, Call, input_shape, model
from local_account.api.validation import require_valid
from local_account.errors import ServiceError

EVERY_SERVICE = sorted(name for names in SERVICES.values() for name in names)
ODD = ("{", "\n", "é", "a b", "_", "/", "$", "-", "\u2028", "a|b", "€", "")

#: By pattern: values that Java's `matches` takes and refuses, for what Python's `re` cannot read.
JAVA = {
    r"\p{ASCII}*": (["", "a b", "~\x7f"], ["é", "€"]),
    r"\p{Print}+": (["a b~"], ["", "é", "a\tb"]),
    r"\A\S[\p{Print}]*\z": (["x", "x y"], [" x", "x\n", "xé"]),
    r"arn:[\p{Alnum}\-]+:lambda:[\p{Alnum}\-]+:[0-9]{12}:function:.*": (
        ["arn:aws:lambda:eu-west-1:111122223333:function:f"],
        ["arn:aws:lambda:eu_west:111122223333:function:f", "arn:awé:lambda:eu-west-1:111122223333:function:f"],
    ),
    r"[\p{L}\p{M}\p{Z}\p{S}\p{N}\p{P}]*": (["Größe: 3 €, 5²!", "e\u0301"], ["a\nb", "\x00", "a\tb"]),
    r"[\p{L}\p{M}\p{Z}\p{N}\p{P}]{0,1024}": (["Größe, 3!"], ["a\nb", "a=b", "3 €"]),
    r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*": (["a b", "€", "\U0001f680"], ["a\nb", "\x01"]),
    r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*": (["a b\n", "\U0001f680"], ["\x01", "\ufffe"]),
}
#: Letters, spaces, digits of any script, and a few signs: the pattern of tags and of a model package's metadata, however it is written.
WORDS = (["Größe 3", "日本", "a_b.c:d/e=f+g-h@i", "a\u00a0b", "٣"], ["{", "a,b", '"', "a\nb", "a#b"])


def words(pattern: str) -> tuple[list[str], list[str]]:
    """As WORDS, by the signs that the pattern itself names."""
    allowed = [value for value in WORDS[0] if "@" in pattern or "@" not in value]
    return allowed, WORDS[1]


@functools.cache
def samples(pattern: str) -> tuple[list[str], list[str]]:
    """Values that the pattern allows and refuses, not found with the code under test."""
    if pattern in JAVA:
        return JAVA[pattern]
    if r"\p{" in pattern:
        return words(pattern)
    python = re.compile(pattern.replace(r"\z", r"\Z").replace("${1,", "(?:$){1,"), re.ASCII)
    candidates = [value for value in ODD if "\u2028" not in value or "." not in pattern]  # `.` of Python takes it, Java's does not
    return [_made(python)], [value for value in candidates if not python.fullmatch(value)]


def _made(pattern: re.Pattern[str]) -> str:
    quickly = settings(
        max_examples=200, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    alphabet = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
    try:
        return find(st.from_regex(pattern, fullmatch=True, alphabet=alphabet), lambda value: True, settings=quickly)
    except NoSuchExample:
        return ""


def texts_of(shape: Any, path: tuple[str, ...] = (), inside: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every string below a structure, with the steps to it: a member's name, `[]` into a list, `{}` and `{key}` into a map."""
    if shape is None or shape.name in inside:
        return
    inside = (*inside, shape.name)
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield from texts_of(member, (*path, name), inside)
    elif shape.type_name == "list":
        yield from texts_of(shape.member, (*path, "[]"), inside)
    elif shape.type_name == "map":
        yield from texts_of(shape.key, (*path, "{key}"), inside)
        yield from texts_of(shape.value, (*path, "{}"), inside)
    elif shape.type_name == "string":
        yield path, shape


def given(path: tuple[str, ...], value: Any) -> Any:
    """The smallest thing that has `value` at `path`."""
    if not path:
        return value
    step, inner = path[0], path[1:]
    if step == "[]":
        return [given(inner, value)]
    if step == "{key}":
        return {value: None}
    return {"key" if step == "{}" else step: given(inner, value)}


def found(service: str, operation: str, path: tuple[str, ...], value: str) -> list[Problem]:
    """What is found at a member that has this value; that other members are missing does not matter here."""
    names = tuple(step for step in path if step[0] not in "[{")
    problems = checks_of(service).of(input_shape(service, operation))(given(path, value))
    return [problem for problem in problems if problem.names == names and problem.rule != NOT_NULL]


def constrained(service: str) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    for operation in sorted(place for place in coverage(service).acted if "." not in place):
        for path, shape in texts_of(input_shape(service, operation)):
            if shape.enum or shape.metadata.keys() & {"pattern", "min", "max"}:
                yield operation, path, shape


@pytest.mark.parametrize("service", EVERY_SERVICE)
def test_each_constrained_text_takes_what_its_pattern_allows_and_refuses_what_it_does_not(service: str) -> None:
    for operation, path, shape in constrained(service):
        pattern = shape.metadata.get("pattern")
        if not pattern:
            continue
        allowed, refused = samples(pattern)
        for value in allowed:
            assert not [item for item in found(service, operation, path, value) if pattern in item.rule], (operation, path, value)
        for value in refused:
            assert [item for item in found(service, operation, path, value) if pattern in item.rule], (operation, path, value)


@pytest.mark.parametrize("service", EVERY_SERVICE)
def test_each_constrained_text_is_as_long_as_its_model_allows(service: str) -> None:
    for operation, path, shape in constrained(service):
        for limit, step, words_of_aws in (("max", 1, "less than or equal to"), ("min", -1, "greater than or equal to")):
            length = shape.metadata.get(limit)
            if length is None or length + step < 0 or length > 100_000:
                continue
            rule = f"Member must have length {words_of_aws} {length}"
            assert [item for item in found(service, operation, path, "x" * (length + step)) if rule in item.rule], (operation, path)
            assert not [item for item in found(service, operation, path, "x" * length) if rule in item.rule], (operation, path)


@pytest.mark.parametrize("service", EVERY_SERVICE)
def test_each_choice_takes_its_own_values_only(service: str) -> None:
    for operation, path, shape in constrained(service):
        if shape.enum:
            rule = f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
            assert [item for item in found(service, operation, path, "no such choice") if rule in item.rule], (operation, path)
            assert not [item for item in found(service, operation, path, shape.enum[-1]) if "enum" in item.rule], (operation, path)


def every_pattern() -> Iterator[str]:
    for service in EVERY_SERVICE:
        known = model(service)
        for operation in known.operation_names:
            for shape in (known.operation_model(operation).input_shape, known.operation_model(operation).output_shape):
                yield from (text.metadata["pattern"] for _, text in texts_of(shape) if "pattern" in text.metadata)


def test_every_pattern_of_every_emulated_service_can_be_read() -> None:
    for pattern in set(every_pattern()):
        compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "value", "is_allowed"),
    [
        (r"\w+", "é", False),
        (r"\d", "٣", False),
        (r"[\S]+", "a\u00a0b", True),  # a no-break space is no \s in Java
        (r"[^\s]+", "a\tb", False),
        (".*", "two\nlines", False),
        (r"[\S\s]*", "two\nlines", True),
        (r"a++b", "aaab", True),
        (r"(?>a+)ab", "aaab", False),
        (r"([\p{L}\p{N}]*)${1,256}", "abc1", True),
        (r"[\uD800\uDC00-\uDBFF\uDFFF]", "\U0001f680", True),
        (r"[.]", "x", False),
        (r"\.", "x", False),
        (r"[\P{L}]", "x", False),
        (r"\P{ASCII}", "é", True),
    ],
)
def test_a_pattern_means_what_it_means_in_java(pattern: str, value: str, is_allowed: bool) -> None:
    assert bool(compiled(pattern).fullmatch(value)) is is_allowed


# ------------------------------------------------------------------------------------------------- in AWS's words


def refusal(service: str, operation: str, parameters: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(ServiceError) as error:
        require_valid(Call(service, operation, parameters))
    assert error.value.status == 400
    return error.value.code, error.value.message


VARIANT = {"VariantName": "all", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code", "said"),
    [
        (
            "sagemaker",
            "DeleteModel",
            {},
            "ValidationException",
            "1 validation error detected: Value null at 'modelName' failed to satisfy constraint: Member must not be null",
        ),
        (
            "sagemaker",
            "DeleteModel",
            {"ModelName": 5},
            "SerializationException",
            "NUMBER_VALUE can not be converted to a String at 'modelName'",
        ),
        (
            "sagemaker",
            "CreateEndpointConfig",
            {"EndpointConfigName": "c", "ProductionVariants": [VARIANT, {**VARIANT, "VariantName": "a_b"}]},
            "ValidationException",
            "1 validation error detected: Value 'a_b' at 'productionVariants.2.member.variantName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
        ),
        (
            "sagemaker",
            "CreateEndpointConfig",
            {"EndpointConfigName": "c", "ProductionVariants": [{**VARIANT, "InitialInstanceCount": 0}]},
            "ValidationException",
            "Value '0' at 'productionVariants.1.member.initialInstanceCount' failed to satisfy constraint: Member must have "
            "value greater than or equal to 1",
        ),
        (
            "sagemaker",
            "CreateModelPackage",
            {"CustomerMetadataProperties": {"fine": "1", "depths": '{"a": 1}'}},
            "ValidationException",
            "Value '{depths={\"a\": 1}}' at 'customerMetadataProperties' failed to satisfy constraint: Map value must satisfy constraint: "
            "[Member must satisfy regular expression pattern: ",
        ),
        (
            "sagemaker",
            "CreateModelPackage",
            {"InferenceSpecification": {"Containers": []}},
            "ValidationException",
            "Value '[]' at 'inferenceSpecification.containers' failed to satisfy constraint: Member must have length greater than or "
            "equal to 1",
        ),
        (
            "iam",
            "GetRole",
            {"RoleName": "r" * 65},
            "ValidationError",
            "at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 64",
        ),
        (
            "cloudformation",
            "CreateStack",
            {"StackName": "a", "OnFailure": "PANIC"},
            "ValidationError",
            "Value 'PANIC' at 'onFailure' failed to satisfy constraint: Member must satisfy enum value set: [DO_NOTHING, ROLLBACK, DELETE]",
        ),
        ("logs", "CreateLogGroup", {"logGroupName": "a b"}, "InvalidParameterException", "Value 'a b' at 'logGroupName'"),
        ("cloudwatch", "PutMetricData", {"Namespace": ":x", "MetricData": []}, "ValidationError", "Value ':x' at 'namespace'"),
        ("codecommit", "GetRepository", {"repositoryName": "a b"}, "InvalidRepositoryNameException", "Value 'a b' at 'repositoryName'"),
        ("codecommit", "GetRepository", {}, "RepositoryNameRequiredException", "Value null at 'repositoryName'"),
        ("sns", "Publish", {}, "InvalidParameter", "Value null at 'message'"),
        ("sqs", "SendMessage", {"QueueUrl": "q"}, "MissingParameter", "Value null at 'messageBody'"),
        ("codebuild", "StopBuild", {"id": ""}, "InvalidInputException", "Value '' at 'id'"),
        (
            "s3",
            "PutBucketVersioning",
            {"Bucket": "b", "VersioningConfiguration": {"Status": "On"}},
            "MalformedXML",
            "Value 'On' at "
            "'versioningConfiguration.status' failed to satisfy constraint: Member must satisfy enum value set: [Enabled, Suspended]",
        ),
        (
            "lambda",
            "CreateFunction",
            {"FunctionName": "f", "Role": "nobody", "Code": {}},
            "ValidationException",
            "Value 'nobody' at 'role'",
        ),
    ],
)
def test_a_refusal_is_the_services_own(service: str, operation: str, parameters: dict[str, Any], code: str, said: str) -> None:
    given_code, message = refusal(service, operation, parameters)
    assert (given_code, said in message) == (code, True), message


def test_several_mistakes_are_told_at_once() -> None:
    _, message = refusal("sagemaker", "CreateModel", {"ModelName": "a_" * 32})
    assert message.startswith("2 validation errors detected: ")
    assert message.count("at 'modelName'") == 2


def test_a_long_value_is_shortened() -> None:
    _, message = refusal("sagemaker", "CreateModel", {"ModelName": "a" * 9999})
    assert "aaa...(9999 characters)" in message
    assert len(message) < 600


def test_of_a_map_only_what_is_wrong_is_shown() -> None:
    _, message = refusal("sagemaker", "CreateModelPackage", {"CustomerMetadataProperties": {"fine": "1", "long": "x" * 257, "odd": "{"}})
    assert "fine" not in message
    assert "long=" in message
    assert "odd=" in message


def test_characters_are_counted_as_java_does() -> None:
    """A character beyond U+FFFF is two."""
    path = ("PipelineDescription",)
    assert found("sagemaker", "CreatePipeline", path, "\U0001f680" * 1536) == []
    assert len(found("sagemaker", "CreatePipeline", path, "\U0001f680" * 1537)) == 1


def test_a_union_has_exactly_one_member() -> None:
    unions = [shape for name in EVERY_SERVICE for shape in structures_of(name) if getattr(shape, "is_tagged_union", False)]
    assert unions
    for shape in unions:
        for members in ([], [*shape.members, "Another"][:2]):
            problems = Checks().of(shape)({name: {} for name in members})
            assert any("exactly one of the members" in problem.rule for problem in problems), shape.name


def structures_of(service: str) -> Iterator[Any]:
    known = model(service)
    yield from (known.shape_for(name) for name in known.shape_names if known.shape_for(name).type_name == "structure")


def test_threads_that_ask_at_once_for_a_check_are_given_a_whole_one() -> None:
    """A shape may contain itself, so a check is begun before it is made: nobody else may be given the beginning."""
    shape = input_shape("sagemaker", "CreateProcessingJob")
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            checks = Checks()
            with ThreadPoolExecutor(8) as threads:
                found = list(threads.map(lambda _: checks.of(shape)({}), range(8)))  # noqa: B023 - waited for in this round
            assert {str(problem) for problems in found for problem in problems} == {str(problem) for problem in found[0]} != set()
    finally:
        sys.setswitchinterval(interval)
