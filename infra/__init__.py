"""The CDK app's constructs and stacks. Imported before `aws_cdk`, this package says where jsii keeps what it unpacks.

jsii runs the CDK's JavaScript and unpacks it into the home folder, which may be read-only and then ends every synthesis; so the
project keeps it in a folder of its own, unless `JSII_RUNTIME_PACKAGE_CACHE_ROOT` is set (jsii reads it when `aws_cdk` is imported).
Source: https://aws.github.io/jsii/user-guides/lib-user/configuration/ Next: `foundation/foundation_stack.py`.
"""

import os
from pathlib import Path

os.environ.setdefault("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(Path(__file__).resolve().parents[1] / ".cache" / "jsii"))
