"""A study of conductivity on the demo model: three languages, two directions, three seeds, 60 test facts in each pair.

    python benchmarks/study.py [FOLDER]        # resumes; an hour or more of one core
    python benchmarks/study.py FOLDER --table  # the table of what is done so far

What it shows is in docs/conductivity.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "providers"), str(ROOT / "cache")]

STUDY = """\
models = ["clika-demo"]
languages = ["de", "fr", "ru"]
directions = ["from-en", "to-en"]
seeds = 3
# One model learns the facts in English and those of type 0 in all three languages; the other way each has its own.
together = true
quantization = "f32"
threads = 1
forgetting = 0

[material]
form = "choice"
# Two continents: of four, a model of a million weights learns the taught wordings by heart and knows 60 % of its facts
# in any other, after 900 steps as after 300. Chance is .5 then.
k = 2
continents = 2
places = 60
repeats = 14
name-repeats = 12
# A model of a million weights does not learn two unlike names for each of 120 places: these can be copied, and what
# copying alone would reach stands beside every figure.
names = "transliterated"

[teach]
preset = "demo"
learning-rate = 2e-3
# What is learned by heart in the taught wordings is not known in others; strong decay and small steps forbid that.
weight-decay = 1.0
batch-size = 16
micro-batch = 16
gate-every = 0
epochs = 0.5
# While the gate fails, further rounds follow, three at most.
max-epochs = 2.0
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("clika-study"))
    parser.add_argument("--table", action="store_true", help="only say what is done so far")
    options = parser.parse_args()
    from clika_client.cli.app import run
    from clika_client.sets.demo import HUGGING_FACE

    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder / "study.toml"
    file.write_text(STUDY, encoding="utf-8")
    model = options.folder / "clika-demo"
    if not model.exists():
        model.symlink_to(HUGGING_FACE.resolve())  # a table calls a model by the name of its folder
    if not options.table:
        import torch

        torch.set_num_threads(1)  # two threads are slower than one on matrices this small
    if options.table:
        run(["teach", "compare", str(options.folder / "study")])
    else:
        run(["teach", "study", str(file)])


if __name__ == "__main__":
    main()
