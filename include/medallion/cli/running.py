"""`medallion run`: one run of a job, watched to its end. In the user's shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from medallion.cli.compute import ComputeOption, bundle_and_compute
from medallion.cli.output import (
    JsonOption,
    TargetOption,
    VariableOption,
    assignments,
    console,
    print_json,
    settings_of,
    show_problems,
)

if TYPE_CHECKING:
    from medallion.components.jobs import Chosen
    from medallion.runs.snapshot import Snapshot
    from medallion.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(rich_help_panel="Jobs")(run)


def run(
    ctx: typer.Context,
    job: Annotated[str, typer.Argument(help="A job's name, DAG id or bundle key; or a path to a job file or bundle.")],
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="Value of a job parameter; may be repeated."),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="TASK,…", help="Run only these: t, +t (with all before), t+ (with all after)."),
    ] = None,
    target: TargetOption = None,
    compute: ComputeOption = None,
    var: VariableOption = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the whole log of failed tasks.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a job and show its tasks as they go: through Airflow's scheduler when `medallion up` runs, else here.

    The exit status is 0 when the run succeeded (SUCCESS_WITH_FAILURES included), 1 when it failed, 2 for wrong input.

    \b
    Examples:
      medallion run RetailHub_Medallion_Pipeline
      medallion run jobs/retailhub/job.json -p run_date=2026-01-31
      medallion run my_bundle::nightly --target dev --only ingest,transform+ --json
      medallion run RetailHub_Medallion_Pipeline --compute cluster

    --target is a target of the bundle; where the bundle has none of that name, or the job is in no bundle, it is one of
    [targets] in the settings, as --compute is.
    """
    from medallion.cli.progress import Progress
    from medallion.components.jobs import choose
    from medallion.runs.report import report
    from medallion.runs.states import Result

    settings = settings_of(ctx)
    variables = assignments(var, "--var")
    target, compute = bundle_and_compute(settings, job, target, compute)
    conf = conf_of(assignments(param, "--param"), only, compute)
    chosen = choose(settings, job, target=target, variables=variables)
    check_request(chosen, conf)
    with Progress(chosen.definition.job, quiet=as_json) as progress:
        snapshot = execute(settings, chosen, conf, progress, target=target, variables=variables)
    told = report(chosen.definition.job, snapshot, settings.home)
    if as_json:
        print_json(told.to_json())
    else:
        show_end(settings, chosen, snapshot, verbose=verbose)
    good = {Result.SUCCESS, Result.SUCCESS_WITH_FAILURES}
    raise typer.Exit(0 if told.state.result in good else 1)


def conf_of(parameters: dict[str, str], only: str | None, compute: str | None = None) -> dict[str, Any]:
    """The run's conf, as the DAG factory reads it."""
    conf: dict[str, Any] = {}
    if parameters:
        conf["job_parameters"] = parameters
    if only:
        conf["only"] = [item.strip() for item in only.split(",") if item.strip()]
    if compute:
        conf["compute"] = compute
    return conf


def check_request(chosen: Chosen, conf: dict[str, Any]) -> None:
    """Refuse unknown tasks, and say when a parameter is new: run-now may add one, but a slip is likelier.

    :raises RunError: `only` names a task that the job has not.
    """
    from medallion.spec.only import parents_of, selected
    from medallion.spec.problems import Problem, Severity, did_you_mean

    job = chosen.definition.job
    selected(parents_of(job), conf.get("only") or ())
    known = [item.name for item in job.parameters or ()]
    show_problems(
        (
            Problem(Severity.WARNING, f"the job has no parameter {name!r}", hint=did_you_mean(name, known))
            for name in conf.get("job_parameters") or {}
            if name not in known
        ),
        console(error=True),
    )


def execute(
    settings: Settings,
    chosen: Chosen,
    conf: dict[str, Any],
    progress: Any,
    *,
    target: str | None,
    variables: dict[str, str],
) -> Snapshot:
    """Through the scheduler when it knows this very job, else in a process of its own."""
    from medallion.components.local_run import LocalRun, run_locally
    from medallion.components.served_run import run_served, through_server

    server = through_server(settings, chosen, target=target, variables=variables)
    if server is not None and server.takes_it:
        return run_served(settings, server.server, chosen.dag_id, conf, progress.show, progress.say)
    run_here = LocalRun(settings, chosen, conf, target, variables, beside=server is not None)
    return run_locally(run_here, progress.show, progress.say)


def show_end(settings: Settings, chosen: Chosen, snapshot: Snapshot, *, verbose: bool) -> None:
    """The table of tasks, the ends of failed tasks' logs, and how the run ended."""
    from medallion.cli.progress import coloured, failure_text, seconds_of, table_of, word
    from medallion.components.places import places_of
    from medallion.runs.report import report
    from medallion.runs.writes import commits_of_run, rows_by_task

    told = report(chosen.definition.job, snapshot, settings.home)
    out = console()
    rows = rows_by_task(commits_of_run(settings.lake, told.run_id, snapshot.start or 0))
    out.print(table_of(told, rows))
    lines = 100_000 if verbose else 15
    if text := failure_text(places_of(settings).task_logs, snapshot, lines=lines):
        out.print(text, markup=False, soft_wrap=True)
    took = f" after {seconds} s" if (seconds := seconds_of(told)) else ""
    out.print(f"{coloured(word(told.state))}{took}, run {told.run_id} ({told.airflow_run_id})")
    if told.termination is not None and told.termination.type != "SUCCESS":
        out.print(told.termination.message, markup=False, soft_wrap=True)
