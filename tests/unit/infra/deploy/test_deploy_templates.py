from __future__ import annotations

from pathlib import Path

import pytest

from infra.deploy.errors import PackagingFailed
from infra.deploy.templates import Templates, parse

PARENT = """AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Data:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: data.yaml
  Queue:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: queue.yaml
"""
LAYER = 'AWSTemplateFormatVersion: "2010-09-09"\nResources: {}\n'


def url(key: str) -> str:
    return f"https://s3.example/b/{key}"


@pytest.fixture
def templates() -> Templates:
    return Templates({"rankcast.yaml": PARENT, "data.yaml": LAYER, "queue.yaml": LAYER + "Outputs: {}\n"})


def test_a_parent_names_its_layers_where_they_are_and_comes_last(templates: Templates) -> None:
    *layers, parent = templates.packed("rankcast.yaml", url)
    assert [one.body for one in layers] == [templates.bodies["data.yaml"], templates.bodies["queue.yaml"]]
    for one in layers:
        assert f"TemplateURL: {url(one.key)}\n" in parent.body
    assert "TemplateURL: data.yaml" not in parent.body


def test_a_layer_that_did_not_change_keeps_its_name(templates: Templates) -> None:
    before = {one.key for one in templates.packed("rankcast.yaml", url)}
    changed = Templates({**templates.bodies, "queue.yaml": LAYER})
    after = {one.key for one in changed.packed("rankcast.yaml", url)}
    data, _, _ = templates.packed("rankcast.yaml", url)
    assert data.key in before & after
    assert len(before ^ after) >= 2


def test_layers_are_known_by_the_stacks_that_they_make(templates: Templates) -> None:
    assert templates.layers("rankcast.yaml") == {"Data": "data.yaml", "Queue": "queue.yaml"}


def test_the_real_parent_names_layers_that_are_there() -> None:
    real = Templates.load()
    files = set(real.layers("rankcast.yaml").values())
    assert files >= {
        "network.yaml",
        "data.yaml",
        "queue.yaml",
        "identity.yaml",
        "edge.yaml",
        "nodes.yaml",
        "watching.yaml",
    }
    assert len(real.packed("rankcast.yaml", url)) == len(files) + 1
    # What answers a linter is no template.
    assert "checkov.yaml" not in real.bodies


def test_short_intrinsics_are_data() -> None:
    made = parse("A: !Ref B\nC: !GetAtt D.E\nF: !Sub [x, { y: z }]\nG: !If { a: b }\n")
    assert made == {
        "A": {"!Ref": "B"},
        "C": {"!GetAtt": "D.E"},
        "F": {"!Sub": ["x", {"y": "z"}]},
        "G": {"!If": {"a": "b"}},
    }


@pytest.mark.parametrize("text", ["a: [", "- a", "3"])
def test_what_is_no_template_is_refused(text: str) -> None:
    with pytest.raises(PackagingFailed):
        parse(text)


def test_yaml_makes_no_objects() -> None:
    with pytest.raises(PackagingFailed):
        parse("!!python/object/apply:os.getcwd []")


def test_a_folder_without_templates_and_a_name_without_one_are_named(tmp_path: Path, templates: Templates) -> None:
    with pytest.raises(PackagingFailed, match="no template in"):
        Templates.load(tmp_path)
    with pytest.raises(PackagingFailed, match=r"no template edge\.yaml"):
        templates.parsed("edge.yaml")
