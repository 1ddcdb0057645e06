"""Whether a version's archive is still what was evaluated: the model, the preparation and the code that answers, byte for byte.

Jobs write where models are kept, so what is there when a version is deployed need not be what its metrics and its report are about.
Input: a `Version`, whose metadata has the hashes that the evaluation took (`model-sha256`, `code-sha256`). Output: a line, or one line
that names what differs. Used by choose_version.py before anything is deployed, by verify.py afterwards, and by export.py, which takes it
elsewhere.
"""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
from typing import IO, Any

from build_scripts.command_line import ProblemError
from build_scripts.missing import found_object
from build_scripts.objects import bucket_and_key
from build_scripts.registry import Version
from build_scripts.step_modules import STEPS, load

#: Metadata of a version (pipelines/tabular/pipeline.py).
MODEL, CODE = "model-sha256", "code-sha256"
_CODE_FOLDER = "code/"
_REMEDY = "restore that version of the object, or train again"


def require_unchanged(s3: Any, version: Version) -> str:
    """A line that says so. Raises ProblemError for an archive that is gone or another one, and for a version without the hashes."""
    with tempfile.TemporaryFile() as archive:
        return fetch_unchanged(s3, version, archive)


def require_servable(version: Version) -> str:
    """Address of its archive. Raises ProblemError for a version that names none."""
    if version.model_url is None:
        reason = "it has no inference specification with a model archive, so nothing can serve it"
        raise ProblemError(f"version {version.number} cannot be deployed: {reason}; train again")
    return version.model_url


def fetch_unchanged(s3: Any, version: Version, archive: IO[bytes]) -> str:
    """The same, of the archive that is written to `archive`."""
    url = require_servable(version)
    missing = [name for name in (MODEL, CODE) if version.facts.get(name) in (None, "", "unknown")]
    if missing:
        reason = f"its metadata has no {', '.join(missing)}, which every version that the training pipeline registers has"
        raise ProblemError(f"version {version.number} does not say what was evaluated: {reason}; train again")
    bucket, key = bucket_and_key(url)
    answer = found_object(s3.get_object, Bucket=bucket, Key=key)
    if answer is None:
        where = f"its archive {version.model_url} is gone, or may not be read with these credentials"
        raise ProblemError(f"version {version.number} cannot be deployed: {where}; train again, or allow s3:GetObject")
    digest = hashlib.sha256()
    while block := answer["Body"].read(1 << 20):
        digest.update(block)
        archive.write(block)
    archive.seek(0)
    code = _code_hash(archive)
    if code is not None and code != version.facts[CODE]:
        raise _changed(version, "the code in ", CODE, code)
    if digest.hexdigest() != version.facts[MODEL]:
        raise _changed(version, "", MODEL, digest.hexdigest())
    return f"artifact: model.tar.gz and its code are what was evaluated (sha256 {digest.hexdigest()[:12]})"


def require_code_of(version: Version, commit: str) -> None:
    """Raises ProblemError if other code than this checkout's made a version that says that this commit made it.

    Its jobs import what lies at their code's address, and whoever can build can add a file there; `code-sha256` is of all that lay there.
    A version that another commit made says nothing about this checkout.
    """
    if version.facts.get("git-commit") != commit:
        return
    code = str(load("archive").sha256(load("archive").code_files(STEPS)))
    if version.facts[CODE] != code:
        raise ProblemError(
            f"version {version.number} was not made by the code of commit {commit[:12]}: its {CODE} is {version.facts[CODE]}, "
            f"the commit's {code}; look at what lies beside the published code, and train again"
        )


def _changed(version: Version, what: str, name: str, now: str) -> ProblemError:
    return ProblemError(
        f"version {version.number} is not what was evaluated: {what}{version.model_url} has sha256 {now}, "
        f"evaluated {version.facts[name]}; {_REMEDY}"
    )


def _code_hash(archive: Any) -> str | None:
    """As pipelines/tabular/steps/choose.py takes it of the files that it packs. None for what is no archive."""
    try:
        with tarfile.open(fileobj=archive, mode="r:gz") as members:
            names = {member.name.removeprefix("./"): member for member in members if member.isfile()}
            files = {
                name.removeprefix(_CODE_FOLDER): content.read()
                for name, member in names.items()
                if name.startswith(_CODE_FOLDER) and (content := members.extractfile(member))
            }
    except (tarfile.TarError, OSError, EOFError):
        return None
    return str(load("archive").sha256(files))
