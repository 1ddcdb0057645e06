"""Finds, by rule, what the local account takes from inside other packages: private names, and the keys of their records.

In: the package's files, as syntax trees; nothing is run. Out: `names` (a module and a private name of it that is read, written, imported or
overridden; of the emulators, whatever is imported) and `keys` (a module and the keys that are read or written in the records that come
from it). A value comes from a module if it is reached through a private name of it: an element, an attribute, a call's answer, what a loop
over it gives; also through variables, what own functions return, and their arguments.
Used by `test_hooks_contract.py`.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

#: Whose records have no published model.
EMULATORS = ("ministack", "moto")
#: Calls that give back what they are given, or elements of it.
_THROUGH = frozenset({"list", "tuple", "sorted", "reversed", "dict", "next", "iter", "max", "min", "enumerate", "zip", "copy", "deepcopy"})
_KEYED = ("get", "pop", "setdefault")
#: Nodes from which a value's way can be told.
_TELLING = (ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.For, ast.comprehension, ast.Return, ast.Call, ast.Subscript)


@dataclass
class _Function:
    """A function of the package: which modules its parameters and its result come from, as far as found."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    file: _File
    parameters: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    result: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.nodes = [node for node in ast.walk(self.node) if isinstance(node, _TELLING)]

    @property
    def arguments(self) -> list[str]:
        given = [argument.arg for argument in (*self.node.args.posonlyargs, *self.node.args.args)]
        return given[1:] if given[:1] in (["self"], ["cls"]) else given


@dataclass
class _File:
    path: Path
    module: str
    tree: ast.Module
    imported: dict[str, str]  # name in the file -> module, or module and name

    @staticmethod
    def read(path: Path, package: Path) -> _File:
        module = ".".join([package.name, *path.relative_to(package).with_suffix("").parts]).removesuffix(".__init__")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                imported |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.asname or alias.name.split(".")[0]
                    imported[name] = alias.name if alias.asname else name
        return _File(path, module, tree, imported)


def names(package: Path) -> set[tuple[str, str]]:
    """(module or class, private name) of everything that is another package's. Raises AssertionError for one whose owner is not seen."""
    files = _files(package)
    aliases = _functions_that_return_modules(files)
    found: set[tuple[str, str]] = set()
    for file in files:
        known = {**file.imported, **_bound_to_modules(file, aliases)}
        for node in ast.walk(file.tree):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and _is_foreign(str(node.module)):
                is_emulator = str(node.module).startswith(EMULATORS)
                imported = [alias.name for alias in node.names if not is_module(f"{node.module}.{alias.name}")]
                found |= {(str(node.module), name) for name in imported if is_emulator or _is_private(name)}
            elif isinstance(node, ast.Attribute) and _is_private(node.attr) and ast.unparse(node.value) not in ("self", "cls", "super()"):
                owner = _dotted(node.value, known)
                assert owner, f"{file.path.name}:{node.lineno}: {ast.unparse(node)} is private to something that cannot be told"
                if _is_foreign(owner):
                    found.add(_split(f"{owner}.{node.attr}"))
            elif isinstance(node, ast.ClassDef):
                found |= set(_overridden(node, known))
    return found


def keys(package: Path) -> dict[str, set[str]]:
    """Module of an emulator -> keys of its records that are read or written."""
    return _Flow(_files(package)).keys()


def _files(package: Path) -> list[_File]:
    return [_File.read(path, package) for path in sorted(package.rglob("*.py"))]


# ------------------------------------------------------------------------------------------------------- names


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@cache
def _is_foreign(dotted: str) -> bool:
    """Another distribution's: what begins with an underscore in the standard library, such as `os._exit`, is documented."""
    top = dotted.partition(".")[0]
    return top != "local_account" and top not in sys.stdlib_module_names and importlib.util.find_spec(top) is not None


def _dotted(node: ast.expr, known: dict[str, str]) -> str:
    """`iam._groups` where `iam` is a module's name in the file: `ministack.services.iam._groups`; empty for anything else."""
    if isinstance(node, ast.Name):
        return known.get(node.id, "")
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value, known)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def _split(dotted: str) -> tuple[str, str]:
    """The longest module of a dotted name, and the rest."""
    module = dotted
    while not is_module(module):
        module = module.rpartition(".")[0]
    return module, dotted[len(module) + 1 :]


@cache
def is_module(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def _functions_that_return_modules(files: list[_File]) -> dict[str, str]:
    found = {}
    for file in files:
        for node in ast.walk(file.tree):
            if isinstance(node, ast.FunctionDef):
                for returned in ast.walk(node):
                    if isinstance(returned, ast.Return) and isinstance(returned.value, ast.Name) and returned.value.id in file.imported:
                        found[node.name] = file.imported[returned.value.id]
    return found


def _bound_to_modules(file: _File, aliases: dict[str, str]) -> dict[str, str]:
    """Variables that stand for a module, or for part of one: `evaluator = _evaluator()`, `version_2 = auth.SigV4Auth(...)`."""
    found: dict[str, str] = {}
    for node in ast.walk(file.tree):
        if not isinstance(node, ast.Assign):
            continue
        for target, value in _pairs(node):
            if isinstance(target, ast.Name) and isinstance(value, ast.Call):
                called = ast.unparse(value.func)
                owner = aliases.get(called) or _dotted(value.func, file.imported)
                if owner and _is_foreign(owner):
                    found[target.id] = owner
    return found


def _pairs(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts, strict=True)
        else:
            yield target, node.value


def _overridden(node: ast.ClassDef, known: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Private methods of another package's class that a class of ours replaces."""
    own = [item.name for item in node.body if isinstance(item, ast.FunctionDef) and _is_private(item.name)]
    for base in node.bases:
        dotted = _dotted(base, known)
        if own and dotted and _is_foreign(dotted):
            module, rest = _split(dotted)
            owner = getattr(importlib.import_module(module), rest.partition(".")[0], object)
            yield from ((module, f"{rest}.{name}") for name in own if hasattr(owner, name))


# ---------------------------------------------------------------------------------------------------- records


class _Flow:
    """Follows values of the emulators' private parts through the package until nothing new is found."""

    def __init__(self, files: list[_File]) -> None:
        self._functions: dict[str, _Function] = {}  # by module and name
        self._inner: list[_Function] = []  # made by another function, such as what replaces a function of the emulator
        for file in files:
            top = {node.name: _Function(node, file) for node in file.tree.body if isinstance(node, ast.FunctionDef)}
            self._functions |= {f"{file.module}.{name}": function for name, function in top.items()}
            known = {id(function.node) for function in top.values()}
            self._inner += [
                _Function(node, file) for node in ast.walk(file.tree) if isinstance(node, ast.FunctionDef) and id(node) not in known
            ]
        self._found: dict[str, set[str]] = defaultdict(set)

    def keys(self) -> dict[str, set[str]]:
        every = [*self._functions.values(), *self._inner]
        size = -1
        while size != (size := sum(len(origin) for each in every for origin in (each.result, *each.parameters.values()))):
            for function in every:
                self._follow(function)
        return dict(self._found)

    def _follow(self, function: _Function) -> None:
        known: dict[str, set[str]] = defaultdict(set, {name: set(origin) for name, origin in function.parameters.items()})
        nodes = function.nodes
        for _ in range(2):  # what the end of a loop says of its beginning
            for node in nodes:
                if isinstance(node, ast.Assign):
                    for target, value in _pairs(node):
                        _bind(target, self._origin(value, known, function), known)
                elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
                    _bind(node.target, self._origin(node.value, known, function), known)
                elif isinstance(node, ast.For | ast.comprehension):
                    _bind(node.target, self._origin(node.iter, known, function), known)
        for node in nodes:
            self._note(node, known, function)
            if isinstance(node, ast.Return) and node.value is not None:
                function.result |= self._origin(node.value, known, function)
            elif isinstance(node, ast.Call) and (own := self._own(node, function)):
                for parameter, argument in zip(own.arguments, node.args, strict=False):
                    own.parameters[parameter] |= self._origin(argument, known, function)
                for keyword in node.keywords:
                    if keyword.arg in own.arguments:
                        own.parameters[keyword.arg] |= self._origin(keyword.value, known, function)

    def _own(self, call: ast.Call, function: _Function) -> _Function | None:
        """The function of the package that is called by its name."""
        if isinstance(call.func, ast.Name) and call.func.id not in function.file.imported:
            return self._functions.get(f"{function.file.module}.{call.func.id}")
        return self._functions.get(_dotted(call.func, function.file.imported))

    def _origin(self, node: ast.expr, known: dict[str, set[str]], function: _Function) -> set[str]:
        """The modules whose private parts a value comes from."""
        if isinstance(node, ast.Name | ast.Attribute):
            dotted = _dotted(node, function.file.imported)
            if dotted.partition(".")[0] in EMULATORS and not is_module(dotted):
                module, rest = _split(dotted)
                return {module} if _is_private(rest) else set()
            return known[node.id] if isinstance(node, ast.Name) else self._origin(node.value, known, function)
        if isinstance(node, ast.Call):
            own = self._own(node, function)
            found = set(own.result) if own else self._origin(node.func, known, function)
            if isinstance(node.func, ast.Name) and node.func.id in _THROUGH:
                found = found.union(*(self._origin(argument, known, function) for argument in node.args))
            return found
        if isinstance(node, ast.Subscript | ast.Await | ast.Starred):
            return self._origin(node.value, known, function)
        if isinstance(node, ast.BoolOp):
            return set().union(*(self._origin(value, known, function) for value in node.values))
        if isinstance(node, ast.IfExp):
            return self._origin(node.body, known, function) | self._origin(node.orelse, known, function)
        return set()

    def _note(self, node: ast.AST, known: dict[str, set[str]], function: _Function) -> None:
        key: object = None
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            key, owner = node.slice.value, node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _KEYED and node.args:
            first = node.args[0]
            key, owner = (first.value if isinstance(first, ast.Constant) else None), node.func.value
        if isinstance(key, str):
            for module in self._origin(owner, known, function):
                self._found[module].add(key)


def _bind(target: ast.expr, origin: set[str], known: dict[str, set[str]]) -> None:
    for name in ast.walk(target):
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
            known[name.id] |= origin
