"""`medallion run-now` and `backfill`: start runs under the running scheduler. In the user's shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from medallion.cli.output import JsonOption, assignments, console, print_json, settings_of

if TYPE_CHECKING:
    from medallion.components.api_client import ApiClient
    from medallion.components.jobs import Chosen
    from medallion.settings import Settings

JobArgument = Annotated[str, typer.Argument(help="A job's name, DAG id or bundle key.")]
ParamOption = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="Value of a job parameter; may be repeated."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("run-now", rich_help_panel="Jobs")(run_now)
    app.command(rich_help_panel="Jobs")(backfill)


def run_now(
    ctx: typer.Context,
    job: JobArgument,
    param: ParamOption = None,
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="TASK,…", help="Run only these: t, +t (with all before), t+ (with all after)."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option("--idempotency-token", metavar="TOKEN", help="The same token gives the same run again."),
    ] = None,
    queue: Annotated[
        bool | None, typer.Option("--queue/--no-queue", help="Whether this run may wait; default: as the job says.")
    ] = None,
    compute: Annotated[
        str | None,
        typer.Option(
            "--compute",
            "--target",
            metavar="NAME",
            help="Run all tasks on this target of the settings, [targets.NAME], whatever the job says.",
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show the run until it ends; its result is the status.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Start a run under the scheduler of `medallion up` and give its id at once.

    A run over the job's max_concurrent_runs waits, or is skipped when the job's queue is off; the answer tells which.

    \b
    Examples:
      medallion run-now nightly -p run_date=2026-01-31
      medallion run-now nightly --idempotency-token order-4711 --json
      medallion run-now nightly --only ingest+ --wait
    """
    from medallion.cli.running import conf_of
    from medallion.compute.targets import target_named

    settings = settings_of(ctx)
    if compute is not None:
        target_named(settings, compute)
    conf = conf_of(assignments(param, "--param"), only, compute)
    chosen = chosen_job(settings, job)
    check(chosen, conf)
    client = client_of(settings)
    if token is not None:
        conf["idempotency_token"] = token
    if queue is not None:
        conf["queue"] = {"enabled": queue}
    started = client.run_now(chosen.dag_id, conf)
    if wait:
        raise typer.Exit(shown_to_the_end(settings, client, chosen, started, conf, as_json=as_json))
    if as_json:
        print_json(started)
        return
    console().print(words(client, started), soft_wrap=True)


def backfill(
    ctx: typer.Context,
    job: JobArgument,
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First date, included; UTC without a zone.")],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Last date, included.")],
    every: Annotated[
        str | None,
        typer.Option("--every", metavar="N UNIT", help="As in: 1 DAYS. Default: the fires of the job's schedule."),
    ] = None,
    param: ParamOption = None,
    max_concurrent: Annotated[
        int | None, typer.Option("--max-concurrent", min=1, help="Runs of the backfill at once, within the job's own.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start a run for each date of a range; {{backfill.iso_date}} and the like tell each its date.

    The runs are ordinary runs: they wait for their turn within the job's max_concurrent_runs. At most 100 at once.

    \b
    Examples:
      medallion backfill nightly --from 2026-01-01 --to 2026-01-31
      medallion backfill nightly --from 2026-01-01 --to 2026-01-07 --every "1 DAYS" -p run_date={{backfill.iso_date}}
    """
    settings = settings_of(ctx)
    parameters = assignments(param, "--param")
    chosen = chosen_job(settings, job)
    check(chosen, {"job_parameters": parameters})
    client = client_of(settings)
    body = {
        "from": first,
        "to": last,
        "every": every,
        "job_parameters": parameters,
        "max_concurrent": max_concurrent,
    }
    told = client.backfill(chosen.dag_id, body)
    if as_json:
        print_json(told)
        return
    for started in told["runs"]:
        console().print(words(client, started), soft_wrap=True)


def chosen_job(settings: Settings, wanted: str) -> Chosen:
    """The job of the jobs folder that is meant.

    :raises RunError: there is none, or the scheduler does not know its file.
    """
    from medallion.components.jobs import choose
    from medallion.errors import RunError

    chosen = choose(settings, wanted, target=None, variables={})
    if not chosen.served:
        raise RunError(
            f"{chosen.source} is outside the jobs folder, so the scheduler does not know it",
            hint=f"medallion run {wanted}",
        )
    return chosen


def check(chosen: Chosen, conf: dict[str, Any]) -> None:
    """Refuse tasks and parameters that the job has not.

    :raises RunError: names the first one and the nearest right one.
    """
    from medallion.errors import RunError
    from medallion.spec.only import parents_of, selected
    from medallion.spec.problems import did_you_mean

    job = chosen.definition.job
    selected(parents_of(job), conf.get("only") or ())
    known = [item.name for item in job.parameters or ()]
    for name in conf.get("job_parameters") or {}:
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise RunError(f"the job has no parameter {name!r}", hint=did_you_mean(name, known) or has)


def client_of(settings: Settings) -> ApiClient:
    """A client of the running server.

    :raises TargetError: none runs.
    """
    from medallion.components.api_client import ApiClient
    from medallion.components.deployment import server_of
    from medallion.errors import TargetError

    server = server_of(settings)
    if server is None:
        raise TargetError("no scheduler runs for this project", hint="medallion up, or: medallion run JOB")
    return ApiClient(settings, server)


def words(client: ApiClient, started: dict[str, Any]) -> str:
    """What was started, in a line."""
    head = f"run {started['run_id']} ({started['airflow_run_id']})"
    if started["skipped"]:
        return f"{head} {started['skipped']}"
    was = "" if started["new"] else ", started before with this token"
    return f"{head} is {started['state']}{was}: {client.url}/dags/{started['dag_id']}/runs/{started['airflow_run_id']}"


def shown_to_the_end(
    settings: Settings,
    client: ApiClient,
    chosen: Chosen,
    started: dict[str, Any],
    conf: dict[str, Any],
    *,
    as_json: bool,
) -> int:
    """Watch the run; gives the exit status: 0 for a good end."""
    from medallion.cli.progress import Progress
    from medallion.cli.running import show_end
    from medallion.components.served_run import watch
    from medallion.runs.report import report
    from medallion.runs.states import Result

    only = tuple(conf.get("only") or ())
    with Progress(chosen.definition.job, quiet=as_json) as progress:
        progress.say(words(client, started))
        snapshot = watch(client, chosen.dag_id, str(started["airflow_run_id"]), only, progress.show)
    told = report(chosen.definition.job, snapshot, settings.home)
    if as_json:
        print_json({**told.to_json(), **started, "state": snapshot.state})
    else:
        show_end(settings, chosen, snapshot, verbose=False)
    return 0 if told.state.result in {Result.SUCCESS, Result.SUCCESS_WITH_FAILURES} else 1
