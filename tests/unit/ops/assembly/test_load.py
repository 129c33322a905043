"""The reader of the cloud assembly."""

import json

import pytest

from ops.assembly.load import in_order, load_assembly
from ops.assembly.model import AssemblyError
from tests.gate.assemblies import write_assembly

IMAGE = "1.dkr.ecr.eu-west-1.amazonaws.com/assets:" + "a" * 64
TASK = {"Type": "AWS::ECS::TaskDefinition", "Properties": {"Image": IMAGE}}


def test_a_stack_is_read_with_its_names_and_its_template_stays_as_synthesized(tmp_path):
    stack = load_assembly(write_assembly(tmp_path, {"prod/worker": {"Task": TASK}}))["prod", "worker"]
    assert (stack.stack_name, stack.account, stack.region) == ("prod-worker", "111122223333", "eu-west-1")
    assert stack.resources["Task"].properties["Image"].endswith(":<asset>")
    assert stack.template["Resources"]["Task"]["Properties"]["Image"] == IMAGE


def test_the_order_is_that_of_the_dependencies(tmp_path):
    assembly = write_assembly(tmp_path, {f"prod/{name}": {"T": TASK} for name in ("a", "b", "c")})
    manifest = assembly / "assembly-prod" / "manifest.json"
    document = json.loads(manifest.read_text())
    document["artifacts"]["proda"]["dependencies"] = ["prodc", "proda.assets"]
    document["artifacts"]["prodb"]["dependencies"] = ["proda"]
    manifest.write_text(json.dumps(document))
    assert [stack.name for stack in in_order(load_assembly(assembly), "prod")] == ["c", "a", "b"]


def test_an_unknown_environment_is_named_with_those_there_are(tmp_path):
    assembly = load_assembly(write_assembly(tmp_path, {"dev/a": {"T": TASK}, "prod/a": {"T": TASK}}))
    with pytest.raises(AssemblyError, match="no environment 'qa'; there are: dev, prod"):
        in_order(assembly, "qa")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [(None, "not a synthesized cloud assembly"), ("{", "is not JSON"), ("{}", "holds no stack")],
)
def test_what_cannot_be_read_says_so(tmp_path, text, sentence):
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(AssemblyError, match=sentence):
        load_assembly(tmp_path)
