"""Git repositories that tasks read from: a branch, tag or commit, checked out once per commit. Runs on the worker.

A repository is kept below `<home>/git`, its checkouts beside it by commit. Git's own credential helpers and SSH keys are
used as the user has set them up; nothing is asked on a terminal, and no credential gets into a message.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from medallion.compute.environments import without_credentials
from medallion.compute.programs import run_program
from medallion.core.environment import for_user_code
from medallion.errors import MedallionError
from medallion.spec.git_url import refused_url
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.spec.job import GitSource

SECONDS = 900
ALWAYS = {
    # A Git whose worker was killed ends by itself when its server is silent for so many seconds.
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "300",
    # A repository is data until a task runs its files: no hook, no watcher, no program as address, no other repository.
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "protocol.ext.allow": "never",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
}
"""Git's settings for every call, over those of the user and of the repository."""
KEPT_ENVIRONMENT = re.compile(
    r"GIT_(?:SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|SSL_\w+|PROXY_\w+|HTTP_\w+|CONFIG_\w+|TRACE\w*)"
)
"""Git's variables that say how the user reaches a server. Others, as hooks have them, name another repository."""
PASSWORD = "MEDALLION_GIT_PASSWORD"  # noqa: S105  a variable's name
HELPER = f'!f() {{ test "$1" = get && printf "password=%s\\n" "${PASSWORD}"; }}; f'
"""Answers Git's question for a password from that variable."""
SHOWN_LINES = 6
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SHORT_COMMIT = re.compile(r"[0-9a-f]{7,64}")
OFFLINE = re.compile(
    r"Could not resolve host|unable to access|Connection (?:refused|timed out|reset)|Network is unreachable"
    r"|Temporary failure in name resolution",
    re.IGNORECASE,
)
REFUSED = re.compile(r"Authentication failed|could not read Username|Permission denied|terminal prompts disabled", re.I)
ABSENT = re.compile(r"not found|does not (?:exist|appear to be a git repository)", re.IGNORECASE)


class GitError(MedallionError):
    """A repository could not be read, or has not what a task asks for."""


@dataclass(frozen=True, slots=True)
class Ref:
    """What of a repository a job reads.

    :param kind: `branch`, `tag` or `commit`.
    """

    kind: str
    name: str

    @classmethod
    def of(cls, source: GitSource) -> Ref:
        """The ref of a job's `git_source`; without one the repository's default branch."""
        for kind, name in (("commit", source.git_commit), ("tag", source.git_tag), ("branch", source.git_branch)):
            if name:
                return cls(kind, name)
        return cls("branch", "HEAD")


@dataclass(frozen=True)
class Repository:
    """A repository's copy on this machine."""

    url: str
    home: Path

    @property
    def shown(self) -> str:
        """The URL without credentials."""
        return without_credentials(self.url)

    @property
    def address(self) -> str:
        """The URL that Git is given: over HTTP without the login, as every user of a machine sees command lines."""
        return split_login(self.url)[0]

    @property
    def folder(self) -> Path:
        """Where the copy and the checkouts are."""
        name = Path(urlsplit(self.url).path or self.url).stem or "repository"
        return self.home / "git" / f"{name}-{hashlib.sha256(self.url.encode()).hexdigest()[:12]}"

    @property
    def copy(self) -> Path:
        """The bare copy."""
        return self.folder / "repository.git"

    def commit_of(self, ref: Ref) -> str:
        """The full id of the commit that a ref names now, fetched.

        :raises GitError: the repository cannot be reached, or has no such ref; says the nearest.
        """
        from filelock import FileLock

        self.refuse_options(ref.name)
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".lock"):
            if not self.copy.is_dir():
                self.git("init", "--quiet", "--bare", str(self.copy))
            if ref.kind == "commit" and self.has(ref.name):
                return self.full(ref.name)
            if ref.kind == "commit" and COMMIT.fullmatch(ref.name):
                if self.fetch(ref.name) is None:
                    return ref.name
            elif ref.kind != "commit":
                return self.fetched(ref)
            return self.searched(ref)

    def refuse_options(self, *values: str) -> None:
        """What a job states must not be an option of Git, nor a program for it to run.

        :raises GitError: it would be.
        """
        if reason := refused_url(self.url):
            raise GitError(reason[0], hint=reason[1])
        for value in values:
            if value.startswith("-"):
                raise GitError(
                    f"{value!r} begins with a dash, so Git would take it for an option", hint="correct git_source"
                )

    def fetched(self, ref: Ref) -> str:
        """Fetch the newest state of a branch or tag."""
        refs = {"branch": f"refs/heads/{ref.name}", "tag": f"refs/tags/{ref.name}"}
        wanted = "HEAD" if ref.name == "HEAD" else refs[ref.kind]
        said = self.fetch(wanted)
        if said is None:
            return self.full("FETCH_HEAD")
        if "couldn't find remote ref" not in said:
            raise self.unreachable(said)
        known = self.names("heads" if ref.kind == "branch" else "tags")
        hint = did_you_mean(ref.name, known) or f"it has {', '.join(known[:10]) or 'none'}"
        raise GitError(f"{self.shown} has no {ref.kind} {ref.name!r}", hint=hint)

    def searched(self, ref: Ref) -> str:
        """A commit that the server does not hand out by itself: fetch every branch and tag, then look."""
        everything = ["--unshallow"] if (self.copy / "shallow").is_file() else []
        said = self.fetch("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", options=everything)
        if said is not None:
            raise self.unreachable(said)
        if not SHORT_COMMIT.fullmatch(ref.name) or not self.has(ref.name):
            raise GitError(
                f"{self.shown} has no commit {ref.name!r}",
                hint="check the id; a commit that no branch holds may be gone",
            )
        return self.full(ref.name)

    def fetch(self, *refs: str, options: Sequence[str] = ("--depth=1",)) -> str | None:
        """Fetch refs; None, or what Git said when it failed."""
        done = run(
            "--git-dir",
            str(self.copy),
            "fetch",
            "--quiet",
            "--force",
            *options,
            "--",
            self.address,
            *refs,
            login=self.url,
        )
        return None if done.returncode == 0 else without_credentials(done.stderr)

    def names(self, kind: str) -> list[str]:
        """Names of the remote's branches (`heads`) or tags."""
        done = run("ls-remote", "--quiet", f"--{kind}", "--", self.address, login=self.url)
        found = [line.partition(f"refs/{kind}/")[2] for line in done.stdout.splitlines()]
        return sorted(name for name in found if name and not name.endswith("^{}"))

    def has(self, commit: str) -> bool:
        """Whether the copy holds a commit."""
        return run("--git-dir", str(self.copy), "cat-file", "-e", f"{commit}^{{commit}}").returncode == 0

    def full(self, name: str) -> str:
        """The full id of a commit of the copy."""
        return self.git("--git-dir", str(self.copy), "rev-parse", f"{name}^{{commit}}").strip()

    def checkout(self, commit: str, patterns: tuple[str, ...] = ()) -> Path:
        """The files of a commit, written once.

        :param patterns: folders to check out (`sparse_checkout`); all when empty.
        :raises GitError: the commit is gone, or a pattern is wrong.
        """
        from filelock import FileLock

        self.refuse_options(commit, *patterns)
        part = f"-{hashlib.sha256(chr(0).join(patterns).encode()).hexdigest()[:8]}" if patterns else ""
        place = self.folder / f"{commit}{part}"
        if place.is_dir():
            return place
        with FileLock(self.folder / ".lock"):
            if place.is_dir():
                return place
            if not self.has(commit):
                self.fetch(commit)
            draft = self.folder / f"{place.name}.part"
            shutil.rmtree(draft, ignore_errors=True)
            self.borrow(draft)
            if patterns:
                cone = [] if any(re.search(r"[*?!\[]", pattern) for pattern in patterns) else ["--cone"]
                self.git("-C", str(draft), "sparse-checkout", "set", *(cone or ["--no-cone"]), *patterns)
            self.git("-C", str(draft), "-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", commit)
            draft.rename(place)
        return place

    def borrow(self, draft: Path) -> None:
        """Make an empty work tree over the copy's objects. Git clones no commit that no branch of the copy holds."""
        self.git("init", "--quiet", str(draft))
        (draft / ".git" / "objects" / "info" / "alternates").write_text(f"{self.copy / 'objects'}\n", encoding="utf-8")
        if (shallow := self.copy / "shallow").is_file():
            shutil.copy2(shallow, draft / ".git" / "shallow")
        self.git("-C", str(draft), "remote", "add", "origin", self.shown)

    def git(self, *arguments: str) -> str:
        """Run Git; its output.

        :raises GitError: it failed.
        """
        done = run(*arguments)
        if done.returncode:
            raise self.unreachable(without_credentials(done.stderr))
        return done.stdout

    def unreachable(self, said: str) -> GitError:
        """The error for what Git said."""
        lines = "\n".join(said.strip().splitlines()[-SHOWN_LINES:])
        hints = (
            (REFUSED, "give Git a credential helper or an SSH key that may read the repository"),
            (OFFLINE, "check the network and the address; git ls-remote must work on this machine"),
            (ABSENT, "check git_url"),
        )
        hint = next((advice for pattern, advice in hints if pattern.search(said)), None)
        return GitError(f"cannot read the repository {self.shown}; Git said:\n{lines}", hint=hint)


def repository(settings: Settings, source: GitSource) -> Repository:
    """The repository of a job's `git_source`. Git needs the URL alone, whoever its provider is."""
    return Repository(source.git_url, settings.home)


def split_login(url: str) -> tuple[str, tuple[str, str] | None]:
    """An address of HTTP without its user and password, and these; any other address as it is."""
    parts = urlsplit(url)
    if parts.scheme.lower() not in {"http", "https"} or "@" not in parts.netloc:
        return url, None
    login, _, host = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    return urlunsplit(parts._replace(netloc=host)), (unquote(user), unquote(password))


def git_environment(login: str = "") -> dict[str, str]:
    """The environment of Git.

    :param login: an address whose user and password Git shall use.
    """
    environment = {
        name: value
        for name, value in for_user_code().items()
        if not name.startswith("GIT_") or KEPT_ENVIRONMENT.fullmatch(name)
    }
    environment.pop("GIT_CONFIG_PARAMETERS", None)
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_LFS_SKIP_SMUDGE": "0"}
    environment.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=60 -o ServerAliveInterval=30")
    return environment | login_settings(login, first=int(environment.get("GIT_CONFIG_COUNT") or 0))


def login_settings(url: str, *, first: int) -> dict[str, str]:
    """Variables by which Git has the login of an address, which its command line does not show.

    :param first: number of the first setting; those before it are the user's own.
    """
    address, found = split_login(url)
    if found is None:
        return {}
    (user, password), parts = found, urlsplit(address)
    section = f"credential.{parts.scheme}://{parts.netloc}"
    settings = [(f"{section}.username", user)]
    if password:
        # The empty one makes Git forget the user's own helpers for this server.
        settings += [(f"{section}.helper", ""), (f"{section}.helper", HELPER)]
    variables = {"GIT_CONFIG_COUNT": str(first + len(settings)), PASSWORD: password}
    for number, (name, value) in enumerate(settings, start=first):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


def run(*arguments: str, login: str = "") -> subprocess.CompletedProcess[str]:
    """Run Git without a terminal.

    :param login: an address whose user and password Git shall use.
    :raises GitError: there is no Git on this machine, or it took too long.
    """
    program = shutil.which("git")
    if program is None:
        raise GitError("there is no Git on this machine", hint="install git")
    settings = [word for name, value in ALWAYS.items() for word in ("-c", f"{name}={value}")]
    try:
        return run_program([program, *settings, *arguments], seconds=SECONDS, environment=git_environment(login))
    except subprocess.TimeoutExpired:
        raise GitError(f"Git did not end within {SECONDS} s", hint="check the network") from None
