"""Triggers of V2 pipelines: filters of branches, tags and files decide by AWS's rules which pushes start a pipeline."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.codepipeline import globs, triggers
from local_account.connections.repositories import Push

from . import connected_pipelines as connected
from . import small_pipelines as small
from .connected_pipelines import Clone, create, executions, source, trigger, variables

ARN = "arn:aws:codeconnections:us-east-1:111122223333:connection/x"


# ---------------------------------------------------------------------------------------------- the patterns

#: From the CodePipeline user guide, "Working with glob patterns in syntax", and what it says of each sign.
MATCHES = [
    ("*.java", "Main.java", True),
    ("*.java", "src/Main.java", False),
    ("*.*", "a.b", True),
    ("*.*", "Makefile", False),
    ("*.{java,class}", "Main.class", True),
    ("*.{java,class}", "Main.jar", False),
    ("foo.?", "foo.c", True),
    ("foo.?", "foo.cc", False),
    ("a?b", "a/b", False),
    ("**", "any/file/at.all", True),
    ("directory/**", "directory/sub/file", True),
    ("directory/**", "directory2/file", False),
    ("directory/*", "directory/file", True),
    ("directory/*", "directory/sub/file", False),
    ("common/**/*.js", "common/a/b/c.js", True),
    ("**/README.md", "docs/README.md", True),
    ("**/README.md", "README.md", False),
    ("my-file.jar", "my-file.jar", True),
    ("my-file.jar", "directory/my-file.jar", False),
    ("my-file.jar", "my-fileXjar", False),
    ("[ab].py", "a.py", True),
    ("[ab].py", "c.py", False),
    ("[a-c]1", "b1", True),
    ("[!a]1", "b1", True),
    ("[!a]1", "a1", False),
    ("x[!a]y", "x/y", False),
    ("[-a]1", "-1", True),
    ("[*?]1", "*1", True),
    ("[*?]1", "b1", False),
    ("[\\]1", "\\1", True),
    ("\\*.py", "*.py", True),
    ("\\*.py", "a.py", False),
    ("a,b", "a,b", True),
    ("a}b", "a}b", True),
    ("{a,}b", "b", True),
    ("release*", "release-1", True),
    ("Release*", "release-1", False),
    ("main", "main\n", False),
]


@pytest.mark.parametrize(("pattern", "name", "matches"), MATCHES)
def test_a_glob_matches_as_the_guide_says(pattern: str, name: str, matches: bool) -> None:
    assert bool(globs.compiled(pattern).fullmatch(name)) is matches


@pytest.mark.parametrize("pattern", ["[a", "a[]", "{a", "{a,{b}}", "a\\", "[z-a]", "[a/b]"])
def test_what_is_no_glob_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"brackets|'\['|'\{'|nested|backslash"):
        globs.compiled(pattern)


# ----------------------------------------------------------------------------------------------- the filters


def push(branch: str = "", tag: str = "", files: tuple[str, ...] | None = ("README.md",)) -> Push:
    return Push("team/app", branch, tag, "c" * 40, files)


def starts(pushed: Push, *filters: dict[str, Any], **configuration: str) -> str | None:
    """The type of trigger with which a push starts a pipeline with these filters, None if it does not."""
    found = triggers.start_of(connected.declaration("p", source(ARN, "team/app", **configuration), triggers=trigger(*filters)), pushed)
    return found.trigger_type if found else None


def includes(*patterns: str) -> dict[str, list[str]]:
    return {"includes": list(patterns)}


def excludes(*patterns: str) -> dict[str, list[str]]:
    return {"excludes": list(patterns)}


MAIN = {"branches": includes("main")}
CASES: list[tuple[str, Push, list[dict[str, Any]], bool]] = [
    ("an included branch", push("main"), [MAIN], True),
    ("another branch", push("other"), [MAIN], False),
    ("a branch by its pattern", push("feature/x/y"), [{"branches": includes("feature/**")}], True),
    ("a branch that only the action names", push("main"), [{"branches": includes("feature/**")}], False),
    ("one of several patterns", push("b"), [{"branches": includes("a", "b")}], True),
    ("all but the excluded branches", push("b"), [{"branches": excludes("a")}], True),
    ("an excluded branch", push("a"), [{"branches": excludes("a")}], False),
    ("excluded and included", push("a"), [{"branches": {**includes("*"), **excludes("a")}}], False),
    ("an included tag", push(tag="v1"), [{"tags": includes("v*")}], True),
    ("an excluded tag", push(tag="v1"), [{"tags": {**includes("v*"), **excludes("v1")}}], False),
    ("a branch for a filter of tags", push("v1"), [{"tags": includes("v*")}], False),
    ("a tag for a filter of branches", push(tag="main"), [MAIN], False),
    ("an included file", push("main", files=("src/a.py", "x")), [{**MAIN, "filePaths": includes("src/**")}], True),
    ("no included file", push("main", files=("docs/a.md",)), [{**MAIN, "filePaths": includes("src/**")}], False),
    ("an included file on another branch", push("other", files=("src/a.py",)), [{**MAIN, "filePaths": includes("src/**")}], False),
    ("excluded files only", push("main", files=("docs/a.md",)), [{**MAIN, "filePaths": excludes("docs/**")}], False),
    ("excluded files and others", push("main", files=("docs/a.md", "a.py")), [{**MAIN, "filePaths": excludes("docs/**")}], True),
    (
        "an included file that is excluded",
        push("main", files=("src/README.md",)),
        [{**MAIN, "filePaths": {**includes("src/**"), **excludes("**/README.md")}}],
        False,
    ),
    ("no file at all", push("main", files=()), [{**MAIN, "filePaths": excludes("docs/**")}], False),
    ("files of a new branch", push("main", files=None), [{**MAIN, "filePaths": includes("**")}], False),
    ("a new branch without files to ask for", push("main", files=None), [MAIN], True),
    ("the second filter", push(tag="v1"), [MAIN, {"tags": includes("v1")}], True),
    ("no filter, the action's branch", push("main"), [], True),
    ("no filter, another branch", push("other"), [], False),
]


@pytest.mark.parametrize(("pushed", "filters", "is_started"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_push_starts_a_pipeline_if_a_filter_holds(pushed: Push, filters: list[dict[str, Any]], is_started: bool) -> None:
    assert starts(pushed, *filters) == ("WebhookV2" if is_started else None)


def test_triggers_hold_whether_or_not_the_action_detects_changes() -> None:
    assert starts(push("main"), MAIN, DetectChanges="false") == "WebhookV2"


def test_another_repository_starts_nothing() -> None:
    assert starts(Push("team/app-2", "main", "", "c" * 40, ("README.md",)), MAIN) is None


def test_triggers_of_one_action_end_the_detection_of_changes_of_all() -> None:
    """User guide, "Specify filter": "This also configures the pipeline not to start automatically on any change"."""
    pipeline = connected.declaration("p", source(ARN, "team/app"), triggers=trigger(MAIN))
    pipeline["stages"][0]["actions"].append({**source(ARN, "team/library"), "name": "Library"})

    assert triggers.start_of(pipeline, Push("team/library", "main", "", "c" * 40, ("a",))) is None


# --------------------------------------------------------------------------------------- with pushes by stock git


@pytest.fixture(scope="module", autouse=True)
def prepared(account: Account) -> None:
    small.prepare(account)


@pytest.fixture
def name() -> str:
    return f"t-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def clone(account: Account, name: str, tmp_path: Path) -> Clone:
    clone = Clone(account, f"team/{name}", tmp_path / "clone")
    clone.change("README.md")
    return clone


def commits(account: Account, name: str) -> list[str]:
    """The commits that were started, in their order."""
    return [variables(account, name, each["pipelineExecutionId"])["CommitId"] for each in executions(account, name)]


def test_only_a_push_of_included_files_starts_the_pipeline(account: Account, name: str, clone: Clone) -> None:
    only_code = {**MAIN, "filePaths": {**includes("src/**", "*.toml"), **excludes("**/*.md")}}
    create(account, name, source(connected.connect(account, name), clone.full_name), triggers=trigger(only_code))

    clone.change("docs/page.md")
    clone.change("src/notes.md")
    code = clone.change("src/a.py")
    clone.commit({"docs/page.md": "more"})
    both = clone.change("pyproject.toml")
    connected.git("mv", "src/a.py", "docs/a.py", cwd=clone.directory)
    moved = clone.change("docs/page.md")

    assert commits(account, name) == [code, both, moved]
    assert {(each["trigger"]["triggerType"]) for each in executions(account, name)} == {"WebhookV2"}


def test_of_a_new_branch_nobody_knows_which_files_changed(account: Account, name: str, clone: Clone) -> None:
    code_of_features = {"branches": includes("feature/*"), "filePaths": includes("src/**")}
    create(account, name, source(connected.connect(account, name), clone.full_name), triggers=trigger(code_of_features))

    clone.change("src/a.py", "main:feature/a")
    assert executions(account, name) == []
    second = clone.change("src/a.py", "main:feature/a")

    assert commits(account, name) == [second]


def test_a_pipeline_runs_the_branch_that_was_pushed(account: Account, name: str, clone: Clone) -> None:
    every_feature = {"branches": includes("feature/*")}
    create(account, name, source(connected.connect(account, name), clone.full_name), triggers=trigger(every_feature))

    clone.change("a.txt")
    feature = clone.change("b.txt", "main:feature/b")

    (started,) = executions(account, name)
    found = variables(account, name, started["pipelineExecutionId"])
    assert (found["CommitId"], found["BranchName"]) == (feature, "feature/b")
    by_hand = variables(account, name, small.start(account, name))
    assert by_hand["BranchName"] == "main", "who starts it by hand gets the branch of the action"


@pytest.mark.parametrize("options", [[], ["--annotate", "--message=one"]], ids=["plain", "annotated"])
def test_a_pipeline_runs_the_commit_of_a_tag(account: Account, name: str, clone: Clone, options: list[str]) -> None:
    releases = {"tags": {**includes("release*"), **excludes("release-2")}}
    create(account, name, source(connected.connect(account, name), clone.full_name), triggers=trigger(releases))
    commit = clone.change("a.txt")
    for tag in ("release-1", "release-2", "draft"):
        connected.git("tag", *options, tag, cwd=clone.directory)

    clone.push("release-1", "release-2", "draft")

    (started,) = executions(account, name)
    found = variables(account, name, started["pipelineExecutionId"])
    assert (found["CommitId"], found["TagName"], "BranchName" in found) == (commit, "release-1", False)


def test_a_pipeline_with_triggers_can_be_read_and_changed(account: Account, name: str, clone: Clone) -> None:
    client, arn = account.client("codepipeline"), connected.connect(account, name)
    create(account, name, source(arn, clone.full_name), triggers=trigger(MAIN))
    stored = client.get_pipeline(name=name)["pipeline"]
    assert stored["triggers"] == trigger(MAIN)

    client.update_pipeline(
        pipeline=connected.declaration(name, source(arn, clone.full_name), triggers=trigger({"branches": includes("b")}))
    )
    clone.change("a.txt")
    assert executions(account, name) == []
    clone.change("a.txt", "main:b")
    assert len(executions(account, name)) == 1
    client.delete_pipeline(name=name)
    clone.change("a.txt", "main:b")


def test_one_pipeline_that_cannot_start_keeps_no_other_from_it(account: Account, name: str, clone: Clone) -> None:
    arn = connected.connect(account, name)
    without_value = {**connected.declaration(f"{name}-a", source(arn, clone.full_name)), "variables": [{"name": "COLOUR"}]}
    account.client("codepipeline").create_pipeline(pipeline=without_value)
    create(account, f"{name}-b", source(arn, clone.full_name))

    commit = clone.change("a.txt")

    assert executions(account, f"{name}-a") == []
    assert commits(account, f"{name}-b") == [commit]


# --------------------------------------------------------------------------------------------- declarations


INVALID = "Make sure to choose valid filter combinations"
REFUSED: dict[str, tuple[Any, str]] = {
    "tags and branches": (trigger({"tags": includes("v1"), **MAIN}), INVALID),
    "files without branches": (trigger({"filePaths": includes("a")}), INVALID),
    "tags and files": (trigger({"tags": includes("v1"), "filePaths": includes("a")}), INVALID),
    "an empty filter": (trigger({}), INVALID),
    "branches without patterns": (trigger({"branches": {}}), INVALID),
    "an unknown action": (trigger(MAIN, action="Nobody"), "must reference a CodeStarSourceConnection action"),
    "another stage's action": (trigger(MAIN, action="Approve"), "must reference a CodeStarSourceConnection action"),
    "two for one action": ([*trigger(MAIN), *trigger(MAIN)], "more than one trigger per source action"),
    "no glob": (trigger({"branches": includes("[a")}), r"The pattern '\[a' of a trigger is no glob"),
    "four filters": (trigger(MAIN, MAIN, MAIN, MAIN), "length less than or equal to 3"),
    "nine patterns": (trigger({"branches": includes(*"abcdefghi")}), "length less than or equal to 8"),
    "a long pattern": (trigger({"branches": includes("a" * 256)}), "length less than or equal to 255"),
    "51 triggers": (trigger(MAIN) * 51, "length less than or equal to 50"),
    "another provider": ([{**trigger(MAIN)[0], "providerType": "GitHub"}], "CodeStarSourceConnection"),
    "pull requests": (
        [{"providerType": "CodeStarSourceConnection", "gitConfiguration": {"sourceActionName": "Repository", "pullRequest": [MAIN]}}],
        "NotImplemented.*pullRequest",
    ),
}


@pytest.mark.parametrize(("given", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_triggers_that_aws_does_not_take_are_refused(account: Account, name: str, given: Any, said: str) -> None:
    with pytest.raises(ClientError, match=said):
        create(account, name, source(ARN, f"team/{name}"), triggers=given)

    assert name not in [each["name"] for each in account.client("codepipeline").list_pipelines()["pipelines"]]


def test_triggers_make_a_pipeline_one_of_the_second_type(account: Account, name: str) -> None:
    pipeline = connected.declaration(name, source(ARN, f"team/{name}"), triggers=trigger(MAIN))
    del pipeline["pipelineType"]

    made = account.client("codepipeline").create_pipeline(pipeline=pipeline)["pipeline"]

    assert made["pipelineType"] == "V2"
