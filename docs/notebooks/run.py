#!/usr/bin/env python3
"""Runs the notebooks of this folder without Jupyter.

    python3 docs/notebooks/run.py STATE                    every notebook on that state folder; prints what each counted
    python3 docs/notebooks/run.py STATE duckdb polars      some of them
    python3 docs/notebooks/run.py STATE --write            the same, and stores what the cells print in the notebooks

The last line of output is JSON: by notebook what it counted, or `{"missing": package}` where its engine is not installed.
"""

import contextlib
import importlib.util
import io
import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENGINES = {"duckdb": "duckdb", "polars": "polars", "clickhouse": "chdb", "spark": "pyspark"}


def run(path):
    """Executes the cells in one namespace and keeps what they print; the notebook and what it counted."""
    book, names = json.loads(path.read_text()), {}
    for number, cell in enumerate(cell for cell in book["cells"] if cell["cell_type"] == "code"):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("".join(cell["source"]), f"{path.name}, cell {number + 1}", "exec"), names)
        lines = printed.getvalue().splitlines(True)
        cell["execution_count"] = number + 1
        cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": lines}] if lines else []
    return book, names["answers"]


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    state, wanted = words[0], words[1:] or list(ENGINES)
    os.environ["HINOMI_STATE"] = str(Path(state).resolve())
    told = {}
    for name in wanted:
        if importlib.util.find_spec(ENGINES[name]) is None:
            told[name] = {"missing": ENGINES[name]}
            continue
        path = HERE / f"{name}.ipynb"
        book, told[name] = run(path)
        if "--write" in sys.argv:
            path.write_text(json.dumps(book, ensure_ascii=False, indent=1) + "\n")
    print(json.dumps(told))


if __name__ == "__main__":
    main()
