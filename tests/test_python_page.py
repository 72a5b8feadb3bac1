"""docs/python.md is true: its code runs from top to bottom, in a process, in a notebook's kernel, and past mypy."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "python.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_code_of_the_page_runs_from_top_to_bottom(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    (tmp_path / "page.py").write_text("\n".join(BLOCKS), encoding="utf-8")
    done = subprocess.run([sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "done"
    assert len([line for line in lines if line.startswith("mock/pick:0 ")]) >= 3
    assert any("no provider is called 'nobody'" in line for line in lines)


def test_the_page_names_nothing_that_is_not_public() -> None:
    import clika_client

    named = set(re.findall(r"\bclika\.([A-Za-z_]+)", "\n".join(BLOCKS)))
    assert named <= set(clika_client.__all__)


def test_the_code_of_the_page_passes_the_type_checker(tmp_path: Path) -> None:
    # pandas is installed without types; a page's names are reused from block to block.
    (tmp_path / "page.py").write_text("\n".join(BLOCKS), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", ROOT / "pyproject.toml", tmp_path / "page.py"],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "MYPYPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


CELLS = [
    """
    import threading
    import clika_client as clika
    report = clika.run("atlas", "mock/pick:0", db="n.db", languages=["en", "de"], limit=8)
    print(report.result.status)
    """,
    """
    report = await clika.arun("atlas", "mock/say:B", db="n.db", languages=["en", "de"], limit=8)
    print(report.result.status)
    """,
    """
    for attempt in range(3):
        try:
            clika.run("atlas", "nobody/m", db="n.db")
        except clika.ClikaError as error:
            print("told")
    print([t.name for t in threading.enumerate() if t.name.startswith("clika")])
    """,
    "report.scores",
]


def test_the_functions_work_in_a_notebooks_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel has a running event loop, which `asyncio.run` refuses."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    kernel = tmp_path / "kernels" / "here"
    kernel.mkdir(parents=True)
    start = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": start, "display_name": "here", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    notebook: Any = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(textwrap.dedent(cell)) for cell in CELLS]
    work = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="here", resources=work).execute()

    def said(number: int) -> str:
        return "".join(o.get("text", "") for o in notebook.cells[number].outputs if o.get("name") == "stdout")

    assert said(0) == "done\n"
    assert said(1) == "done\n"
    assert said(2) == "told\ntold\ntold\n[]\n"
    (shown,) = notebook.cells[3].outputs
    assert shown["data"]["text/html"].startswith("<table>")
