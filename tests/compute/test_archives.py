"""Archives that would write elsewhere or fill the disk are refused before anything unpacks them."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from compute.test_environments import write_wheel

from medallion.compute import archives
from medallion.compute.archives import check_archive
from medallion.compute.driver import DriverSpec, plan_driver
from medallion.compute.java import Java
from medallion.compute.libraries import Shelf
from medallion.compute.submit import read_line
from medallion.runtime.protocol import Places
from medallion.settings import Settings
from medallion.spec.libraries import LibraryError, Wanted

BAD = [
    pytest.param("../../out.py", "", "leads out", id="above"),
    pytest.param("a/../../out.py", "", "leads out", id="above, on the way"),
    pytest.param("/etc/out.py", "", "leads out", id="absolute"),
    pytest.param("..\\..\\out.py", "", "leads out", id="backslashes"),
    pytest.param("C:\\out.py", "", "leads out", id="a drive"),
    pytest.param("link", "/etc/passwd", "is a link to '/etc/passwd'", id="a link to a file"),
    pytest.param("a/link", "../../etc", "is a link to '../../etc'", id="a link above"),
]


def zip_with(file: Path, name: str, link: str) -> Path:
    """A zip file with a member more."""
    with zipfile.ZipFile(file, "a") as archive:
        item = zipfile.ZipInfo("x")
        item.filename = item.orig_filename = name
        item.external_attr = (stat.S_IFLNK | 0o777) << 16 if link else 0
        archive.writestr(item, link or "x = 1\n")
    return file


def tar_with(file: Path, name: str, link: str) -> Path:
    """A tar file with one member."""
    with tarfile.open(file, "w:gz") as archive:
        item = tarfile.TarInfo(name)
        if link:
            item.type, item.linkname = tarfile.SYMTYPE, link
        archive.addfile(item, io.BytesIO(b"") if not link else None)
    return file


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(("name", "link", "told"), BAD)
def test_a_member_that_leads_out_is_refused_by_name(tmp_path: Path, kind: str, name: str, link: str, told: str) -> None:
    made = zip_with(tmp_path / "a.zip", name, link) if kind == "zip" else tar_with(tmp_path / "a.tgz", name, link)
    with pytest.raises(LibraryError, match="its member") as caught:
        check_archive(made)
    assert told in str(caught.value)


def test_hard_links_devices_and_pipes_of_a_tar_are_refused(tmp_path: Path) -> None:
    for kind, link in ((tarfile.LNKTYPE, "../../etc/passwd"), (tarfile.CHRTYPE, ""), (tarfile.FIFOTYPE, "")):
        file = tmp_path / "a.tar"
        with tarfile.open(file, "w") as archive:
            item = tarfile.TarInfo("a/b/member")
            item.type, item.linkname = kind, link
            archive.addfile(item)
        with pytest.raises(LibraryError, match="its member 'a/b/member'"):
            check_archive(file)


def test_what_stays_within_is_taken(tmp_path: Path) -> None:
    check_archive(write_wheel(tmp_path, "fine"))
    check_archive(zip_with(tmp_path / "a.zip", "a/link", "../b"))
    check_archive(tar_with(tmp_path / "a.tar.gz", "a/b/link", "../c"))
    check_archive(tmp_path / "missing.whl")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_bomb_is_refused_by_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(archives, "MOST_BYTES", 1024**2)
    file = tmp_path / ("bomb.whl" if kind == "zip" else "bomb.tar.gz")
    if kind == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros", bytes(2 * 1024**2))
    else:
        with tarfile.open(file, "w:gz") as archive:
            item = tarfile.TarInfo("zeros")
            item.size = 2 * 1024**2
            archive.addfile(item, io.BytesIO(bytes(item.size)))
    assert file.stat().st_size < 10_000
    with pytest.raises(LibraryError, match="would unpack to more than"):
        check_archive(file)


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    with pytest.raises(LibraryError, match="or 3 files"):
        check_archive(zip_with(write_wheel(tmp_path, "many"), "more.py", ""))


def test_a_broken_archive_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(LibraryError, match="cannot be read as an archive"):
        check_archive(tmp_path / "a.whl")


def test_an_archive_that_spark_would_unpack_is_looked_at(tmp_path: Path) -> None:
    archive = zip_with(tmp_path / "env.zip", "../../out", "")
    places = Places("/l", str(tmp_path), "/d")
    with pytest.raises(LibraryError, match="leads out"):
        read_line(["--archives", f"{archive}#env", "x.py"], places)
    settings = Settings.load(tmp_path, environ={})
    spec = DriverSpec(spark_conf={"spark.archives": f"{archive.as_uri()}#env"})
    plan = plan_driver(spec, settings, Java(Path("/java"), 17, "test"), [])
    with pytest.raises(LibraryError, match="leads out"):
        plan.launch(tmp_path)


def test_a_tasks_wheel_is_looked_at_before_it_is_installed(tmp_path: Path) -> None:
    wheel = zip_with(write_wheel(tmp_path, "evil"), "../../out.py", "")
    settings = Settings.load(tmp_path, environ={"MEDALLION_CACHE": str(tmp_path / "cache")})
    shelf = Shelf(settings, Places("/l", "/v", "/d"), tmp_path, None, print)
    for wanted in (Wanted(wheels=(str(wheel),)), Wanted(packages=(f"./{wheel.name}",))):
        with pytest.raises(LibraryError, match="leads out"):
            shelf.recipe(wanted)
