from __future__ import annotations

import socket

import pytest

from medallion.compute.master import addresses, is_local, own_address, require_answer
from medallion.errors import TargetError


@pytest.mark.parametrize(
    ("master", "found"),
    [
        pytest.param("spark://a:7077", [("a", 7077)], id="standalone"),
        pytest.param("spark://a:7077,b:7078", [("a", 7077), ("b", 7078)], id="with a standby"),
        pytest.param("spark://[::1]:7077", [("::1", 7077)], id="IPv6"),
        pytest.param("k8s://https://api.example:6443", [("api.example", 6443)], id="Kubernetes"),
        pytest.param("k8s://https://api.example", [("api.example", None)], id="Kubernetes without a port"),
        pytest.param("yarn", [], id="YARN"),
        pytest.param("local[*]", [], id="local"),
    ],
)
def test_addresses_of_a_master(master: str, found: list[tuple[str, int | None]]) -> None:
    assert addresses(master) == found


def test_which_masters_are_local() -> None:
    assert [is_local(text) for text in ("local", "local[2]", "local[*, 4]", "local-cluster[2,1,1024]", "yarn")] == [
        *(True, True, True),
        *(False, False),
    ]


@pytest.mark.parametrize("master", ["local[*]", "spark://127.0.0.1:7077", "spark://localhost:7077", "spark://[::1]:1"])
def test_a_master_on_this_machine_is_reached_by_loopback(master: str) -> None:
    assert own_address(master) == "127.0.0.1"


def test_a_master_elsewhere_is_reached_by_the_address_that_routes_there() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        try:
            way.connect(("192.0.2.1", 9))
        except OSError:  # a machine without a network has no such address, and says so
            with pytest.raises(TargetError, match="driver_host"):
                own_address("spark://192.0.2.1:7077")
            return
        address = way.getsockname()[0]
    assert own_address("spark://192.0.2.1:7077") == own_address("yarn") == address


def test_an_unknown_name_says_which_setting_helps() -> None:
    with pytest.raises(TargetError, match="driver_host"):
        own_address("spark://no-such-host.invalid:7077")


def test_a_master_that_is_gone_is_named_with_its_target() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(TargetError) as raised:
            require_answer("farm", f"spark://127.0.0.1:{port}")
    assert f"target 'farm': no Spark master answers at spark://127.0.0.1:{port}" in str(raised.value)
    assert "Connection refused" in str(raised.value)


def test_one_of_several_masters_is_enough() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        ports = taken.getsockname()[1], server.getsockname()[1]
        require_answer("farm", "spark://127.0.0.1:{},127.0.0.1:{}".format(*ports))
