"""The team's own serving image: when it is built, what of it a release takes, and that both say what is missing."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from build_scripts import docker, lean_image, plain_image
from build_scripts.command_line import ProblemError
from deploy_scripts.live_endpoint import package_of
from settings_schema import Batch, Endpoint, Experiment, Member, ServingImage, SettingsError, Shadow
from settings_schema.reading import read
from tests.example_models import ABALONE
from tests.unit import script_account, test_render
from tests.unit.script_account import NAMES, PACKAGE, PRODUCTION, SETTINGS, STAGING, ScriptAccount
from tests.unit.test_render import deploy, rendered, synthesize

OLD, NEW = (f"sha256:{digit * 64}" for digit in "ab")
REGISTRY = "111122223333.dkr.ecr.us-east-1.amazonaws.com/shop/lean"
FILES = {
    "Dockerfile": b'ARG BASE=python:3.12-slim\nFROM ${BASE}\nENV A=1 B=/opt/x\nENTRYPOINT ["python", "-m", "serving"]\nCMD ["serve"]\n',
    "requirements.lock": b"numpy==1\n",
    "serving/__main__.py": b"pass\n",
}
NOVEMBER = datetime(2026, 11, 28, tzinfo=UTC)


def _image(digest: str, at: int) -> dict[str, Any]:
    pushed = datetime(2026, 1, at + 1, tzinfo=UTC)
    return {"registryId": "111122223333", "imageDigest": digest, "imageTags": [f"t{at}"], "imagePushedAt": pushed}


class Images:
    """A repository of ECR."""

    def __init__(self, *digests: str) -> None:
        self.images = [_image(digest, at) for at, digest in enumerate(digests)]

    def describe_images(self, *, repositoryName: str, imageIds: Any = None) -> dict[str, Any]:  # noqa: N803
        assert repositoryName == "shop/lean"
        wanted = [item["imageTag"] for item in imageIds or []]
        return {"imageDetails": [image for image in self.images if not wanted or wanted[0] in image["imageTags"]]}


def test_a_tag_is_another_where_a_file_or_the_base_or_the_month_is() -> None:
    tag = lean_image.tag_of(FILES, "python@sha256:1", NOVEMBER)
    assert tag == lean_image.tag_of(dict(FILES), "python@sha256:1", NOVEMBER.replace(day=1)) and tag.endswith("-2026-11")
    others = {
        lean_image.tag_of({**FILES, "requirements.lock": b"numpy==2\n"}, "python@sha256:1", NOVEMBER),
        lean_image.tag_of(FILES, "python@sha256:2", NOVEMBER),
        lean_image.tag_of(FILES, "python@sha256:1", NOVEMBER.replace(month=12)),
    }
    assert len(others) == 3 and tag not in others


def test_only_a_region_that_lacks_the_tag_gets_an_image() -> None:
    clients = {"us-east-1": Images(OLD), "eu-west-1": Images()}
    assert list(lean_image.lacking(clients, "shop/lean", "t0")) == ["eu-west-1"]
    assert list(lean_image.lacking(clients, "shop/lean", "other")) == ["us-east-1", "eu-west-1"]


class Registry(Images):
    """With the token of its region's registry."""

    def __init__(self, region: str, *digests: str) -> None:
        super().__init__(*digests)
        self.address = f"111122223333.dkr.ecr.{region}.amazonaws.com"

    def get_authorization_token(self) -> dict[str, Any]:
        token = base64.b64encode(b"AWS:secret").decode()
        return {"authorizationData": [{"authorizationToken": token, "proxyEndpoint": f"https://{self.address}"}]}


def test_the_container_runs_as_root_as_hosting_expects_of_all() -> None:
    """ "Custom Inference Code with Hosting Services" of the SageMaker guide: users without root's access can cause permission issues."""
    users = re.findall(r"^USER\s+(\S+)", (lean_image.FOLDER / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert users in ([], ["root"])


@pytest.mark.parametrize(("there", "built", "source"), [((), 1, "us-east-1"), (("eu-west-1",), 0, "eu-west-1")])
def test_an_image_is_built_once_and_copied_byte_for_byte_to_the_other_regions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], built: int, source: str
) -> None:
    program, log = tmp_path / "docker", tmp_path / "log"
    program.write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    clients = {region: Registry(region, *([OLD] if region in there else [])) for region in ("us-east-1", "eu-west-1", "ap-south-1")}
    missing, builds = lean_image.lacking(clients, "shop/lean", "t0"), []
    lean_image.spread(clients, missing, "shop/lean", "t0", lambda: builds.append(1))
    commands = log.read_text().splitlines()
    copies = [command.split() for command in commands if "imagetools" in command]
    assert len(builds) == built and sum(command.startswith("push") for command in commands) == built
    assert {words[-1] for words in copies} == {f"{clients[source].address}/shop/lean:t0"}
    assert {words[-2] for words in copies} == {f"{clients[region].address}/shop/lean:t0" for region in clients if region != source}
    assert all("--prefer-index=false" in words for words in copies) and "secret" not in log.read_text()


def test_the_base_is_what_the_dockerfile_says() -> None:
    assert docker.base_of(FILES["Dockerfile"].decode()) == "python:3.12-slim"
    with pytest.raises(ProblemError, match="names no base; allowed: a line ARG BASE="):
        docker.base_of("FROM python:3.12\n")


def test_the_image_takes_nothing_from_docker_hub_whose_limit_builds_share_with_strangers() -> None:
    lines = (lean_image.FOLDER / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if re.match(r"#\s*syntax\s*=", line, re.IGNORECASE)]
    bases = [line.split("=", 1)[1] for line in lines if line.startswith("ARG BASE=")]
    assert bases and all(base.startswith("public.ecr.aws/") for base in bases)
    assert {line.split()[1] for line in lines if line.startswith("FROM ")} == {"${BASE}"}


def test_what_docker_says_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho 'no such image' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProblemError, match=r"`docker buildx` failed: no such image"):
        docker.digest_of("python:3.12-slim")
    program.unlink()
    with pytest.raises(ProblemError, match=r"docker cannot be started: .* privileged mode"):
        docker.digest_of("python:3.12-slim")


def test_a_plain_image_has_the_entry_point_and_the_lock_and_equal_files_are_one_image() -> None:
    made = json.loads(plain_image.manifest(FILES))
    assert plain_image.manifest(dict(reversed(FILES.items()))) == plain_image.manifest(FILES)
    told = json.loads(base64.b64decode(made["config"]["data"]))["config"]
    assert told == {"Entrypoint": ["python", "-m", "serving"], "Cmd": ["serve"], "Env": ["A=1", "B=/opt/x"]}
    (layer,) = made["layers"]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(base64.b64decode(layer["data"])))) as archive:
        assert archive.getnames() == ["opt/serving/requirements.lock", "opt/serving/serving/__main__.py"]


LEAN = ABALONE.but(serving={STAGING.name: Endpoint(image=ServingImage.LEAN), PRODUCTION.name: Endpoint(image=ServingImage.LEAN)})
DECLARED = {name: {"Type": "String"} for name in ("ModelPackageArn", "ServingImage", "ModelDataUrl")}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ScriptAccount:
    monkeypatch.chdir(tmp_path)
    synthesize(tmp_path / "cdk.out", {**test_render.TEMPLATE, "Parameters": DECLARED})
    made = script_account.install(monkeypatch)
    script_account.set_values(monkeypatch, replace(SETTINGS, models={LEAN.name: LEAN}))
    made.clients["ecr"] = Images(OLD, NEW)
    made.sagemaker.add(1, "Approved")
    return made


def serve(account: ScriptAccount, environment: str, digest: str) -> None:
    name = NAMES.at(environment).stack
    image = {"ParameterKey": "ServingImage", "ParameterValue": f"{REGISTRY}@{digest}"}
    account.cloudformation.described[name] = {"StackName": name, "StackStatus": "UPDATE_COMPLETE", "Parameters": [image]}


def image(environment: str) -> str:
    return str(rendered(environment)["Parameters"]["ServingImage"])


def test_a_release_takes_the_newest_image_by_its_digest_and_the_version_s_archive(account: ScriptAccount) -> None:
    serve(account, PRODUCTION.name, OLD)
    assert deploy() == 0
    assert image(STAGING.name) == image(PRODUCTION.name) == f"{REGISTRY}@{NEW}"
    (container,) = account.sagemaker.describe_model_package(ModelPackageName=f"{PACKAGE}/1")["InferenceSpecification"]["Containers"]
    assert rendered(STAGING.name)["Parameters"]["ModelDataUrl"] == container["ModelDataUrl"]


def test_production_gets_the_image_that_staging_was_asked_with_although_there_is_a_newer_one(account: ScriptAccount) -> None:
    serve(account, STAGING.name, OLD)
    assert deploy("--stage", PRODUCTION.name) == 0
    assert image(PRODUCTION.name) == f"{REGISTRY}@{OLD}"


def test_a_return_keeps_the_image_that_is_there_unless_it_was_deleted(account: ScriptAccount) -> None:
    account.sagemaker.add(2, "Rejected")
    serve(account, STAGING.name, NEW)
    serve(account, PRODUCTION.name, OLD)
    leaving = ("--stage", PRODUCTION.name, "--leaving", f"{PACKAGE}/2")
    assert deploy(*leaving) == 0
    assert image(PRODUCTION.name) == f"{REGISTRY}@{OLD}"
    account.clients["ecr"] = Images(NEW)
    assert deploy(*leaving) == 0
    assert image(PRODUCTION.name) == f"{REGISTRY}@{NEW}"


def test_without_an_image_nothing_is_rendered_and_the_command_that_builds_one_is_said(
    account: ScriptAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    account.clients["ecr"] = Images()
    assert deploy() == 2
    assert "the repository shop/lean has no image in us-east-1" in (said := capsys.readouterr().err) and "shop--image" in said
    assert not Path("rendered").exists()


def test_a_model_of_the_image_says_of_which_version_it_is() -> None:
    class SageMaker:
        def describe_model(self, *, ModelName: str) -> dict[str, Any]:  # noqa: N803
            return {"PrimaryContainer": {"Image": f"{REGISTRY}@{OLD}", "Environment": {"MODEL_PACKAGE_ARN": f"{PACKAGE}/7"}}}

    assert package_of(SageMaker(), "model") == f"{PACKAGE}/7"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Endpoint(image=ServingImage.LEAN, initial_instance_count=2, shadow=Shadow()), "managed with a shadow or an experiment"),
        (lambda: Endpoint(image=ServingImage.LEAN, experiment=Experiment()), "managed with a shadow or an experiment"),
        (lambda: Batch(image=ServingImage.LEAN), "a transform job runs in the managed image"),
        (lambda: Member(fleet="tiny", image=ServingImage.LEAN), "multi-model server"),
        (lambda: Endpoint(image="lean"), "allowed: ServingImage.MANAGED | ServingImage.LEAN"),
    ],
)
def test_where_it_cannot_serve_one_line_says_why(make: Any, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        make()
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_what_production_serves_with_is_tested_with(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "settings.py").write_text(
        "from settings_schema import *\nPROJECT = Project(name='shop')\n"
        "ENVIRONMENTS = (Environment(name='try'), Environment(name='live'))\nSOURCE = CodeCommit()\n"
        "from tests.example_models import SETTINGS\nPRICES = SETTINGS.prices\n"
    )
    (tmp_path / "models" / "fish.py").write_text(
        "from settings_schema import Endpoint, ServingImage\nfrom tests.example_models import ABALONE\n"
        "MODEL = ABALONE.but(serving={'try': Endpoint(), 'live': Endpoint(image=ServingImage.LEAN)})\n"
    )
    with pytest.raises(SettingsError, match=r"serving\['try'\]\.image is 'managed'; allowed: lean as well"):
        read(tmp_path)


def test_a_serverless_endpoint_in_another_account_has_the_managed_image(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    settings = (
        "from settings_schema import *\nPROJECT = Project(name='shop', account='111111111111', region='eu-west-1')\n"
        "ENVIRONMENTS = (Environment(name='try'), Environment(name='live', account={account!r}))\nSOURCE = CodeCommit()\n"
        "from tests.example_models import SETTINGS\nPRICES = SETTINGS.prices\n"
    )
    (tmp_path / "models" / "fish.py").write_text(
        "from settings_schema import Serverless, ServingImage\nfrom tests.example_models import ABALONE\n"
        "MODEL = ABALONE.but(serving={name: Serverless(image=ServingImage.LEAN) for name in ('try', 'live')})\n"
    )
    (tmp_path / "settings.py").write_text(settings.format(account="222222222222"))
    with pytest.raises(SettingsError, match=r"models/fish.py: serving\['live'\]\.image is 'lean'; allowed: managed, because a serverless"):
        read(tmp_path)
    (tmp_path / "settings.py").write_text(settings.format(account="111111111111"))
    assert read(tmp_path).model("fish").is_lean("live")
