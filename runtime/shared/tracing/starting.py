"""Tracing as the settings say; imported only where they say so."""

from pathlib import Path

import boto3

from runtime.shared import tracing
from runtime.shared.consumer import Cancelled, LeaseLost
from runtime.shared.ledger import AlreadyFinished, Busy, Duplicate, Superseded
from runtime.shared.settings import CommonSettings
from runtime.shared.tracing.delivery import FileSink, HttpSink, Sink, SpanQueue, xray_signer, xray_url
from runtime.shared.tracing.recorder import Recorder

_EVERY_S = 5.0
_FILE_EVERY_S = 0.5  # somebody is waiting to read it
# Work that is interrupted, or finds another's, has not failed.
_TURNS = (Cancelled, LeaseLost, AlreadyFinished, Busy, Duplicate, Superseded)


def start_tracing(settings: CommonSettings, session: boto3.Session, *, owner: str) -> None:
    """Call once, where TRACING is not `off`. Raises OSError when the file cannot be written."""
    identity = {
        "service.namespace": "export-processing",
        "service.name": settings.service_mode,
        "service.instance.id": owner,
        "deployment.environment.name": settings.environment,
    }
    every_s = _FILE_EVERY_S if settings.tracing == "file" else _EVERY_S
    queue = SpanQueue(_sink(settings, session), every_s=every_s)
    tracing.start(Recorder(identity, queue, sample_ratio=settings.tracing_sample_ratio, turns=_TURNS))


def _sink(settings: CommonSettings, session: boto3.Session) -> Sink:
    if settings.tracing == "file":
        return FileSink(Path(settings.tracing_file))
    if settings.tracing == "otlp":
        return HttpSink(settings.tracing_endpoint)
    region, credentials = session.region_name, session.get_credentials()
    if credentials is None:
        raise RuntimeError("TRACING is xray, and there are no AWS credentials to sign with")
    return HttpSink(settings.tracing_endpoint or xray_url(region), xray_signer(credentials, region))
