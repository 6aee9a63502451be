"""Every program that is started: known here, without a shell of ours, and with no value that it could take for an option."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "include" / "medallion"
STARTS = {"run", "Popen", "call", "check_call", "check_output"}
EXECS = {"system", "popen", "execv", "execve", "execvp", "execvpe", "posix_spawn", "spawnv", "spawnve"}

OWN = "our own module, which takes what it is told by standard input, files or places"
KNOWN = {
    "cli/services.py": "Airflow's command line with what the user typed: `medallion airflow …`",
    "cli/system_tables.py": OWN,
    "components/database.py": OWN,
    "components/launcher.py": OWN,
    "components/local_run.py": OWN,
    "components/run_reader.py": OWN,
    "components/supervisor.py": OWN,
    "compute/artifacts.py": "uv with absolute paths; a build's command is the job's own, and so named",
    "compute/cds.py": "Java with absolute paths within options",
    "compute/environments.py": "uv: packages in a file of absolute addresses, indexes in variables (spec/requirement_lines)",
    "compute/git.py": "Git: `--` before addresses and refs, dashes refused (tests/compute/test_git.py)",
    "compute/host.py": "Java: settings in a file; the rest is the target's",
    "compute/java.py": "the Java of the settings, asked for its version",
    "compute/pool.py": OWN,
    "compute/programs.py": "`run_program` itself",
    "compute/target_check.py": OWN,
    "runs/notifications/consumer.py": OWN,
    "runtime/children.py": OWN,
    "runtime/jar.py": "spark-submit's class with the task's own line, read by compute/submit.py",
    "runtime/magics/pip.py": "uv with the line of the notebook's `%pip`",
    "runtime/magics/shell_command.py": "the notebook's own `%sh` and `!`",
    "runtime/path_patches.py": "maps paths in what user code starts",
    "runtime/spare_start.py": OWN,
    "spec/bundle/python_resources.py": "the bundle's own Python, announced (tests/cli/test_hostile_repository.py)",
}
"""The modules that start programs, and why no value can be an option of them."""


def sources() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        yield file.relative_to(PACKAGE).as_posix(), ast.parse(file.read_text(encoding="utf-8"))


def is_start(call: ast.Call) -> bool:
    """Whether a call starts a program."""
    owner, _, name = ast.unparse(call.func).rpartition(".")
    if name == "run_program" or (owner == "subprocess" and name in STARTS):
        return True
    return owner == "os" and name in EXECS


def starts(tree: ast.Module) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and is_start(node)]


def names_a_start(tree: ast.Module) -> bool:
    """Whether a module calls one, or hands one on (`replace = os.execve`)."""
    handed = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return bool(starts(tree)) or bool(handed & {f"os.{name}" for name in EXECS})


def test_each_module_that_starts_programs_is_known() -> None:
    found = {name for name, tree in sources() if names_a_start(tree)}
    assert found - set(KNOWN) == set(), "say here why no value can be an option of the program"
    assert set(KNOWN) - found <= {"runtime/path_patches.py"}, "these start none any more"


def test_no_shell_of_ours_reads_a_value() -> None:
    shells = [
        f"{name}:{call.lineno}"
        for name, tree in sources()
        for call in starts(tree)
        if any(item.arg == "shell" for item in call.keywords) or ast.unparse(call.func) in {"os.system", "os.popen"}
    ]
    assert shells == []


def test_our_own_modules_are_not_looked_for_in_the_working_directory() -> None:
    """Python puts the working directory first for `-m`, and a project may hold a `pydantic.py`; `-P` keeps it out."""
    wrong = [
        f"{name}:{node.lineno}"
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.List)
        and (words := [ast.unparse(item) for item in node.elts])[:1] in (["sys.executable"], ["order.python"])
        and "'-m'" in words
        and "'-P'" not in words
    ]
    assert wrong == []


def test_a_projects_files_take_no_modules_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real start: the run reader's, in a project with such files and a database."""
    from medallion.components.places import places_of
    from medallion.components.run_reader import list_runs
    from medallion.errors import MedallionError
    from medallion.settings import Settings

    for name in ("pydantic", "airflow", "medallion", "json", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch()\n")
    settings = Settings.load(tmp_path, environ={})
    places_of(settings).airflow_home.mkdir(parents=True)
    places_of(settings).database.touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MedallionError):  # an empty file is no database
        list_runs(settings, None, 5, None)
    assert not (tmp_path / "ran").exists()
