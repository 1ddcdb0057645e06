"""What docs/operations.md lets the engineer on call do is about the resources that there are."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase

from tests.example_models import ABALONE, PROJECT
from tests.infra.conftest import resources_of
from tests.infra.grants import Templates
from tests.loop.ways_back import documented_policy

ACCOUNT, REGION = "111122223333", "us-east-1"


def test_why_a_build_failed_may_be_read_in_its_log(templates: Templates) -> None:
    """CloudFormation names a log group that its template does not: `<stack>-<logical id>-<suffix>` (user guide, "Name type")."""
    stack = ABALONE.names(PROJECT).stack
    statements = json.loads(documented_policy(ABALONE.names(PROJECT), ACCOUNT, REGION))["Statement"]
    (resources,) = (item["Resource"] for item in statements if item["Sid"] == "WhyItFailed")
    projects = resources_of(templates, "AWS::CodeBuild::Project", stack).values()
    assert projects
    for project in projects:
        group = project["LogsConfig"]["CloudWatchLogs"]["GroupName"]["Ref"]
        assert "LogGroupName" not in templates[stack]["Resources"][group]["Properties"]
        read = (
            f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{project['Name']}",
            f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{stack}-{group}-Abc123:log-stream:1f",
        )
        assert all(any(fnmatchcase(arn, pattern) for pattern in resources) for arn in read), project["Name"]
