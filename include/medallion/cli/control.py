"""`medallion cancel` and `repair`: what to do about a run. In the user's shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from medallion.cli.output import (
    JsonOption,
    TargetOption,
    VariableOption,
    assignments,
    console,
    print_json,
    settings_of,
)
from medallion.cli.runs import JobOption, RunArgument

if TYPE_CHECKING:
    from medallion.components.jobs import Chosen
    from medallion.runs.snapshot import Snapshot
    from medallion.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(rich_help_panel="Jobs")(cancel)
    app.command(rich_help_panel="Jobs")(repair)


def cancel(
    ctx: typer.Context,
    run: RunArgument,
    task: Annotated[str | None, typer.Option("--task", metavar="KEY", help="Only this task of the run.")] = None,
    job: JobOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel a run, or one task of it: nothing of it is left alive, and nothing is tried again.

    A cancelled task counts as failed for the tasks behind it; a cancelled run ends the runs that it started too.

    \b
    Examples:
      medallion cancel latest --job RetailHub_Medallion_Pipeline
      medallion cancel 6393806542761537 --task build_fact_tables
    """
    import getpass

    from medallion.components.control import cancel as ask

    told = ask(settings_of(ctx), run, job=job, task=task, who=getpass.getuser())
    if as_json:
        print_json(told)
        return
    what = f"task {task} of run" if task else "run"
    console().print(f"cancelled {what} {told['airflow_run_id']} of {told['dag_id']}", soft_wrap=True, markup=False)


def repair(
    ctx: typer.Context,
    run: RunArgument,
    tasks: Annotated[
        str | None, typer.Option("--tasks", metavar="TASK,…", help="Run these again, and what waits for them.")
    ] = None,
    all_failed: Annotated[
        bool, typer.Option("--all-failed", help="What did not succeed and all that depends on it; the default.")
    ] = False,
    rerun_dependents: Annotated[
        bool, typer.Option("--rerun-dependents", help="With --tasks: also what depends on them and has succeeded.")
    ] = False,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="Value of a job parameter, for this repair."),
    ] = None,
    job: JobOption = None,
    target: TargetOption = None,
    var: VariableOption = None,
    as_json: JsonOption = False,
) -> None:
    """Repair a run that has ended: run what failed again, in the same run, by the job as it is now.

    Tasks that succeeded stay, with their task values. The exit status is as that of `medallion run`.

    \b
    Examples:
      medallion repair latest --job RetailHub_Medallion_Pipeline
      medallion repair 6393806542761537 --tasks build_fact_tables --rerun-dependents -p run_date=2026-01-31
    """
    from medallion.runs.states import Result

    if tasks and all_failed:
        raise typer.BadParameter("--tasks and --all-failed exclude each other")
    settings = settings_of(ctx)
    named = [item.strip() for item in (tasks or "").split(",") if item.strip()]
    wanted = {"tasks": named, "dependents": rerun_dependents, "parameters": assignments(param, "--param")}
    result = repaired(settings, run, job, wanted, target, assignments(var, "--var"), as_json=as_json)
    raise typer.Exit(0 if result in {Result.SUCCESS, Result.SUCCESS_WITH_FAILURES} else 1)


def repaired(
    settings: Settings,
    run: str,
    job: str | None,
    wanted: dict[str, Any],
    target: str | None,
    variables: dict[str, str],
    *,
    as_json: bool,
) -> Any:
    """Repair a run and watch it to its end; gives its result."""
    from medallion.cli.progress import Progress
    from medallion.cli.running import show_end
    from medallion.components.control import own_process
    from medallion.components.jobs import choose, choose_dag
    from medallion.errors import RunError
    from medallion.runs.report import report

    dag_id, name = place_of(settings, run, job)
    if job is None:
        chosen = choose_dag(settings, dag_id, target=target, variables=variables)
    else:
        chosen = choose(settings, job, target=target, variables=variables)
    if own_process(settings, name, chosen.dag_id) is not None:
        raise RunError(
            f"the run {name} of {chosen.dag_id} has not ended",
            hint="only a run that has ended can be repaired; `medallion cancel` ends it",
        )
    with Progress(chosen.definition.job, quiet=as_json) as progress:
        snapshot = execute(settings, chosen, name, wanted, progress, target=target, variables=variables)
    told = report(chosen.definition.job, snapshot, settings.home)
    if as_json:
        print_json(told.to_json())
    else:
        show_end(settings, chosen, snapshot, verbose=False)
    return told.state.result


def place_of(settings: Settings, run: str, job: str | None) -> tuple[str, str]:
    """DAG id and Airflow's id of the run that is meant. A run's own folder tells without loading Airflow."""
    from medallion.components.control import dag_of_job, kept_runs
    from medallion.components.run_reader import show_run

    dag_id = dag_of_job(settings, job)
    found = kept_runs(settings, run, dag_id)
    if run != "latest" and len(found) == 1:
        return found[0].dag_id, found[0].run_id
    told = show_run(settings, run, dag_id)
    return told["dag_id"], told["airflow_run_id"]


def execute(
    settings: Settings,
    chosen: Chosen,
    run: str,
    wanted: dict[str, Any],
    progress: Any,
    *,
    target: str | None,
    variables: dict[str, str],
) -> Snapshot:
    """Through the scheduler when it knows the job, else in a process of its own."""
    import getpass

    from medallion.components.api_client import ApiClient
    from medallion.components.control import repair_served
    from medallion.components.local_run import LocalRun, run_locally
    from medallion.components.served_run import through_server, watch

    through = through_server(settings, chosen, target=target, variables=variables)
    if through is not None and through.takes_it:
        server = through.server
        body = {
            "rerun_tasks": wanted["tasks"],
            "rerun_dependent_tasks": wanted["dependents"],
            "job_parameters": wanted["parameters"],
        }
        place = repair_served(settings, server, run, chosen.dag_id, body)
        progress.say(f"{server.url}/dags/{place.dag_id}/runs/{place.run_id}")
        return watch(ApiClient(settings, server), place.dag_id, place.run_id, (), progress.show)
    asked = {"run": run, "who": getpass.getuser(), **wanted}
    here = LocalRun(settings, chosen, {}, target, variables, beside=through is not None, repair=asked)
    return run_locally(here, progress.show, progress.say)
