"""What each action provider does. An action is a function `(job) -> None` that raises `ActionError` to fail.

Next: `job.py` (what an action is given), then the provider of interest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from local_account.codepipeline.actions import approval, cloudformation, codebuild, codecommit, lambda_function
from local_account.codepipeline.actions.job import Job

#: (category, owner, provider) -> action. CodeBuild runs the same for builds and for tests.
PROVIDERS: Mapping[tuple[str, str, str], Callable[[Job], None]] = {
    ("Source", "AWS", "CodeCommit"): codecommit.run,
    ("Build", "AWS", "CodeBuild"): codebuild.run,
    ("Test", "AWS", "CodeBuild"): codebuild.run,
    ("Deploy", "AWS", "CloudFormation"): cloudformation.run,
    ("Approval", "AWS", "Manual"): approval.run,
    ("Invoke", "AWS", "Lambda"): lambda_function.run,
}
