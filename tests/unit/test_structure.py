"""What may import what. The table of docs/architecture.md, enforced: data flows one way, and each part stays testable alone."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = {"settings_schema", "plain_signs"}  # classes of values and names, which read nothing, and what every program prints with
VALUES = {"settings", "models"}  # what a team writes: nobody imports it, settings_schema.reading reads it for entry points
OURS = (
    {"app", "infra", "pipelines", "build_scripts", "deploy_scripts", "demo", "local_account", "capacity", "preflight", "serving"}
    | SHARED
    | VALUES
)
CDK = {"aws_cdk", "constructs", "cdk_nag"}
CONTAINER = {
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
    "threadpoolctl",
    "xgboost",
    "pyarrow",
    "matplotlib",
    "jinja2",
    "boto3",
    "botocore",
    "flask",
    "sagemaker_inference",
}


#: Module -> the distributions that bring it, of all that is installed: each look takes most of a second.
BROUGHT = packages_distributions()


@dataclass(frozen=True)
class Rule:
    """Files matched by `pattern` may import `allowed` and the standard library. None allows any third-party package."""

    pattern: str
    ours: frozenset[str]
    third_party: frozenset[str] | None


def rule(pattern: str, *, ours: set[str] = frozenset(), third_party: set[str] | None = frozenset()) -> Rule:
    return Rule(pattern, frozenset(ours), None if third_party is None else frozenset(third_party))


def package_rules(folder: Path) -> Iterator[Rule]:
    """A tool of packages/ stands alone: it imports what its pyproject.toml declares, and its tests nothing of the template either."""
    declared = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    names = {re.split(r"[^\w.-]", dependency)[0].lower() for dependency in declared}
    tools = {folder.name} | ({"capacity"} if "sagemaker-capacity" in names else set())
    brought = {module for module, owners in BROUGHT.items() if names & {owner.lower() for owner in owners}}
    yield rule(f"packages/{folder.name}/tests/**/*.py", ours=tools, third_party=None)
    yield rule(f"packages/{folder.name}/**/*.py", ours=tools, third_party=brought)


# First match wins, so the narrower patterns come first.
RULES = [
    rule("plain_signs.py"),
    rule("settings.py", ours={"settings_schema"}),
    rule("models/*.py", ours={"settings_schema", "pipelines"}),
    rule("settings_schema/**/*.py", ours={"settings_schema", "capacity"}, third_party={"pydantic", "pydantic_core", "annotated_types"}),
    rule("app.py", ours={"infra", "settings_schema"}, third_party=CDK),
    rule("infra/*/*/*.py", third_party={"boto3", "botocore"}),  # Lambda folders: self-contained
    rule("infra/**/*.py", ours={"infra", "settings_schema", "pipelines"}, third_party=CDK),
    rule("pipelines/*/steps/spark_*.py", third_party=CONTAINER | {"pyspark", "py4j"}),  # only where Spark has started them
    rule("pipelines/*/steps/**/*.py", third_party=CONTAINER),
    rule("pipelines/**/*.py", ours={"pipelines", "settings_schema"}, third_party={"sagemaker", "boto3"}),
    rule("images/*/serving/*.py", ours={"serving"}, third_party={"granian"}),  # in the image, whose lock has it
    rule("build_scripts/**/*.py", ours={"build_scripts", "pipelines", "capacity"} | SHARED, third_party=None),
    rule(
        "deploy_scripts/**/*.py", ours={"build_scripts", "deploy_scripts", "pipelines", "capacity", "preflight"} | SHARED, third_party=None
    ),
    rule("demo/*.py", ours={"build_scripts", "demo", "local_account", "capacity"} | SHARED, third_party=None),  # a person's tools
    rule("tests/**/*.py", ours=OURS - VALUES, third_party=None),
    *(rule for folder in sorted((ROOT / "packages").glob("*")) for rule in package_rules(folder)),
]


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Every statement inside, at any depth. Expressions are most of a tree, and import nothing."""
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        children = getattr(node, field, ())
        for child in children if isinstance(children, list) else ():
            if isinstance(child, ast.stmt):
                yield child
            yield from statements(child)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and top-level package of every absolute import, inside functions too."""
    for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module.split(".")[0]


def siblings(path: Path) -> set[str]:
    """Modules a shipped folder finds beside its scripts: what stands next to it, and at the top of the folder that is shipped."""
    folders = [path.parent, *(parent for parent in path.parents if parent.name in ("steps", "warm"))]
    if "monitoring" in path.parts:  # shipped in one folder with those of what it watches
        folders.append(ROOT / "pipelines" / "tabular" / "steps")
    return {entry.stem for folder in folders if folder.is_dir() for entry in folder.iterdir() if entry.suffix == ".py" or entry.is_dir()}


def violations(path: Path) -> list[str]:
    relative = path.relative_to(ROOT)
    applied = next(
        (candidate for candidate in RULES if relative.match(candidate.pattern) or _matches_deep(relative, candidate.pattern)), None
    )
    if applied is None:
        return []
    # These folders run beside no package: what they import of ours stands in the same folder, under its own name.
    shipped = {"steps", "warm"} & set(relative.parts) or applied.pattern == "infra/*/*/*.py"
    found = []
    for line, package in imports(path):
        if package in sys.stdlib_module_names or (shipped and package in siblings(path)):
            continue
        allowed = package in applied.ours if package in OURS else applied.third_party is None or package in applied.third_party
        if not allowed:
            found.append(f"{relative}:{line} imports {package}")
    return found


def _matches_deep(relative: Path, pattern: str) -> bool:
    """`a/**/*.py` at any depth: Path.match understands `**` only from Python 3.13 on."""
    head, deep, _ = pattern.partition("/**/")
    if not deep:
        return False
    parts = Path(head).parts
    return len(relative.parts) > len(parts) and all(Path(part).match(want) for part, want in zip(relative.parts, parts, strict=False))


def project_files(*tops: str) -> list[Path]:
    """Of the template, or of some folders."""
    modules = [] if tops else [ROOT / f"{name}.py" for name in ("settings", "app", "plain_signs")]
    folders = [ROOT / name for name in tops or sorted(OURS | {"tests"})]
    return [path for path in [*modules, *(file for top in folders for file in sorted(top.rglob("*.py")))] if path.is_file()]


@pytest.mark.parametrize("tops", [(), pytest.param(("packages",), marks=pytest.mark.thorough)], ids=["template", "tools"])
def test_every_part_imports_only_what_it_may(tops):
    found = [line for path in project_files(*tops) for line in violations(path)]
    assert found == [], "\n".join(found)


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("settings.py", "import numpy", True),
        ("packages/local_account/local_account/gateway.py", "def f():\n    import aws_cdk", True),
        ("packages/local_account/local_account/gateway.py", "import capacity.engine", False),
        ("pipelines/tabular/steps/train.py", "import settings", True),
        ("pipelines/tabular/steps/train.py", "import xgboost", False),
        ("packages/capacity/capacity/engine.py", "from local_account import clock", True),
        ("packages/preflight/preflight/command.py", "from build_scripts import command_line", True),
        ("deploy_scripts/preflight.py", "from preflight import command", False),
        ("build_scripts/publish.py", "import infra", True),
        ("demo/scaling.py", "import build_scripts.invocation", False),
        ("packages/local_account/local_account/gateway.py", "import sagemaker", True),
        ("packages/local_account/tests/test_gateway.py", "from settings_schema import Project", True),
        ("tests/loop/test_the_loop.py", "from settings import PROJECT", True),
        ("infra/model/model_stack.py", "from settings import PROJECT", True),
        ("settings_schema/names.py", "import pipelines.tabular", True),
        ("packages/capacity/tests/test_engine.py", "from local_account import clock", True),
        ("packages/local_account/local_account/gateway.py", "import build_scripts.invocation", True),
    ],
)
def test_the_rule_finds_a_forbidden_import(tmp_path, monkeypatch, path, source, expected):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)
    assert bool(violations(file)) is expected


#: What makes values of the files that a team writes.
READERS = {"read_settings": "build_scripts.command_line", "read": "settings_schema.reading"}
#: Where it may be called: in `main` of a script, and where the program is nothing but its entry.
ENTRY_MODULES = {"app.py", "infra/serving/__main__.py", "build_scripts/command_line.py"}


def readings(path: Path) -> list[str]:
    """Calls outside of entry points of what reads settings.py and models/. Tests of the reader give it a folder of their own."""
    relative = path.relative_to(ROOT).as_posix()
    if relative in ENTRY_MODULES or relative.startswith("tests/"):
        return []
    text = path.read_text(encoding="utf-8")
    if not any(reader in text for reader in READERS.values()):
        return []  # most files, and parsing all of them takes seconds
    tree = ast.parse(text)
    imported = {
        (alias.asname or alias.name)
        for node in statements(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if READERS.get(alias.name) == node.module
    }
    if not imported:
        return []
    mains = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"]
    allowed = {id(inner) for main in mains for inner in ast.walk(main)}
    return [
        f"{relative}:{node.lineno} reads the values outside of `main`"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in imported and id(node) not in allowed
    ]


def test_only_entry_points_read_what_a_team_has_set():
    found = [line for path in project_files() for line in readings(path)]
    assert found == [], "\n".join(found)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from build_scripts.command_line import read_settings\ndef main(a):\n    read_settings()", False),
        ("from build_scripts.command_line import read_settings\ndef plan():\n    read_settings()", True),
        ("from settings_schema.reading import read as values\nVALUES = values()", True),
        ("from other import read\nread()", False),
    ],
)
def test_the_rule_finds_a_reading_outside_of_an_entry_point(tmp_path, monkeypatch, source, expected):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    file = tmp_path / "deploy_scripts" / "status.py"
    file.parent.mkdir(parents=True)
    file.write_text(source)
    assert bool(readings(file)) is expected


def test_no_file_is_a_grab_bag():
    vague = {"utils", "helpers", "common", "misc"}
    files = [*project_files(), *project_files("packages")]
    assert [str(path) for path in files if path.stem in vague or vague & set(path.relative_to(ROOT).parts)] == []


@pytest.mark.parametrize("file", ["settings.py", *(f"models/{path.name}" for path in sorted((ROOT / "models").glob("*.py")))])
def test_values_read_no_clock_and_no_environment(file):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names
    }
    assert not names & {"os", "environ", "getenv", "datetime", "time", "random"}
