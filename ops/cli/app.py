"""`export-ops`: the commands put together, and what becomes of errors."""

import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from ops.cli import dlq, fleet, jobs
from ops.cli.session import Exit, Session
from ops.fleet.refusals import Declined, NotFound, Refusal, declined
from ops.fleet.wording import clean
from runtime.shared.aws_client.errors import AwsError, AwsUnreachable
from runtime.shared.sending import NotSent

app = typer.Typer(
    name="export-ops",
    help="See every job and every failure of an environment, and act on it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done; 1 not as it should be (verify, missing, preflight); 2 unusable; 3 not found; "
    "4 AWS refused or did not answer; 130 interrupted.",
)
_COMMANDS: tuple[Callable[..., None], ...] = (
    jobs.status,
    jobs.jobs,
    jobs.why,
    jobs.missing,
    jobs.manifest,
    jobs.verify,
    jobs.submit,
    jobs.retry,
    fleet.watch,
    fleet.circuits,
    fleet.pause,
    fleet.resume,
    fleet.serve,
    fleet.preflight,
)
for _command in _COMMANDS:
    app.command()(_command)
app.add_typer(dlq.app, name="dlq")


@app.callback()
def options(
    context: typer.Context,
    env: Annotated[
        str | None,
        typer.Option(
            envvar="EXPORT_OPS_ENV", help="Which environment; default: the local platform that runs."
        ),
    ] = None,
) -> None:
    context.obj = Session(env)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Errors are a sentence on standard error, never a traceback."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="export-ops")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(Exit.DONE)
    except Refusal as refusal:
        return _told(refusal)
    except (ClientError, BotoCoreError) as error:
        return _told(declined(error))
    except (AwsError, AwsUnreachable, NotSent) as error:
        return _told(Declined(str(error)))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return Exit.DONE


def _told(refusal: Refusal) -> int:
    print(f"export-ops: {clean(str(refusal))}", file=sys.stderr)
    if isinstance(refusal, NotFound):
        return Exit.NOT_FOUND
    return Exit.DECLINED if isinstance(refusal, Declined) else Exit.UNUSABLE
