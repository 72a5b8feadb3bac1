"""`clika judge`: a model's or a person's word on stored replies to open questions, beside the deterministic reading."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clika_client.cli.common import AsJson, Db, database_path, err, out, print_json, write_text
from clika_client.cli.scoring_options import Languages, Models, Prompt, Sets, SetVersion, Sources, make_wanted
from clika_client.cli.server_options import InsecureHttp
from clika_client.common.errors import IncompleteRun, StoppedRun, UserError
from clika_client.common.safe_text import shown
from clika_client.common.wording import counted

if TYPE_CHECKING:
    from clika_client.judging.judge import Case, Judged
    from clika_client.store.judgements import Judgement
    from clika_client.store.store import Store

_HEAD = ("key", "set", "language", "item", "question", "accepted", "reply", "reader", "judge", "decision")
_DECISIONS = ("right", "wrong", "several", "refusal", "unknown", "empty", "truncated")


def judge(
    judge: Annotated[
        str | None, typer.Argument(metavar="[JUDGE]", help="The judge, as provider/model: openai/NAME, gguf/FILE, …")
    ] = None,
    decisions: Annotated[
        Path | None,
        typer.Option(help="Take the decisions of a person from this table (written by --disagreements)."),
    ] = None,
    disagreements: Annotated[
        Path | None, typer.Option(help="Write where judge and reader disagree to this TSV, to be decided by a person.")
    ] = None,
    model: Models = None,
    sets: Sets = None,
    set_version: SetVersion = None,
    languages: Languages = None,
    source: Sources = None,
    prompt: Prompt = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Judge so many replies, drawn by --limit-seed.")] = None,
    limit_seed: Annotated[int, typer.Option(help="Seed of --limit's choice.")] = 0,
    max_cost: Annotated[float | None, typer.Option(help="Stop before spending more than this many US dollars.")] = None,
    prices: Annotated[Path | None, typer.Option(help="Your own price table (see docs/providers.md).")] = None,
    base_url: Annotated[str | None, typer.Option(help="Address of an OpenAI-compatible server.")] = None,
    models_dir: Annotated[Path | None, typer.Option(help="Folder to look for GGUF files in.")] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, help="Requests in flight at most.")] = None,
    insecure_http: InsecureHttp = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be asked and what it costs.")] = False,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Judge stored open replies; score them with `clika score --reading open,judge:JUDGE`, or `human`."""
    from clika_client.store.store import Store
    from clika_providers import ProviderOptions

    if (judge is None) == (decisions is None):
        raise UserError("name a judge, such as openai/MODEL, or a table of --decisions; one of the two")
    options = ProviderOptions(
        base_url=base_url, concurrency=concurrency, insecure_http=insecure_http, models_dir=models_dir
    )
    with Store(database_path(db)) as store:
        if decisions is not None:
            _take(store, decisions, as_json)
            return
        assert judge is not None
        wanted = make_wanted(model, sets, languages, source, prompt, set_version=set_version)
        chosen = chosen_cases(store, wanted, limit, limit_seed)
        found = ask_judge(store, judge, chosen, options, max_cost, prices, dry_run=dry_run)
        if found is None:
            return
        if disagreements is not None:
            write_text(disagreements, table(found))
        report(found, disagreements, as_json)
        end(found)


def chosen_cases(store: Store, wanted: Any, limit: int | None = None, seed: int = 0) -> list[Case]:
    """The open replies to judge; raises UserError where there is none."""
    import random

    from clika_client.judging.judge import cases
    from clika_client.scoring.chosen import choose

    chosen = choose(store, wanted)
    open_cells = [cell for cell in chosen.cells if cell.key.ask == "open"]
    found = list(cases(store, open_cells, chosen.sets))
    if not found:
        raise UserError("no replies to open questions are stored here; ask some: clika run SET -m MODEL --ask open")
    if limit is not None and limit < len(found):
        found = [found[i] for i in sorted(random.Random(seed).sample(range(len(found)), limit))]
    return found


def ask_judge(
    store: Store,
    spec: str,
    chosen: Sequence[Case],
    options: Any,
    max_cost: float | None,
    prices: Path | None,
    *,
    dry_run: bool = False,
) -> Judged | None:
    """Ask a judge, with its likely cost said beforehand; None for a dry run. Raises UserError, ProviderError."""
    from dataclasses import replace

    from clika_client.judging.judge import judge as ask
    from clika_client.prompts.judge import MAX_TOKENS
    from clika_providers.prices import find_price
    from clika_providers.registry import connect

    price = find_price(spec, user_file=prices)
    if max_cost is not None and price is None:
        raise UserError(f"--max-cost: no price is known for {spec}; add one to --prices (see docs/providers.md)")
    size = sum(len(m.content.encode("utf-8", "replace")) for case in chosen for m in case.request().messages) / 3.5
    each = price.estimate(size / len(chosen), MAX_TOKENS) if price is not None else None
    cost = "price unknown" if each is None else f"about ${len(chosen) * each:.4f} at most, if none is stored"
    err().print(f"{spec}: {counted(len(chosen), 'reply')} to judge, {cost}", markup=False, soft_wrap=True)
    if dry_run:
        return None
    provider = connect(spec, replace(options, need_key=True))
    return ask(store, provider, chosen, price=price, max_cost=max_cost)


def report(found: Judged, where: Path | None, as_json: bool) -> None:
    """How often judge and reader agree, by language, and where to look at the rest."""
    agreement = found.agreement()
    apart = list(_apart(found))
    if as_json:
        print_json(
            {
                "judge": found.judge,
                "judged": len(found.cases),
                "unclear": found.unclear,
                "failed": dict(found.failed),
                "cost": found.cost,
                "agreement": {tag: {"agree": same, "n": n} for tag, (same, n) in agreement.items()},
                "disagreements": [dict(zip(_HEAD, row, strict=True)) for row in apart],
            }
        )
        return
    same, n = (sum(pair[i] for pair in agreement.values()) for i in range(2))
    each = ", ".join(f"{tag} {a / of:.1%}" for tag, (a, of) in agreement.items())
    if n:
        out().print(
            f"{found.judge} and the reader agree on right or not on {same:,} of {n:,} replies ({same / n:.1%}): {each}",
            markup=False,
            soft_wrap=True,
        )
    if found.unclear:
        out().print(f"{found.unclear:,} of the judge's replies say none of its words and were left out", markup=False)
    if apart and where is None:
        for row in apart[:10]:
            said = dict(zip(_HEAD, row, strict=True))
            line = (
                f"{said['language']} {said['item']}: reader {said['reader']}, judge {said['judge']}: {said['reply']!r}"
            )
            out().print(shown(line[:240]), markup=False, soft_wrap=True)
        out().print(
            f"{len(apart):,} disagreements; --disagreements FILE writes them for a person to decide", markup=False
        )
    elif apart:
        out().print(f"{len(apart):,} disagreements in {where}: fill in `decision`, then --decisions FILE", markup=False)
    if found.cost:
        err().print(f"it cost ${found.cost:.4f}", markup=False)
    out().print(f"score with it: clika score --reading open,judge:{found.judge}", markup=False)


def end(found: Judged) -> None:
    """Raise what the exit code tells: stopped by the budget, or replies left unjudged."""
    from clika_client.asking.budget import BudgetReached

    if isinstance(found.stop, BudgetReached):
        raise StoppedRun(f"stopped before exceeding --max-cost ({found.stop}); the same command judges the rest")
    if found.stop is not None:
        raise UserError(f"{found.stop}\nWhat was judged is kept; the same command judges the rest")
    if found.failed:
        reason, count = found.failed.most_common(1)[0]
        raise IncompleteRun(f"{counted(found.failed.total(), 'reply')} not judged ({count} x {reason}); run it again")


def _apart(found: Judged) -> Iterator[tuple[str, ...]]:
    from clika_client.judging.judge import agrees

    for case, judgement in found.cases:
        if not agrees(case.read.verdict, judgement.verdict):
            accepted = "; ".join(name.rstrip("*") for name in case.accepted.names[:5])
            yield (
                case.key.hex(), case.set_name, case.language, case.item_id, case.question, accepted, case.reply,
                case.read.verdict, judgement.verdict, "",
            )  # fmt: skip


def table(found: Judged) -> str:
    """The disagreements as TSV; a text that a spreadsheet would run gets a quote before it."""
    from clika_client.report.scores_csv import safe_cell

    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(_HEAD)
    for row in _apart(found):
        writer.writerow([safe_cell(" ".join(cell.split())) for cell in row])
    return text.getvalue()


def _take(store: Store, path: Path, as_json: bool) -> None:
    """Keep a person's decisions; raises UserError naming the line of one that cannot be read."""
    from clika_client.store import judgements

    given = list(_decided(path))
    known = {cell.key_at(int(p)) for cell in store.cells() if cell.key.ask == "open" for p in cell.asked()}
    strange = [place for place, judgement in given if judgement.key not in known]
    if strange:
        raise UserError(f"{path}, {strange[0]}: no open reply with this key is stored in this database")
    judgements.add(store, judgements.HUMAN, [judgement for _, judgement in given])
    if as_json:
        print_json({"decisions": len(given)})
    else:
        out().print(f"{len(given)} decisions taken; score with them: clika score --reading human", markup=False)


def _decided(path: Path) -> Iterator[tuple[str, Judgement]]:
    from clika_client.common.languages import canonical
    from clika_client.store.judgements import Judgement

    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from None
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    if not {"key", "decision"} <= set(rows.fieldnames or ()):
        raise UserError(f"{path}: needs the columns key and decision, as --disagreements writes them")
    for row in rows:
        where = f"line {rows.line_num}"
        decision = (row["decision"] or "").strip().casefold()
        if not decision:
            continue
        word, _, tag = decision.partition(":")
        if word == "other":
            verdict, language = "right in another language", canonical(tag) if tag.strip() else None
        elif decision in _DECISIONS:
            verdict, language = decision, None
        else:
            listed = ", ".join(_DECISIONS)
            raise UserError(f"{path}, {where}: decision {decision!r} is none of {listed}, other:LANGUAGE")
        try:
            key = bytes.fromhex((row["key"] or "").lstrip("'"))
        except ValueError:
            raise UserError(f"{path}, {where}: {row['key']!r} is no key; keep that column as it was written") from None
        yield where, Judgement(key, verdict, language)
