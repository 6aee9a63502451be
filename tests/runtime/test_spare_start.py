"""Where the spare process is looked for: no other user of the machine can stand in its place."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from second_user import as_another_user

from medallion.errors import TargetError
from medallion.runtime import spare_start
from medallion.settings import Settings


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder as all users of a machine share it."""
    assert tmp_path.is_dir()  # pytest's own folder is made first, in the usual place
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.root
def test_another_users_socket_in_the_temporary_folder_gets_no_task(temporary: Path, tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / ("x" * 100), environ={})
    address = spare_start.address_of(settings)
    assert address.is_relative_to(temporary), "a long path has its socket there"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        as_another_user(listen_at, listener, str(address))
        probe = spare_start.try_connect(address)
        assert probe is not None, "the stranger listens"
        probe.close()
        with pytest.raises(TargetError, match="belongs to another user"):
            spare_start.connect(settings)


def listen_at(listener: socket.socket, address: str) -> None:
    """Make the folder that a spare's socket would be in, and listen there."""
    Path(address).parent.mkdir(mode=0o755)
    listener.bind(address)
    listener.listen()
    Path(address).chmod(0o666)
