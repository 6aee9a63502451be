"""Which job has which DAG id: table of names, stability, and any list of names (property test)."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.project.ledger import Claim, Ledger, Place, Rules, assign
from medallion.project.naming import BROKEN, MAX_DAG_ID, folded

NOTHING_RAN = Rules(has_history=lambda _: False)


def claims(*names: str) -> list[Claim]:
    return [Claim(Place(f"{number:03}.json", "job"), name) for number, name in enumerate(names)]


def ids(*names: str) -> list[str]:
    """The DAG ids of jobs in the order of their places."""
    found = {claim.place: dag_id for dag_id, claim in assign({}, claims(*names), Rules()).items()}
    return [found[place] for place in sorted(found)]


@pytest.mark.parametrize(
    ("names", "plain"),
    [
        pytest.param(("same", "same"), "same", id="equal"),
        pytest.param(("日次 ETL", "月次 ETL"), "ETL", id="letters of another script"),
        pytest.param(("Отчёт v1", "Заказы v1"), "v1", id="cyrillic"),
        pytest.param(("a/b", "a b"), "a_b", id="signs"),
        pytest.param(("[dev] x", "dev x"), "dev_x", id="brackets"),
        pytest.param(("same", "Same"), "same", id="case"),
        pytest.param(("é", "e\u0301"), "e", id="composed and not"),
        pytest.param(("x", ".x"), "x", id="folders of runs hold no leading dot"),
    ],
)
def test_names_of_one_dag_id_get_a_plain_one_and_one_with_a_suffix(names: tuple[str, str], plain: str) -> None:
    first, second = ids(*names)
    assert first == plain
    assert folded(second).startswith(folded(f"{plain}_"))
    assert ids(*names) == [first, second]


@pytest.mark.parametrize(
    "name", ["日本", "…", ".", "..", "x" * 250, "a b" * 99, BROKEN, "Broken_jobs.x", "\udc80", "", "-"]
)
def test_every_name_has_a_valid_id(name: str) -> None:
    for found in ids(name, name, name):
        assert 0 < len(found) <= MAX_DAG_ID
        assert found.strip(".")
        assert found.partition(".")[0] != BROKEN or "_" in found.partition(".")[2]
        assert all(letter.isascii() and (letter.isalnum() or letter in "_.-") for letter in found)
        assert len(f"dag_id={found}") <= 255


def test_a_job_keeps_its_id_when_a_twin_comes_before_it() -> None:
    old = Claim(Place("b.json", "job"), "same")
    new = Claim(Place("a.json", "job"), "same")
    before = assign({}, [old], Rules())
    after = assign(before, [new, old], Rules())
    assert after["same"] == old
    assert len(after) == 2


def test_the_plain_id_of_a_job_that_is_gone_is_for_new_ones_only() -> None:
    first, second, third = claims("same", "same", "same")
    known = assign({}, [first, second], Rules())
    (other,) = set(known) - {"same"}
    rules = Rules(is_gone=lambda place: place == first.place)
    assert assign(known, [second], rules)[other] == second
    after = assign(known, [second, third], rules)
    assert (after["same"], after[other]) == (third, second)


def test_a_renamed_job_keeps_the_id_that_runs_hang_on() -> None:
    (old,) = claims("old")
    new = Claim(old.place, "new")
    known = assign({}, [old], Rules())
    assert assign(known, [new], Rules()) == {"old": new}
    assert assign(known, [new], NOTHING_RAN) == {"new": new}


def test_of_two_jobs_that_state_one_job_id_the_first_has_it() -> None:
    first, second = Claim(Place("a.json", "a"), "a", 7), Claim(Place("b.json", "b"), "b", 7)
    known = assign({}, [second, first], Rules())
    assert (known["a"].job_id, known["b"].job_id) == (7, None)
    assert assign(known, [first, second], Rules()) == known
    after = assign(known, [second], Rules(is_gone=lambda place: place == first.place))
    assert (after["a"].job_id, after["b"].job_id) == (None, 7)
    assert assign(known, [Claim(first.place, "a", 8)], Rules())["a"].job_id == 8


NAMES = st.lists(
    st.one_of(st.sampled_from(["same", "Same", "a b", "a/b", "日次 ETL", "月次 ETL", "", ".", "x" * 240]), st.text()),
    max_size=12,
)


@given(NAMES, st.data())
def test_any_names_give_distinct_valid_ids_that_stay(names: list[str], data: st.DataObject) -> None:
    jobs = claims(*names)
    known = assign({}, jobs, Rules())
    assert {claim.place for claim in known.values()} == {claim.place for claim in jobs}
    assert len({folded(found) for found in known}) == len(jobs)
    assert all(0 < len(found) <= MAX_DAG_ID and found.strip(".") for found in known)
    assert assign({}, data.draw(st.permutations(jobs)), Rules()) == known  # any order, the same answer
    more = [Claim(Place(f"more{number}.json", "job"), name) for number, name in enumerate(data.draw(NAMES))]
    left = data.draw(st.lists(st.sampled_from(jobs), unique=True)) if jobs else []
    gone = {claim.place for claim in jobs} - {claim.place for claim in left}
    later = assign(known, [*more, *left], Rules(is_gone=lambda place: place in gone))
    assert {found: later[found] for found in known if known[found].place not in gone} == {
        found: claim for found, claim in known.items() if claim.place not in gone
    }
    assert len({folded(found) for found in later}) == len(later)


def settle(home: str, numbers: list[int]) -> dict[str, str]:
    """Give ids to jobs, one after the other, as many processes do at once."""
    ledger = Ledger(Path(home))
    for number in numbers:
        ledger.settle([[Claim(Place(f"{number:03}.json", "job"), f"same {number % 3}")]], Rules())
    return {str(claim.place): dag_id for dag_id, claim in ledger.read().items()}


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    with ProcessPoolExecutor(8) as pool:
        told = list(pool.map(settle, [str(tmp_path)] * 8, [list(range(start, 40, 2)) for start in range(8)]))
    last = {str(claim.place): dag_id for dag_id, claim in Ledger(tmp_path).read().items()}
    assert len(last) == len(set(last.values())) == 40
    assert all(last[place] == dag_id for seen in told for place, dag_id in seen.items())
    assert sum(dag_id in {"same_0", "same_1", "same_2"} for dag_id in last.values()) == 3
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"version": 9, "jobs": {}}', '{"version": 1, "jobs": {"a": 1}}'])
def test_a_damaged_ledger_counts_as_empty_and_is_kept_beside_the_new_one(tmp_path: Path, damage: str) -> None:
    ledger = Ledger(tmp_path)
    ledger.file.write_text(damage)
    assert ledger.read() == {}
    ledger.settle([claims("a")], Rules())
    assert list(Ledger(tmp_path).read()) == ["a"]
    assert (tmp_path / "job_ids.damaged").read_text() == damage
    json.loads(ledger.file.read_text())


def test_a_home_that_cannot_be_written_to_has_the_ids_in_memory(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("a file, not a folder")
    ledger = Ledger(home)
    ledger.settle([claims("a", "a")], Rules())
    assert len(ledger.read()) == 2
