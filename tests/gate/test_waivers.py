"""Waivers: what they let through, and every way in which one is refused with a sentence."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.gate.assemblies import write_assembly
from tests.gate.test_losses import QUEUE, TABLE

REASON = "the ledger is rebuilt from the manifests, see the change record"


def day(offset):
    return (datetime.now(UTC) + timedelta(days=offset)).date().isoformat()


def waiver(**fields):
    values = {
        "environments": '["prod"]',
        "stack": '"main"',
        "resources": '["Table"]',
        "kind": '"stateful-removed"',
        "reason": f'"{REASON}"',
        "expires": day(30),
    } | fields
    return "[[waiver]]\n" + "\n".join(f"{key} = {value}" for key, value in values.items()) + "\n"


@pytest.fixture
def removal(gate):
    return lambda waivers: gate.change({"Table": TABLE, "Q": QUEUE}, {"Q": QUEUE}, waivers=waivers)


def test_a_waiver_that_names_the_change_lets_it_pass_and_is_shown(removal):
    answer = removal(waiver())
    assert answer.code == 0
    assert f"waived until {day(30)}: {REASON}" in answer.text
    assert REASON in answer.markdown


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"expires": day(-1)}, f"expired on {day(-1)}: remove it, or agree on a new date"),
        ({"expires": day(120)}, "90 days from today are the most"),
        ({"resources": '["Other"]'}, "matches no change: remove it or correct its names"),
        ({"stack": '"other"'}, "matches no change"),
        ({"kind": '"stateful-replaced"'}, "matches no change"),
        ({"environments": '["dev"]'}, "matches no change"),
        ({"resources": '["Table", "Other"]'}, "also names Other, which no such change concerns"),
        ({"environments": '["prod", "dev"]'}, "also names dev, which no such change concerns"),
    ],
)
def test_a_waiver_that_does_not_fit_fails_with_a_sentence(removal, fields, sentence):
    answer = removal(waiver(**fields))
    assert answer.code == 1
    assert sentence in answer.text
    assert sentence in answer.markdown


def test_the_last_day_still_counts(removal):
    assert removal(waiver(expires=day(0))).code == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[waiver]\n", "gate-waivers.toml is not TOML"),
        ("[[waivers]]\n", "only [[waiver]] tables are known, not waivers"),
        (waiver(reason='"because"'), "waiver 1: reason: String should have at least 20 characters"),
        (waiver(kind='"replaced"'), "replaced blocks nothing, so it needs no waiver"),
        (waiver(kind='"anything"'), "waiver 1: kind: Input should be"),
        (waiver(owner='"me"'), "waiver 1: owner: Extra inputs are not permitted"),
        (waiver(expires='"soon"'), "waiver 1: expires: "),
        (waiver() + waiver(resources="[]"), "waiver 2: resources: "),
    ],
)
def test_a_file_that_cannot_be_read_names_the_fault_and_exits_2(removal, text, sentence):
    answer = removal(text)
    assert answer.code == 2
    assert sentence in answer.errors


def test_a_blocked_change_comes_with_the_waiver_to_fill_in(removal):
    answer = removal("")
    assert answer.code == 1
    assert 'resources = ["Table"]' in answer.text
    assert 'kind = "stateful-removed"' in answer.markdown


def test_a_waiver_does_not_cover_another_change_beside_it(gate):
    answer = gate.change({"Table": TABLE, "Q": QUEUE, "Second": QUEUE}, {"Second": QUEUE}, waivers=waiver())
    assert answer.code == 1
    assert "1 blocked, 1 waived" in answer.text


def test_a_waiver_that_the_base_had_waives_nothing_in_two_assemblies_either(gate, tmp_path):
    (tmp_path / "inherited.toml").write_text(waiver())
    before = write_assembly(tmp_path / "one", {"prod/main": {"Table": TABLE, "Q": QUEUE}})
    after = write_assembly(tmp_path / "two", {"prod/main": {"Q": QUEUE}})
    files = ["--waivers", str(tmp_path / "inherited.toml"), "--inherited", str(tmp_path / "inherited.toml")]
    answer = gate.run("--assemblies", str(before), str(after), *files)
    assert answer.code == 1
    assert "has done its work" in answer.text
