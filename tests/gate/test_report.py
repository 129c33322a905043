"""What a reader of the report gets beside the findings."""

import json

from tests.gate.assemblies import write_assembly
from tests.gate.test_losses import QUEUE, TABLE


def acknowledged(environment, rule, reason):
    return {
        "ruleName": rule.rpartition("::")[2],
        "acknowledgedId": rule,
        "acknowledgedAt": f"{environment}/storage/Bucket",
        "reason": reason,
    }


def with_report(directory, *entries):
    assembly = write_assembly(directory, {"dev/storage": {"Q": QUEUE}, "prod/storage": {"Q": QUEUE}})
    report = {"pluginReports": [{"pluginName": "any", "suppressedViolations": list(entries)}]}
    (assembly / "validation-report.json").write_text(json.dumps(report))
    return str(assembly)


def test_the_inventory_of_acknowledgements_marks_the_new_ones(gate, tmp_path):
    logging = [
        acknowledged(name, "AwsSolutions::AwsSolutions-S1", "the trail has it") for name in ("dev", "prod")
    ]
    finding = "AwsSolutions::AwsSolutions-IAM5[Resource::arn:aws:ecs:eu-west-1:111122223333:task/x-dev/*]"
    before = with_report(tmp_path / "before", *logging)
    after = with_report(
        tmp_path / "after", *logging, acknowledged("dev", finding, "ids are not known before")
    )
    answer = gate.run("--assemblies", before, after)
    assert answer.code == 0
    assert "AwsSolutions-S1 [dev, prod]: the trail has it\n      at storage/Bucket" in answer.text
    assert (
        "AwsSolutions-IAM5[Resource::arn:aws:ecs:eu-west-1:<account>:task/x-<environment>/*] (new)"
        in answer.text
    )
    assert "(2, 1 new)" in answer.markdown


def test_text_and_markdown_say_the_same_about_what_is_blocked(gate):
    answer = gate.change({"Table": TABLE, "Q": QUEUE}, {"Q": QUEUE})
    for report in (answer.text, answer.markdown):
        assert "BLOCKED (1 blocked, 0 waived)" in report
        assert "stateful-removed" in report
        assert "main/Table" in report


def test_markdown_stays_within_what_a_comment_holds(gate):
    many = {
        f"Alarm{index}": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"X": "y" * 150}}
        for index in range(600)
    }
    changed = {name: {"Type": body["Type"], "Properties": {"X": "z" * 150}} for name, body in many.items()}
    answer = gate.change({"Table": TABLE, **many}, changed)
    assert len(answer.markdown) < 65_536
    assert "main/Table" in answer.markdown
    assert "the job's log has all of it" in answer.markdown
    assert "Alarm599" in answer.text


def test_a_long_value_is_cut_only_where_it_is_the_same(gate):
    long = {"Type": "AWS::SSM::Parameter", "Properties": {"Value": "a" * 300 + "old value" + "b" * 300}}
    changed = {"Type": "AWS::SSM::Parameter", "Properties": {"Value": "a" * 300 + "new" * 100 + "b" * 300}}
    answer = gate.change({"P": long}, {"P": changed})
    for report in (answer.text, answer.markdown):
        assert "old value" in report
        assert "new" * 100 in report
        assert "a" * 300 not in report
