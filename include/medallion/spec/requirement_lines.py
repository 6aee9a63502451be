"""Lines of a pip requirements file: which options a job's packages may have. Pure.

Databricks hands such lines to pip. Options that say where packages come from are taken; those that would put files
elsewhere, run other programs or change a build are refused, each by its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from medallion.spec.libraries import LibraryError
from medallion.spec.problems import did_you_mean

VALUED = {
    "-i": "index",
    "--index-url": "index",
    "--pypi-url": "index",
    "--extra-index-url": "extra",
    "-f": "links",
    "--find-links": "links",
    "--trusted-host": "trusted",
    "--no-binary": "no_binary",
    "--only-binary": "only_binary",
}
"""Options with a value, and what they say."""
# uv prefers binary packages anyway, and checks every hash that a line has.
FLAGS = {"--no-index": "no_index", "--pre": "pre", "--prefer-binary": "", "--require-hashes": ""}
FILES = ("-r", "--requirement", "-c", "--constraint", "-e", "--editable")
OPTION = re.compile(r"(?P<name>--[A-Za-z][\w-]*|-[A-Za-z])(?:[ =]\s*(?P<value>.+))?", re.DOTALL)
AFTER = re.compile(r"\s(?P<name>--?[A-Za-z][\w-]*)")
HASH = re.compile(r"\s--hash[= ]\S+")


@dataclass(slots=True)
class Sources:
    """Where the packages of some lines come from.

    :param index: takes the place of the usual index; empty for the usual one.
    :param extra: indexes tried before.
    :param links: folders and pages with packages.
    """

    index: str = ""
    extra: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    trusted: list[str] = field(default_factory=list)
    no_binary: list[str] = field(default_factory=list)
    only_binary: list[str] = field(default_factory=list)
    no_index: bool = False
    pre: bool = False

    def take(self, line: str) -> bool:
        """Whether a line is such an option; it is kept then.

        :raises LibraryError: it is an option that is not taken, or lacks its value.
        """
        found = OPTION.fullmatch(line)
        if found is None:
            if line.startswith("-"):
                raise refused(line.split()[0], line)
            return False
        name, value = found["name"], (found["value"] or "").strip().strip("\"'")
        if name in FLAGS and not value:
            if FLAGS[name]:
                setattr(self, FLAGS[name], True)
            return True
        if name not in VALUED:
            raise refused(name, line)
        if not value or value.startswith("-") or len(value.split()) != 1:
            raise LibraryError(
                f"the option {name} of {line!r} has no value", hint=f"write {name} and one value on a line"
            )
        kind = VALUED[name]
        if kind == "index":
            self.index = value
        else:
            getattr(self, kind).append(value)
        return True


def refused(name: str, line: str) -> LibraryError:
    """The error for an option of pip that a job's packages may not have."""
    known = [*VALUED, *FLAGS, *FILES, "--hash"]
    return LibraryError(
        f"pip's option {name} is not taken from a job, in {line!r}",
        hint=did_you_mean(name, known) or f"taken are {', '.join(sorted(known))}",
    )


def refuse_options(line: str) -> None:
    """Refuse a requirement that has options of pip behind it, but for `--hash`.

    :raises LibraryError: says which.
    """
    for found in AFTER.finditer(line.partition(" #")[0]):
        if found["name"] != "--hash":
            raise refused(found["name"], line)


def hashes_of(line: str) -> tuple[str, str]:
    """A requirement without its hashes, and these."""
    return HASH.sub("", line).strip(), " ".join(item.strip() for item in HASH.findall(line))
