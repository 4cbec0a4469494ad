"""The page of the demonstration's model: `python demos/app.py [MODEL [COHORT]]`, then open the address it prints.

Without arguments it serves demo-run/model, which `make demo` (or `multimodal demo --no-serve`) makes.
"""

import sys
from pathlib import Path

from multimodal.page import serve

if __name__ == "__main__":
    demo = Path(__file__).resolve().parents[1] / "demo-run"
    model, *examples = [Path(argument) for argument in sys.argv[1:]] or [demo / "model", demo / "cohort"]
    if not model.is_dir():
        sys.exit(f"There is no model at {model}: run `multimodal demo --no-serve --out demo-run` first.")
    serve(model, examples=examples[0] if examples else None)
