"""Makes the sample files of LAB 08: those of RetailHub, in the volume of its own catalog. Runs by hand.

python generate.py --orders 10000 --seed 7 --out DIR
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

SAMPLES = Path(__file__).resolve().parents[1] / "retailhub" / "generate.py"


def load() -> ModuleType:
    """RetailHub's generator, a script and not a package."""
    spec = spec_from_file_location("retailhub_samples", SAMPLES)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {SAMPLES}")
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(load().main(catalog="lab08"))
