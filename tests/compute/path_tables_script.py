"""Checks of pandas, NumPy, pyarrow and deltalake on mapped paths. Run by test_paths.py in a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pandas as pd  # imported before, as in a task that was forked from a spare process

from medallion.compute.paths import install
from medallion.runtime.protocol import Places

BASE = Path(sys.argv[1]).resolve()
ROOT = Path("/Volumes/c/s/v")
FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})


def check_pandas() -> None:
    FRAME.to_csv(ROOT / "t.csv", index=False)
    assert pd.read_csv("/Volumes/c/s/v/t.csv").equals(FRAME)
    assert pd.read_csv(ROOT / "t.csv", engine="pyarrow").equals(FRAME)
    FRAME.to_parquet("/Volumes/c/s/v/t.parquet")
    assert pd.read_parquet(ROOT / "t.parquet").equals(FRAME)
    FRAME.to_parquet("/Volumes/c/s/v/parts", partition_cols=["b"])
    assert sorted(os.listdir("/Volumes/c/s/v/parts")) == ["b=x", "b=y"]
    assert pd.read_parquet("/Volumes/c/s/v/parts").shape == (2, 2)
    FRAME.to_json(ROOT / "t.json")
    assert pd.read_json("/Volumes/c/s/v/t.json").equals(FRAME)
    FRAME.to_pickle(ROOT / "t.pkl")
    assert pd.read_pickle("/Volumes/c/s/v/t.pkl").equals(FRAME)


def check_numpy() -> None:
    import numpy as np

    np.savetxt("/Volumes/c/s/v/n.txt", [1, 2])
    assert np.loadtxt("/Volumes/c/s/v/n.txt").tolist() == [1, 2]
    np.save("/Volumes/c/s/v/n.npy", [3])
    assert np.load("/Volumes/c/s/v/n.npy").tolist() == [3]


def check_pyarrow() -> None:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.dataset
    import pyarrow.parquet as pq

    assert pq.read_table("/Volumes/c/s/v/t.parquet").num_rows == 2
    assert pq.read_table(["/Volumes/c/s/v/t.parquet"]).num_rows == 2
    assert pq.ParquetFile(ROOT / "t.parquet").metadata.num_rows == 2
    pq.write_table(pa.table({"a": [1]}), "/Volumes/c/s/v/one.parquet")
    assert (BASE / "volumes/c/s/v/one.parquet").exists()
    assert pyarrow.dataset.dataset("/Volumes/c/s/v/parts", partitioning="hive").count_rows() == 2
    assert pyarrow.csv.read_csv("/Volumes/c/s/v/t.csv").num_rows == 2


def check_deltalake() -> None:
    import deltalake
    import pyarrow as pa

    deltalake.write_deltalake("/Volumes/c/s/v/table", pa.table({"a": [1]}))
    assert deltalake.DeltaTable("/Volumes/c/s/v/table").version() == 0
    assert (BASE / "volumes/c/s/v/table/_delta_log").is_dir()


if __name__ == "__main__":
    for name in ("volumes", "dbfs"):
        (BASE / name).mkdir()
    install(Places(**{name: str(BASE / name) for name in ("lake", "volumes", "dbfs")}))
    os.makedirs(ROOT)
    for check in [value for name, value in list(globals().items()) if name.startswith("check_")]:
        check()
    print("every check passed", flush=True)
    os._exit(0)  # pyarrow's threads may abort the interpreter's end when deltalake is loaded as well
