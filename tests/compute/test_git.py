"""A real repository on disk: refs, commits, checkouts, and what is said when something is missing."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medallion.compute.git import GitError, Ref, Repository
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
