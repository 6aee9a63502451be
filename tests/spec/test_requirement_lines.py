"""Options of pip in what a job states: taken, or refused by name."""

from __future__ import annotations

import pytest

from medallion.spec.libraries import LibraryError, refuse_package
from medallion.spec.requirement_lines import Sources, hashes_of, refuse_options


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        pytest.param("--index-url https://i.example/simple", "index", "https://i.example/simple", id="index"),
        pytest.param("-i https://i.example/simple", "index", "https://i.example/simple", id="short"),
        pytest.param("--index-url=https://i.example/simple", "index", "https://i.example/simple", id="equals"),
        pytest.param('--extra-index-url "https://e.example"', "extra", ["https://e.example"], id="quoted"),
        pytest.param("--find-links /Volumes/c/s/v", "links", ["/Volumes/c/s/v"], id="links"),
        pytest.param("--trusted-host e.example:8080", "trusted", ["e.example:8080"], id="host"),
        pytest.param("--only-binary :all:", "only_binary", [":all:"], id="binary"),
        pytest.param("--no-index", "no_index", True, id="no index"),
        pytest.param("--pre", "pre", True, id="pre"),
    ],
)
def test_options_that_say_where_packages_come_from(line: str, name: str, value: object) -> None:
    sources = Sources()
    assert sources.take(line)
    assert getattr(sources, name) == value


@pytest.mark.parametrize(
    "line",
    [
        *(
            "--target /etc",
            "-t /etc",
            "--prefix=/",
            "--root /",
            "--user",
            "--python /bin/sh",
            "--src x",
            "--log /etc/x",
        ),
        *("--install-option=--prefix=/", "--global-option x", "--config-settings a=b", "-C a=b", "--build-option x"),
        *("--proxy http://p", "--cert /x", "--client-cert /x", "--cache-dir /etc", "--report /etc/passwd", "-v", "--"),
        *("--upgrade", "--force-reinstall", "--no-deps", "--isolated", "--keyring-provider subprocess", "--use-pep517"),
        *("-", "---", "--index-url", "--index-url --target", "--index-url https://a --target /etc", "--index-ulr x"),
    ],
)
def test_other_options_are_refused_by_name(line: str) -> None:
    with pytest.raises(LibraryError) as caught:
        Sources().take(line)
    assert line.split()[0].partition("=")[0] in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        *("six==1.17.0", "pkg[a,b]>=1,<2 ; python_version > '3'", "pkg @ https://x.example/a-b--c.whl#sha256=--x"),
        *(
            "six==1.17.0 --hash=sha256:aa --hash sha256:bb",
            "git+https://x.example/a--b.git@v1-rc",
            "my-pkg==1.0-1 # -t x",
        ),
    ],
)
def test_a_package_is_no_option(line: str) -> None:
    assert not Sources().take(line)
    refuse_options(line)


@pytest.mark.parametrize(
    "option", ["--config-settings=a=b", "--global-option=x", "--install-option x", "-t /etc", "-C x"]
)
def test_a_package_brings_no_options_along(option: str) -> None:
    with pytest.raises(LibraryError, match="is not taken from a job"):
        refuse_options(f"six==1.17.0 {option}")


def test_hashes_are_told_from_the_requirement() -> None:
    assert hashes_of("six==1 --hash=sha256:a --hash=sha256:b") == ("six==1", "--hash=sha256:a --hash=sha256:b")


@pytest.mark.parametrize(
    ("package", "repo"),
    [("-r /etc/passwd", ""), ("--target=/etc six", ""), ("six\n--target /x", ""), ("six", "--x"), ("six", "a b")],
)
def test_a_pypi_library_is_one_package_of_one_index(package: str, repo: str) -> None:
    with pytest.raises(LibraryError, match="is no "):
        refuse_package(package, repo)
