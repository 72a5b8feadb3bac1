"""Does scoring Parquet shards stay fast and small as they grow to ten million replies? With DuckDB or with Polars?

A shard of 100,000 replies is exported from a database (10,000 questions in ten languages, one model) and copied under
other models' names, as runs on many machines leave them; the first is scored from the database too, and every figure
compared. Then `clika score` runs over all shards in a process of its own, with and without intervals, and the reading
alone is done by DuckDB and by Polars. `--items` asks each model more questions, for memory grows with those.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from growth_of_cache import CLIKA, ITEMS, LANGUAGES, write_database
from http_run import Cost, measure

from clika_client import Options, score
from clika_client.report.rows.export import export
from clika_client.scoring.shard_footer import NAME, Footer, from_text, to_text
from clika_client.scoring.shards import score_shards
from clika_client.store.store import Store

KEYS = [
    "model", "set", "set_version", "language", "prompt", "ask", "reading", "source", "settings", "rotation", "repeat",
]  # fmt: skip
READERS = {
    "DuckDB": f"""
import sys, duckdb
files, keys, n = sys.argv[1:], ", ".join('"' + key + '"' for key in {KEYS}), 0
of = "FROM (SELECT DISTINCT {{}} FROM read_parquet(?))"
numbered = "CREATE TABLE {{}} AS SELECT row_number() OVER () AS {{}}, * " + of
with duckdb.connect() as c:
    c.execute("SET preserve_insertion_order = false")
    c.execute(numbered.format("cells", "cell", keys), [files])
    c.execute(numbered.format("items", "place", "item"), [files])
    query = f"SELECT cell, place, choice FROM read_parquet(?) JOIN cells USING ({{keys}}) JOIN items USING (item)"
    for batch in c.sql(query, params=[files]).to_arrow_reader(200_000):
        n += len(batch)
""",
    "Polars": f"""
import sys, polars as pl
keys, n, rows = {KEYS}, 0, pl.scan_parquet(sys.argv[1:])
cells = rows.select(keys).unique().collect(engine="streaming").with_row_index("cell").lazy()
items = rows.select("item").unique().collect(engine="streaming").with_row_index("place").lazy()
found = rows.select([*keys, "item", "choice"]).join(cells, on=keys).join(items, on="item")
for batch in found.select("cell", "place", "choice").collect_batches(chunk_size=200_000, maintain_order=False):
    n += len(batch)
""",
}


def renamed(shard: Path, to: Path, name: str) -> None:
    """The shard as another model's."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(shard)
    names = pa.array([name]).take(pa.array([0] * len(table), pa.int32()))
    table = table.set_column(table.schema.get_field_index("model"), "model", names)
    footer = from_text(pq.read_metadata(shard).metadata[NAME])
    cells = [replace(c, model=name, key=replace(c.key, model=name, identity=name)) for c in footer.cells]
    whole = Footer(footer.sets, footer.since, cells, footer.stamps, footer.notes)
    with pq.ParquetWriter(to, table.schema, compression="zstd") as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({NAME: to_text(whole)})


def write_shards(folder: Path, count: int, items: int) -> bool:
    """So many shards of one model each; whether the first has the figures of its database."""
    database, first = folder / "first.db", folder / "shard-0000.parquet"
    write_database(database, items * len(LANGUAGES), items)
    with Store(database) as store:
        export(store, first)
    for number in range(1, count):
        renamed(first, folder / f"shard-{number:04}.parquet", f"openai/m{number}")
    same = same_figures(database, first)
    database.unlink()
    return same


def same_figures(database: Path, shard: Path) -> bool:
    """Whether a shard has every figure of its database, to the last digit."""
    options = Options(bootstrap=0)

    def figures(found: Mapping[str, object]) -> str:
        return json.dumps({name: value for name, value in found.items() if name != "runs"}, sort_keys=True)

    return figures(score(database, scoring=options).to_json()) == figures(
        score_shards([shard], options=options).to_json()
    )


def line(what: str, replies: int, cost: Cost) -> str:
    """For the table."""
    each = cost.cpu_s / replies * 1e6
    return f"{replies:>11,}  {what:<16}{cost.wall_s:>8.1f}{cost.cpu_s:>8.1f}{each:>11.2f}{cost.peak_mb:>9.0f}"


def main() -> None:
    """Measure each size, print a table and, last, one JSON line; ends with 1 when a figure differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000000,10000000", help="numbers of replies, comma-separated")
    parser.add_argument("--items", type=int, default=ITEMS, help="questions in each language")
    parser.add_argument("--quick", action="store_true", help="100,000 and 300,000 replies")
    parser.add_argument("--folder", type=Path, help="where the files lie meanwhile: 25 bytes a reply")
    parser.add_argument("--write", type=Path, help="only write shards for the largest size into this folder")
    given = parser.parse_args()
    of_model = given.items * len(LANGUAGES)
    sizes = [of_model, 3 * of_model] if given.quick else [int(n) for n in given.sizes.split(",")]
    if given.write:
        sys.exit(0 if write_shards(given.write, max(sizes) // of_model, given.items) else 1)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        # In a process of its own: a child's peak memory counts what its parent had.
        words = [
            sys.executable,
            __file__,
            "--write",
            str(folder),
            "--sizes",
            str(max(sizes)),
            "--items",
            str(given.items),
        ]
        same = subprocess.run(list(map(str, words)), check=False).returncode == 0
        print(f"every figure of a shard equals its database's: {same}")
        print(f"{'replies':>11}  {'what':<16}{'wall s':>8}{'CPU s':>8}{'CPU s / M':>11}{'peak MB':>9}", flush=True)
        shards, found = sorted(map(str, folder.glob("*.parquet"))), {}
        for size in sizes:
            files = shards[: size // of_model]
            commands = {"no intervals": [CLIKA, "score", *files, "--bootstrap", "0", "--json"]}
            commands |= {"intervals": [CLIKA, "score", *files, "--json"]}
            commands |= {reader: [sys.executable, "-c", code, *files] for reader, code in READERS.items()}
            for what, command in commands.items():
                cost = measure(command)
                found[f"{what} {size}"] = [round(cost.cpu_s, 1), round(cost.peak_mb)]
                print(line(what, size, cost), flush=True)
    print(json.dumps({"same": same, "cpu_s_and_mb": found}))
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
