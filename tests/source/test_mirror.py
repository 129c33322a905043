"""`tests/unit` mirrors the source: who changes a module finds its tests by its name."""

from pathlib import Path

from tests.source.tree import ROOT

UNIT = Path("tests/unit")

# Tests of a whole room, or of a promise that several of its modules keep together.
_OF_A_ROOM = {
    "local/cloudformation/test_stacks.py",
    "local/test_export_api.py",
    "local/test_profiles.py",
    "ops/cli/test_entry_point.py",
    "ops/cli/test_incidents.py",
    "ops/cli/test_permissions.py",
    "ops/deploy/test_deploy.py",
    "ops/fleet/test_logs_insights.py",
    "ops/page/test_browser.py",
    "ops/page/test_many_jobs.py",
    "ops/page/test_page.py",
    "ops/preflight/test_preflight.py",
    "orchestrator/test_process.py",
    "shared/circuits/test_outages.py",
    "shared/consumer/test_copied_out.py",
    "shared/export_api/test_habits.py",
    "shared/http/test_early_answer.py",
    "shared/tracing/test_off.py",
    "worker/archive/test_main.py",
    "worker/fetch/test_server_habits.py",
    "worker/plan/test_planning_memory.py",
    "worker/test_process.py",
}

# Modules that are tested through a front door, by the test that a change of them should be run against.
_THROUGH = {
    "__main__.py": "e2e/test_happy_path.py",
    "image/rootfs.py": "stacks/test_image.py",
    "orchestrator/__main__.py": "unit/orchestrator/test_process.py",
    "orchestrator/dispatcher.py": "unit/orchestrator/test_handler.py",
    "orchestrator/listing.py": "unit/orchestrator/test_handler.py",
    "orchestrator/settings.py": "unit/shared/test_settings.py",
    "shared/aws.py": "unit/orchestrator/test_process.py",
    "shared/aws_client/beside_botocore.py": "unit/shared/aws_client/test_json_service.py",
    "shared/aws_client/documents.py": "unit/shared/aws_client/test_json_service.py",
    "shared/aws_client/endpoint.py": "unit/shared/aws_client/test_client.py",
    "shared/aws_client/errors.py": "unit/shared/aws_client/test_client.py",
    "shared/aws_client/sigv4.py": "unit/shared/aws_client/test_client.py",
    "shared/buffer.py": "unit/shared/aws_client/test_client.py",
    "shared/circuits/announcing.py": "unit/shared/circuits/test_outages.py",
    "shared/consumer/delivery.py": "unit/shared/consumer/test_consumer.py",
    "shared/consumer/held.py": "unit/shared/consumer/test_consumer.py",
    "shared/consumer/outcomes.py": "unit/shared/consumer/test_consumer.py",
    "shared/consumer/settling.py": "unit/shared/consumer/test_consumer.py",
    "shared/consumer/sqs_limits.py": "unit/shared/consumer/test_copies.py",
    "shared/ecs_service.py": "e2e/test_happy_path.py",
    "shared/export_api/body.py": "unit/shared/export_api/test_habits.py",
    "shared/export_api/credentials.py": "unit/shared/export_api/test_auth.py",
    "shared/export_api/errors.py": "unit/shared/export_api/test_client.py",
    "shared/export_api/link.py": "unit/shared/export_api/test_habits.py",
    "shared/export_api/oauth.py": "unit/shared/export_api/test_auth.py",
    "shared/export_api/profile.py": "unit/shared/export_api/test_habits.py",
    "shared/export_api/records.py": "unit/shared/export_api/test_habits.py",
    "shared/export_api/transport.py": "unit/shared/export_api/test_client.py",
    "shared/healthcheck.py": "unit/shared/test_health.py",
    "shared/http/errors.py": "unit/shared/http/test_connection.py",
    "shared/http/grammar.py": "unit/shared/http/test_connection.py",
    "shared/ledger/checkpoints.py": "unit/worker/transfer/test_resume.py",
    "shared/ledger/expressions.py": "unit/shared/ledger/test_table.py",
    "shared/ledger/types.py": "unit/shared/ledger/test_jobs.py",
    "shared/ledger/values.py": "unit/shared/ledger/test_table.py",
    "shared/lifecycle.py": "unit/orchestrator/test_process.py",
    "shared/scope.py": "unit/shared/http/test_connect.py",
    "shared/setting_types.py": "unit/shared/test_settings.py",
    "shared/sizes.py": "archives/test_hostile.py",
    "shared/tracing/recorder.py": "unit/shared/tracing/test_delivery.py",
    "shared/tracing/starting.py": "unit/shared/tracing/test_off.py",
    "worker/__main__.py": "unit/worker/test_process.py",
    "worker/archive/__main__.py": "unit/worker/archive/test_main.py",
    "worker/archive/data_errors.py": "archives/test_reader.py",
    "worker/archive/directory.py": "archives/test_directory.py",
    "worker/archive/ending.py": "archives/test_directory.py",
    "worker/archive/entry.py": "archives/test_directory.py",
    "worker/archive/errors.py": "archives/test_directory.py",
    "worker/archive/inflate.py": "archives/test_reader.py",
    "worker/archive/judge.py": "archives/test_directory.py",
    "worker/archive/limits.py": "archives/test_directory.py",
    "worker/archive/local_header.py": "archives/test_reader.py",
    "worker/archive/methods.py": "archives/test_reader.py",
    "worker/archive/placing.py": "archives/test_directory.py",
    "worker/archive/read_entry.py": "archives/test_reader.py",
    "worker/archive/reader.py": "archives/test_reader.py",
    "worker/archive/records.py": "archives/test_directory.py",
    "worker/archive/resumable_inflate.py": "archives/test_reader.py",
    "worker/archive/tail.py": "archives/test_directory.py",
    "worker/archive/walk.py": "archives/test_directory.py",
    "worker/archive/workspace.py": "unit/worker/plan/test_scratch_workspace.py",
    "worker/aws/framing.py": "unit/shared/aws_client/test_client.py",
    "worker/aws/objects.py": "unit/shared/aws_client/test_client.py",
    "worker/bounds/traffic.py": "unit/worker/test_process.py",
    "worker/bounds/window.py": "unit/worker/transfer/test_multipart.py",
    "worker/count/expected.py": "unit/worker/count/test_counter.py",
    "worker/fetch/archive.py": "unit/worker/fetch/test_server_habits.py",
    "worker/fetch/content_coding.py": "unit/worker/fetch/test_server_habits.py",
    "worker/fetch/errors.py": "unit/worker/fetch/test_server_habits.py",
    "worker/fetch/locator.py": "unit/worker/fetch/test_spool.py",
    "worker/fetch/meter.py": "unit/worker/fetch/test_spool.py",
    "worker/fetch/read_ahead.py": "unit/worker/transfer/test_resume.py",
    "worker/fetch/recorded.py": "unit/worker/fetch/test_server_habits.py",
    "worker/manifest/join.py": "unit/worker/test_handler.py",
    "worker/manifest/manifest.py": "unit/worker/test_handler.py",
    "worker/outcomes.py": "unit/worker/test_process.py",
    "worker/parts.py": "unit/worker/test_handler.py",
    "worker/plan/parts.py": "unit/worker/plan/test_results.py",
    "worker/plan/wanted.py": "unit/worker/plan/test_results.py",
    "worker/settings.py": "unit/shared/test_settings.py",
    "worker/timings.py": "unit/worker/test_process.py",
    "worker/transfer/checkpoints.py": "unit/worker/transfer/test_resume.py",
    "worker/transfer/doubt.py": "unit/worker/transfer/test_second_look.py",
    "worker/transfer/entry_parts.py": "unit/worker/transfer/test_resume.py",
    "worker/transfer/entry_upload.py": "unit/worker/transfer/test_resume.py",
    "worker/transfer/lanes.py": "e2e/test_happy_path.py",
    "worker/transfer/large_entry.py": "unit/worker/transfer/test_resume.py",
    "worker/transfer/memory.py": "unit/worker/transfer/test_resume.py",
    "worker/transfer/resumable_sha256.py": "unit/worker/transfer/test_resume.py",
    "worker/transfer/small_entries.py": "e2e/test_happy_path.py",
    "worker/transfer/transfer.py": "e2e/test_happy_path.py",
    "worker/wiring.py": "unit/worker/test_process.py",
}


def _module_of(test: Path) -> Path:
    """The module that a test's place and name stand for."""
    module = test.with_name(test.name.removeprefix("test_"))
    return (
        ROOT / "runtime" / module if test.parts[0] in {"shared", "orchestrator", "worker"} else ROOT / module
    )


def test_every_unit_test_stands_where_its_module_does() -> None:
    tests = {path.relative_to(ROOT / UNIT) for path in (ROOT / UNIT).rglob("test_*.py")}
    assert len(tests) > 100
    lost = {str(test) for test in tests if not _module_of(test).exists()}
    assert lost == _OF_A_ROOM


def test_every_module_of_the_runtime_has_a_test_of_its_name_or_one_it_is_tested_through() -> None:
    modules = {
        str(path.relative_to(ROOT / "runtime"))
        for path in (ROOT / "runtime").rglob("*.py")
        if path.name != "__init__.py"
    }
    alone = {
        module
        for module in modules
        if not (ROOT / UNIT / module).with_name(f"test_{Path(module).name}").exists()
    }
    assert alone == set(_THROUGH)
    gone = {test for test in _THROUGH.values() if not (ROOT / "tests" / test).exists()}
    assert not gone
