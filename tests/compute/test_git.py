"""A real repository on disk: refs, commits, checkouts, and what is said when something is missing."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from medallion.compute.git import GitError, Ref, Repository
from medallion.factory.sources import Files, SourceError
from medallion.spec.enums import GitProvider
from medallion.spec.job import GitSource

AUTHOR = {
    **{f"GIT_{who}_{what}": "someone@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "GIT_CONFIG_GLOBAL": os.devnull,
}


class Origin:
    """A bare repository and a work tree that pushes to it."""

    def __init__(self, folder: Path) -> None:
        self.bare, self.tree = folder / "origin.git", folder / "work"
        self.url = self.bare.as_uri()
        self.git("init", "-q", "--bare", "-b", "main", str(self.bare))
        self.git("clone", "-q", self.url, str(self.tree))
        self.git("-C", str(self.tree), "checkout", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], check=True, capture_output=True, text=True, env={**os.environ, **AUTHOR}
        )
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        """Write files (a `__` in a name is a slash), commit, push; the commit's id."""
        for name, text in files.items():
            path = self.tree / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("-C", str(self.tree), "add", "-A")
        self.git("-C", str(self.tree), "commit", "-q", "-m", "change")
        self.git("-C", str(self.tree), "push", "-q", "origin", "HEAD")
        return self.git("-C", str(self.tree), "rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path)


@pytest.fixture
def repository(origin: Origin, tmp_path: Path) -> Repository:
    return Repository(origin.url, tmp_path / "home")


def test_a_branch_moves_and_an_old_checkout_stays(origin: Origin, repository: Repository) -> None:
    first = origin.commit(job="one")
    assert repository.commit_of(Ref("branch", "main")) == first
    old = repository.checkout(first)
    second = origin.commit(job="two")
    assert repository.commit_of(Ref("branch", "main")) == second
    assert ((old / "job.py").read_text(), (repository.checkout(second) / "job.py").read_text()) == ("one", "two")
    assert repository.checkout(first) == old


def test_tags_and_commits(origin: Origin, repository: Repository) -> None:
    first = origin.commit(job="one")
    origin.git("-C", str(origin.tree), "tag", "-a", "v1", "-m", "first")
    origin.git("-C", str(origin.tree), "push", "-q", "origin", "v1")
    second = origin.commit(job="two")
    origin.commit(job="three")
    assert repository.commit_of(Ref("tag", "v1")) == first
    assert repository.commit_of(Ref("commit", second)) == second
    assert repository.commit_of(Ref("commit", first[:10])) == first
    assert (repository.checkout(second) / "job.py").read_text() == "two"
    assert repository.commit_of(Ref("branch", "HEAD")) != second


def test_a_sparse_checkout_has_only_its_folders(origin: Origin, repository: Repository) -> None:
    commit = origin.commit(top="0", jobs__a="1", other__b="2")
    repository.commit_of(Ref("branch", "main"))
    sparse = repository.checkout(commit, ("jobs",))
    assert sorted(path.name for path in sparse.rglob("*.py")) == ["a.py", "top.py"]
    by_pattern = repository.checkout(commit, ("other/*",))
    assert [path.name for path in by_pattern.rglob("*.py")] == ["b.py"]
    assert len(list(repository.checkout(commit).rglob("*.py"))) == 3


def test_two_tasks_at_once_check_out_once(origin: Origin, repository: Repository) -> None:
    commit = origin.commit(job="one")
    repository.commit_of(Ref("branch", "main"))
    with ThreadPoolExecutor(4) as pool:
        places = set(pool.map(lambda _: repository.checkout(commit), range(4)))
    assert len(places) == 1
    assert not list(repository.folder.glob("*.part"))


@pytest.mark.parametrize(
    ("ref", "told"),
    [
        pytest.param(Ref("branch", "mian"), "has no branch 'mian'; did you mean main?", id="branch"),
        pytest.param(Ref("tag", "v9"), "has no tag 'v9'; it has none", id="tag"),
        pytest.param(Ref("commit", "ab" * 20), "has no commit", id="commit"),
        pytest.param(Ref("commit", "abcdef12"), "has no commit", id="short commit"),
    ],
)
def test_a_wrong_ref_is_said_in_words(origin: Origin, repository: Repository, ref: Ref, told: str) -> None:
    origin.commit(job="one")
    with pytest.raises(GitError) as caught:
        repository.commit_of(ref)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        pytest.param("file:///nowhere/at/all.git", "check git_url", id="no such repository"),
        pytest.param("https://user:hunter2@no-such-host.invalid/x.git", "check the network", id="offline"),
    ],
)
def test_an_unreachable_repository_is_said_without_credentials(tmp_path: Path, url: str, hint: str) -> None:
    with pytest.raises(GitError) as caught:
        Repository(url, tmp_path).commit_of(Ref("branch", "main"))
    assert hint in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_credentials_stay_out_of_the_checkout(origin: Origin, tmp_path: Path) -> None:
    origin.commit(job="one")
    repository = Repository(origin.url.replace("file://", "file://user:hunter2@localhost"), tmp_path / "home")
    assert "hunter2" not in repository.shown
    assert "hunter2" not in str(repository.folder)


@pytest.mark.parametrize("provider", GitProvider)
def test_every_provider_is_its_url(provider: GitProvider) -> None:
    source = GitSource(git_url="file:///x", git_provider=provider, git_tag="v1")
    assert Ref.of(source) == Ref("tag", "v1")


class TaskEnded(BaseException):
    """As Airflow's handler of SIGTERM raises it."""


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/silent.git"


def git_processes(url: str) -> list[str]:
    lines = (" ".join(cmdline(process)) for process in psutil.process_iter())
    return [line for line in lines if url in line]


def assert_none_is_left(url: str) -> None:
    """A killed process is gone when the system comes to it."""
    end = time.monotonic() + 30
    while git_processes(url) and time.monotonic() < end:
        time.sleep(0.05)
    assert git_processes(url) == []


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_task_that_is_ended_leaves_no_git_behind(silent_server: str, tmp_path: Path) -> None:
    def leave(*_: object) -> None:
        end = time.monotonic() + 30
        while not any("remote-http" in line for line in git_processes(silent_server)) and time.monotonic() < end:
            time.sleep(0.05)
        assert any("remote-http" in line for line in git_processes(silent_server))  # the helper holds the pipes
        raise TaskEnded

    before = signal.signal(signal.SIGALRM, leave)
    try:
        signal.setitimer(signal.ITIMER_REAL, 2)
        begun = time.monotonic()
        with pytest.raises(TaskEnded):
            Repository(silent_server, tmp_path / "home").commit_of(Ref("branch", "main"))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - begun < 60, "the server would be waited for much longer"
    assert_none_is_left(silent_server)


def test_git_that_takes_too_long_is_ended_with_its_helpers(
    silent_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medallion.compute.git.SECONDS", 1)
    with pytest.raises(GitError, match="Git did not end within 1 s"):
        Repository(silent_server, tmp_path / "home").commit_of(Ref("branch", "main"))
    assert_none_is_left(silent_server)


@pytest.mark.parametrize(
    ("url", "ref"),
    [
        pytest.param("--upload-pack=touch {mark};", Ref("branch", "main"), id="an option as address"),
        pytest.param("ext::sh -c touch% {mark}", Ref("branch", "main"), id="a program as address"),
        pytest.param("file:///nowhere", Ref("commit", "--upload-pack=touch {mark}"), id="an option as commit"),
        pytest.param("file:///nowhere", Ref("branch", "--upload-pack=touch {mark}"), id="an option as branch"),
    ],
)
def test_what_a_job_states_is_no_option_of_git(tmp_path: Path, url: str, ref: Ref) -> None:
    mark = tmp_path / "mark"
    repository = Repository(url.format(mark=mark), tmp_path / "home")
    with pytest.raises(GitError, match=r"begins with a dash|names a program"):
        repository.commit_of(Ref(ref.kind, ref.name.format(mark=mark)))
    assert not mark.exists()


@pytest.fixture
def guarded_server() -> Iterator[tuple[str, list[str | None], list[str]]]:
    """A server that wants a login: its address, the logins that came, and the command lines seen while it was asked."""
    logins: list[str | None] = []
    lines: list[str] = []

    class Guard(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            logins.append(self.headers["Authorization"])
            lines.extend(git_processes(str(self.server.server_address[1])))
            self.send_response(404 if logins[-1] else 401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Guard) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}/a.git", logins, lines
        server.shutdown()


def test_a_login_in_the_address_is_used_and_no_command_line_shows_it(
    guarded_server: tuple[str, list[str | None], list[str]], tmp_path: Path
) -> None:
    address, logins, lines = guarded_server
    with pytest.raises(GitError) as caught:
        Repository(f"http://some%40one:hunter2%25@{address}", tmp_path / "home").commit_of(Ref("branch", "main"))
    assert "hunter2" not in str(caught.value)
    assert base64.b64decode(str(logins[-1]).removeprefix("Basic ")) == b"some@one:hunter2%"
    assert any("remote-http" in line for line in lines)
    assert not [line for line in lines if "hunter2" in line]
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and b"hunter2" in file.read_bytes()]


def test_a_repository_runs_nothing_as_it_is_fetched_and_checked_out(
    origin: Origin, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, hooks = tmp_path / "ran", tmp_path / "template" / "hooks"
    hooks.mkdir(parents=True)
    for name in ("post-checkout", "reference-transaction", "fsmonitor-watchman", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (hooks / name).chmod(0o755)
    # As where Medallion itself is called by a hook of another repository.
    for name, value in (
        ("TEMPLATE_DIR", hooks.parent),
        ("DIR", origin.tree / ".git"),
        ("WORK_TREE", origin.tree),
        ("INDEX_FILE", tmp_path / "index"),
        ("OBJECT_DIRECTORY", tmp_path / "objects"),
        ("EXTERNAL_DIFF", hooks / "post-checkout"),
    ):
        monkeypatch.setenv(f"GIT_{name}", str(value))
    monkeypatch.setattr(Origin, "git", without_git_variables(Origin.git, monkeypatch))
    modules = f'[submodule "m"]\n path = m\n url = ext::sh -c touch% {mark}\n update = !touch {mark}\n'
    (origin.tree / ".gitmodules").write_text(modules)
    (origin.tree / ".gitattributes").write_text("*.py filter=run diff=run merge=run\n")
    (origin.tree / ".gitconfig").write_text(f'[filter "run"]\n smudge = touch {mark}\n')
    commit = origin.commit(job="one")
    assert repository.commit_of(Ref("branch", "main")) == commit
    place = repository.checkout(commit)
    assert (place / "job.py").read_text() == "one"
    assert not mark.exists()


def without_git_variables(call: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The test's own calls of Git, without the variables that the test sets for Medallion."""

    def plain(origin: Origin, *arguments: str) -> str:
        with monkeypatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("GIT_")]:
                patch.delenv(name)
            return call(origin, *arguments)

    return plain


@pytest.mark.parametrize(
    ("path", "told"),
    [
        pytest.param("../../../outside", "leads out of the repository", id="above"),
        pytest.param("linked", "leads out of the repository", id="a link"),
        pytest.param("folder/outside", "leads out of the repository", id="below a link"),
        pytest.param("inner", None, id="a link within"),
        pytest.param("job", None, id="a file"),
    ],
)
def test_a_tasks_file_is_one_of_the_repository(
    origin: Origin, repository: Repository, tmp_path: Path, path: str, told: str | None
) -> None:
    (tmp_path / "outside.py").write_text("print('not of the repository')")
    (origin.tree / "linked.py").symlink_to(tmp_path / "outside.py")
    (origin.tree / "folder").symlink_to(tmp_path)
    (origin.tree / "inner.py").symlink_to("job.py")
    commit = origin.commit(job="one")
    repository.commit_of(Ref("branch", "main"))
    files = Files(repository.checkout(commit), commit, "the repository")
    if told is None:
        assert Path(files.local(path)).name == path
    else:
        with pytest.raises(SourceError, match=told):
            files.local(path)
