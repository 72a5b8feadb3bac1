"""Write the pictures of the docs: the page of published replies as Chromium shows it, light, dark and on a phone.

Needs chromium and playwright. `--full FOLDER` writes the whole page instead, in pieces to look at.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

from clika_client.importers.detect import import_path
from clika_client.report.page.write import save_page
from clika_client.store.store import Store

ROOT = Path(__file__).parent.parent
REPLIES = ROOT / "docs" / "examples" / "x-fakt"
_FIRST_CHART, _VERDICT = "#t0 > .scroll", "#verdict"
VIEWS = {
    "page": (1240, _FIRST_CHART, "light"),
    "page-dark": (1240, _FIRST_CHART, "dark"),
    "page-phone": (390, _VERDICT, "light"),
}
"""Name → width, what the picture ends with, theme: under a whole element, or it would cut one through its title."""
_HEIGHT, _MARGIN = 900, 6
_PIECE = 1800


def main() -> None:
    """Make the page, open it in each view, and write what is seen first."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", type=Path, help="write the whole page in pieces to this folder")
    full: Path | None = parser.parse_args().full
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = make_page(Path(folder))
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for name, (width, last, scheme) in VIEWS.items():
            context = browser.new_context(
                viewport={"width": width, "height": _HEIGHT}, color_scheme=scheme, offline=True
            )
            opened = context.new_page()
            opened.goto(page.as_uri())
            opened.wait_for_selector("html[data-ready]")
            if full is None:
                end = opened.locator(last).first.bounding_box()
                clip = {"x": 0, "y": 0, "width": width, "height": round(end["y"] + end["height"]) + _MARGIN}
                opened.screenshot(path=ROOT / "docs" / "images" / f"{name}.png", full_page=True, clip=clip)
            else:
                _pieces(opened, full / name, width)
            context.close()
        browser.close()


def make_page(folder: Path) -> Path:
    """The page of the published replies."""
    with Store(folder / "x-fakt.db") as store:
        import_path(store, REPLIES)
        save_page(store, folder / "x-fakt.html")
    return folder / "x-fakt.html"


def _pieces(opened: Any, stem: Path, width: int) -> None:
    opened.click(".item summary")
    opened.wait_for_selector(".item .answers")
    stem.parent.mkdir(parents=True, exist_ok=True)
    whole = opened.evaluate("document.documentElement.scrollHeight")
    for number, top in enumerate(range(0, whole, _PIECE)):
        clip = {"x": 0, "y": top, "width": width, "height": min(_PIECE, whole - top)}
        opened.screenshot(path=f"{stem}-{number}.png", full_page=True, clip=clip)


if __name__ == "__main__":
    main()
