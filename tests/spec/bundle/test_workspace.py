from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from medallion.spec.bundle import resolve_bundle
from medallion.spec.bundle.workspace import User, git_facts, tag_value


@pytest.mark.parametrize(
    ("name", "short", "domain", "principal"),
    [
        ("someone", "someone", "someone", False),
        ("Anna.Maria-K@x.org", "anna_maria_k", "anna-maria-k", False),
        ("_žofie_@x.org", "žofie", "zofie", False),
        ("3fa85f64-5717-4562-b3fc-2c963f66afa6", "3fa85f64_5717_4562_b3fc_2c963f66afa6", None, True),
    ],
)
def test_users(name: str, short: str, domain: str | None, principal: bool) -> None:
    user = User(name)
    assert (user.short_name, user.is_service_principal) == (short, principal)
    assert user.domain_friendly_name == (domain or short.replace("_", "-"))


def test_tags_hold_what_a_cluster_tag_may() -> None:
    assert tag_value("žofie+b c/日*") == "zofie+b c/__"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@x", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit on the branch feature/x, and a bundle in a folder of it."""
    folder = tmp_path / "repository"
    (folder / "bundle").mkdir(parents=True)
    (folder / "bundle" / "databricks.yml").write_text(
        "bundle: {name: x}\nresources: {jobs: {j: {tags: {b: '${bundle.git.branch}', c: '${bundle.git.commit}'}}}}"
    )
    git(folder, "init", "-q", "-b", "feature/x")
    git(folder, "remote", "add", "origin", "https://host/repository")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def test_git_facts(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    expected = {
        "actual_branch": "feature/x",
        "branch": "feature/x",
        "bundle_root_path": "bundle",
        "commit": commit,
        "origin_url": "https://host/repository",
    }
    assert git_facts(repository / "bundle") == expected
    git(repository, "pack-refs", "--all")
    assert git_facts(repository / "bundle") == expected
    tags = resolve_bundle(repository / "bundle", environ={}).resources["jobs"]["j"]["tags"]
    assert tags == {"b": "feature/x", "c": commit}


def test_a_bundle_that_asks_for_git_depends_on_its_files_and_another_does_not(repository: Path) -> None:
    folder = repository / "bundle"

    def read() -> set[str]:
        return {file.name for file in resolve_bundle(folder, environ={}).read}

    assert {"HEAD", "config", "packed-refs", "x"} <= read()
    git(repository, "worktree", "add", "-q", "-b", "other", str(repository.parent / "tree"))
    found = resolve_bundle(repository.parent / "tree" / "bundle", environ={}).read
    assert [file.read_text().strip() for file in found if file.name == "HEAD"] == ["ref: refs/heads/other"]
    assert [file.read_text().strip() for file in found if file.name == "other"] == [
        git(repository, "rev-parse", "HEAD")
    ]
    (folder / "databricks.yml").write_text("bundle: {name: x}")
    assert read() == {"databricks.yml"}


def test_git_facts_of_a_commit_without_a_branch_and_of_another_work_tree(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    git(repository, "worktree", "add", "-q", "-b", "other", str(repository.parent / "tree"))
    facts = git_facts(repository.parent / "tree" / "bundle")
    assert (facts["branch"], facts["commit"], facts["origin_url"]) == ("other", commit, "https://host/repository")
    git(repository, "checkout", "-q", "--detach")
    facts = git_facts(repository / "bundle")
    assert ("branch" in facts, facts["commit"]) == (False, commit)


def test_a_broken_repository_has_no_facts(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("")
    assert git_facts(tmp_path) == {"bundle_root_path": "."}


def test_sync_paths_may_not_leave_the_repository(repository: Path) -> None:
    file = repository / "bundle" / "databricks.yml"
    file.write_text("bundle: {name: x}\nsync: {paths: [../..]}")
    assert "outside of the git repository" in resolve_bundle(file, environ={}).errors[0].message
    file.write_text("bundle: {name: x}\nsync: {paths: [..]}")
    resolved = resolve_bundle(file, environ={})
    assert (resolved.root, resolved.errors) == (repository, ())
