"""The image by what it is made of. There is no Docker engine here: where one is asked, a script stands in that notes what it was asked."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.deploy import image
from infra.deploy.errors import PackagingFailed, ToolMissing

URI = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/rankcast"
DIGEST = "sha256:" + "b" * 64

STANDS_IN = """#!{python}
import json, sys
from pathlib import Path
arguments = sys.argv[1:]
with Path({notes!r}).open("a") as notes:
    notes.write(json.dumps({{"asked": arguments, "password": sys.stdin.read() if "--password-stdin" in arguments else ""}}) + "\\n")
if "--metadata-file" in arguments:
    print("#1 building")
    Path(arguments[arguments.index("--metadata-file") + 1]).write_text({metadata!r})
sys.exit({code} if "build" in arguments else 0)
"""


class Registry:
    """What is asked of ECR, with its answer."""

    def get_authorization_token(self) -> dict[str, Any]:
        token = base64.b64encode(b"AWS:drawn").decode()
        return {"authorizationData": [{"authorizationToken": token}]}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "api").mkdir(parents=True)
    (folder / "Dockerfile").write_text(
        "FROM x AS build\nCOPY pyproject.toml ./\nCOPY api api\nCOPY --from=build /opt /opt\n"
    )
    (folder / "pyproject.toml").write_text("")
    (folder / "api" / "app.py").write_text("app = 1\n")
    return folder


def docker(folder: Path, monkeypatch: pytest.MonkeyPatch, metadata: object = None, code: int = 0) -> Path:
    """A stand-in on the path; the file of its notes."""
    notes, program = folder / "notes", folder / "bin" / "docker"
    program.parent.mkdir()
    said = json.dumps({"containerimage.digest": DIGEST} if metadata is None else metadata)
    program.write_text(STANDS_IN.format(python=sys.executable, notes=str(notes), metadata=said, code=code))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    return notes


def test_an_image_is_named_by_its_digest_or_not_at_all() -> None:
    assert image.is_by_digest(f"{URI}@{DIGEST}")
    for other in (URI, f"{URI}:latest", f"{URI}@sha256:abc", f"@{DIGEST}"):
        assert not image.is_by_digest(other)


def test_another_content_of_the_image_has_another_tag_and_what_is_not_in_it_has_none(source: Path) -> None:
    before = image.tag(source)
    (source / "notes.txt").write_text("not copied")
    (source / "api" / "__pycache__").mkdir()
    (source / "api" / "__pycache__" / "app.pyc").write_bytes(b"x")
    assert image.tag(source) == before
    (source / "api" / "app.py").write_text("app = 2\n")
    changed = image.tag(source)
    assert changed != before
    (source / "Dockerfile").write_text((source / "Dockerfile").read_text() + "USER 1\n")
    assert image.tag(source) not in {before, changed}


def test_what_a_later_stage_copies_is_not_of_the_context(source: Path) -> None:
    assert image.copied((source / "Dockerfile").read_text()) == {"pyproject.toml", "api"}


def test_without_a_dockerfile_an_image_has_to_be_given(tmp_path: Path) -> None:
    with pytest.raises(PackagingFailed, match="--image"):
        image.tag(tmp_path)


def test_without_docker_an_image_has_to_be_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="--image"):
        image.build_and_push(Registry(), URI, "t", lambda _: None)


def test_it_is_built_for_the_machines_of_the_templates_pushed_and_named_by_the_registrys_digest(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = docker(tmp_path, monkeypatch)
    heard: list[str] = []
    assert image.build_and_push(Registry(), URI, "t1", heard.append, source) == f"{URI}@{DIGEST}"
    login, build = (json.loads(line) for line in notes.read_text().splitlines())
    # The password goes by the standard input: an argument is seen by everybody on the machine.
    assert login == {
        "asked": ["login", "--username", "AWS", "--password-stdin", URI.partition("/")[0]],
        "password": "drawn",
    }
    asked = build["asked"]
    assert asked[:2] == ["buildx", "build"]
    assert asked[asked.index("--platform") + 1] == "linux/arm64"
    assert asked[asked.index("--tag") + 1] == f"{URI}:t1"
    assert {"--push", "--provenance=false", "--sbom=false"} <= set(asked)
    assert asked[-1] == str(source)
    assert heard == ["#1 building"]


def test_a_build_that_fails_says_its_last_word(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, code=3)
    with pytest.raises(PackagingFailed, match="could not be built: #1 building"):
        image.build_and_push(Registry(), URI, "t", lambda _: None, source)


def test_a_builder_that_names_no_digest_is_not_believed(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(tmp_path, monkeypatch, metadata={})
    with pytest.raises(PackagingFailed, match="buildx"):
        image.build_and_push(Registry(), URI, "t", lambda _: None, source)
