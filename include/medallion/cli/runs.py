"""`medallion runs`: what happened. In the user's shell."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from medallion.cli.output import JsonOption, console, print_json, settings_of

if TYPE_CHECKING:
    from medallion.settings import Settings

RunArgument = Annotated[str, typer.Argument(help="A run_id, Airflow's run id, or `latest` of a job.", metavar="RUN")]
JobOption = Annotated[
    str | None, typer.Option("--job", "-j", metavar="JOB", help="The run's job: its name, DAG id or a path.")
]
LOG_LINES = 40


class ListByDefault(TyperGroup):
    """`medallion runs` and `medallion runs JOB` list; `show` and `output` are commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command in front where none is named."""
        if not args or (args[0] not in self.commands and args[0] not in {"-h", "--help"}):
            args = ["list", *args]
        return super().parse_args(ctx, args)


runs_app = typer.Typer(
    cls=ListByDefault,
    help="List runs, show one, show what a task left. `medallion runs [JOB]` lists.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    runs_app.command("list", hidden=True)(list_them)
    runs_app.command()(show)
    runs_app.command()(output)
    app.add_typer(runs_app, name="runs", rich_help_panel="Jobs")


def list_them(
    ctx: typer.Context,
    job: Annotated[str | None, typer.Argument(help="Only runs of this job.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most so many.")] = 25,
    active: Annotated[
        bool | None, typer.Option("--active/--completed", help="Only those that go on, or that have ended.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List runs, the newest first.

    \b
    Examples:
      medallion runs
      medallion runs RetailHub_Medallion_Pipeline --limit 5 --completed
    """
    from medallion.components.control import dag_of_job
    from medallion.components.run_reader import list_runs

    settings = settings_of(ctx)
    state = None if active is None else "active" if active else "completed"
    found = list_runs(settings, dag_of_job(settings, job), limit, state)
    if as_json:
        print_json({"runs": found})
        return
    console().print(table_of_runs(found))


def show(ctx: typer.Context, run: RunArgument, job: JobOption = None, as_json: JsonOption = False) -> None:
    """Show a run: its tasks, their attempts, its repairs, and why it ended.

    \b
    Examples:
      medallion runs show 6393806542761537
      medallion runs show latest --job RetailHub_Medallion_Pipeline --json
    """
    from medallion.components.control import dag_of_job
    from medallion.components.run_reader import show_run

    settings = settings_of(ctx)
    told = show_run(settings, run, dag_of_job(settings, job))
    if as_json:
        print_json(told)
        return
    out = console()
    out.print(table_of_tasks(told))
    for number, part in enumerate(told["repair_history"]):
        what = f"repair {number}: {', '.join(part['tasks'])}, by {part['who']}" if number else "first part"
        out.print(f"  {what}: {part.get('result_state') or part.get('life_cycle_state')}", soft_wrap=True, markup=False)
    out.print(closing_line(told), soft_wrap=True)


def output(
    ctx: typer.Context,
    run: RunArgument,
    task: Annotated[str, typer.Argument(help="A task's key.")],
    job: JobOption = None,
    attempt: Annotated[
        int | None, typer.Option("--attempt", min=0, help="Which attempt, from 0; default: the latest.")
    ] = None,
    iteration: Annotated[int | None, typer.Option("--iteration", min=0, help="Of a for-each task, from 0.")] = None,
    lines: Annotated[int, typer.Option("--lines", min=0, help="Lines of the log's end.")] = LOG_LINES,
    as_json: JsonOption = False,
) -> None:
    """Show what a task left: exit value, error, the end of its log, its notebook, the rows of a query.

    \b
    Examples:
      medallion runs output latest build_fact_tables --job RetailHub_Medallion_Pipeline
      medallion runs output 6393806542761537 per_country --iteration 3 --attempt 0 --json
    """
    from medallion.components.control import dag_of_job
    from medallion.components.run_reader import show_run
    from medallion.runs.output import attempt_of, output_of

    settings = settings_of(ctx)
    shown = show_run(settings, run, dag_of_job(settings, job))
    told = output_of(settings.home, shown, task, attempt_of(shown, task, attempt, iteration))
    told["logs"], told["log_file"] = log_of(settings, shown, task, told, lines)
    if as_json:
        print_json(told)
        return
    show_output(told)


def log_of(
    settings: Settings, shown: dict[str, Any], task: str, told: dict[str, Any], lines: int
) -> tuple[str, str | None]:
    """The end of an attempt's log, and its file."""
    from medallion.cli.progress import log_file, log_lines
    from medallion.components.places import places_of
    from medallion.factory import naming
    from medallion.runs.output import index_of
    from medallion.runs.snapshot import Snapshot

    index = index_of(told["task_key"])
    if told["attempt_number"] is None:
        return "", None
    task_id = naming.for_each_iterations(task) if index >= 0 else task
    if index < 0 and task in shown.get("loops", {}):
        task_id = naming.for_each_inputs(task)
    run = Snapshot(shown["dag_id"], shown["airflow_run_id"], None)
    file = log_file(places_of(settings).task_logs, run, task_id, index, told["attempt_number"] + 1)
    said = log_lines(file)
    return "\n".join(said[len(said) - lines :] if lines < len(said) else said), str(file) if file.is_file() else None


def show_output(told: dict[str, Any]) -> None:
    """The output as lines."""
    import json

    from medallion.cli.progress import coloured

    out = console()
    word = told["result_state"] or told["life_cycle_state"]
    attempt = "no attempt" if told["attempt_number"] is None else f"attempt {told['attempt_number']}"
    out.print(f"{told['task_key']}: {coloured(word)}, {attempt}")
    for name in ("exit_value", "error", "notebook", "page"):
        if told[name]:
            out.print(f"  {name.replace('_', ' ')}: {told[name]}", soft_wrap=True, markup=False)
    if told["output"] is not None:
        out.print(json.dumps(told["output"], indent=2, default=str), soft_wrap=True, markup=False)
    if told["error_trace"]:
        out.print(told["error_trace"], soft_wrap=True, markup=False)
    elif told["logs"]:
        out.print(told["logs"], soft_wrap=True, markup=False)
    if told["log_file"]:
        out.print(f"  log: {told['log_file']}", soft_wrap=True, markup=False)


def table_of_runs(found: list[dict[str, Any]]) -> Any:
    """The runs as a table."""
    from collections import Counter

    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from medallion.cli.progress import coloured

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("run", "job", "state", "started", "seconds", "repairs", "Airflow's id"):
        table.add_column(name, justify="right" if name in {"seconds", "repairs"} else "left")
    several = Counter(job for job, _ in {(item["job"], item["dag_id"]) for item in found})
    for item in found:
        state = coloured(item["result_state"] or item["life_cycle_state"])
        repairs = str(item["repairs"] or "")
        job = f"{item['job']} ({item['dag_id']})" if several[item["job"]] > 1 else item["job"]
        table.add_row(
            *(str(item["run_id"]), escape(job), state, moment(item["start_time"]), seconds(item), repairs),
            escape(item["airflow_run_id"]),
        )
    return table


def table_of_tasks(told: dict[str, Any]) -> Any:
    """The tasks of a run as a table."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from medallion.cli.progress import coloured

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=escape(told["job"]), title_justify="left")
    for name in ("task", "state", "attempts", "seconds", "why"):
        table.add_column(name, justify="right" if name in {"attempts", "seconds"} else "left")
    for task in told["tasks"]:
        rows = [task, *(item for item in task.get("iterations") or () if item["result_state"] != "SUCCESS")]
        for row in rows:
            details = row["termination_details"] or {}
            why = "" if details.get("type") == "SUCCESS" and not details.get("message") else details.get("message", "")
            state = coloured(row["result_state"] or row["life_cycle_state"])
            indent = "" if row is task else "  "
            table.add_row(
                indent + escape(row["task_key"]), state, str(row["attempts"] or ""), seconds(row), escape(why)
            )
    return table


def closing_line(told: dict[str, Any]) -> str:
    """How the run ended, or that it goes on."""
    from rich.markup import escape

    from medallion.cli.progress import coloured

    details = told["termination_details"] or {}
    state = coloured(told["result_state"] or told["life_cycle_state"])
    code = f", {details['code']}" if details else ""
    message = f": {escape(details['message'])}" if details.get("message") else ""
    return f"{state}{code}{message}; run {told['run_id']} ({escape(told['airflow_run_id'])})"


def moment(millis: int) -> str:
    """A time for people, local."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(millis / 1000)) if millis else ""


def seconds(item: dict[str, Any]) -> str:
    """How long it took."""
    if not item["start_time"] or not item["end_time"]:
        return ""
    return f"{(item['end_time'] - item['start_time']) / 1000:.1f}"
