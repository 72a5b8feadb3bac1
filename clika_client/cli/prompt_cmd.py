"""`clika prompt`: exactly what a model would be sent, before anything is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clika_client.cli.common import AsJson, language_tags, print_json
from clika_client.common.errors import UserError
from clika_client.common.safe_text import shown

if TYPE_CHECKING:
    from clika_client.prompts.style import Style
    from clika_client.sets.probes import Probe, ProbeSet
    from clika_providers import Message, Request


def prompt(
    name: Annotated[
        str | None, typer.Argument(metavar="[SET]", help="Set to take the question from; none lists the styles.")
    ] = None,
    languages: Annotated[str, typer.Option("--languages", "-l", help="Language tags, comma-separated.")] = "en",
    style: Annotated[str, typer.Option("--prompt", help="Prompt style, or path of a template.")] = "plain",
    template: Annotated[Path | None, typer.Option(help="Your own template file, in place of --prompt.")] = None,
    shots: Annotated[int, typer.Option(help="Worked examples before the question, as `clika run --shots` asks.")] = 0,
    item: Annotated[str | None, typer.Option(help="The item to show [default: the first].")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many items to show.")] = 1,
    rotation: Annotated[int, typer.Option(min=0, help="Cyclic order of the options: start with this one.")] = 0,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Local model: show its exact text and tokens (loads it).")
    ] = None,
    ask: Annotated[
        str, typer.Option(help="With --model: as it is asked for logprobs or likelihood; or open: without options.")
    ] = "logprobs",
    as_json: AsJson = False,
) -> None:
    """Show the prompts of a set in one style; without a set, the styles there are."""
    from clika_client.prompts.catalogue import builtin_styles, get_style
    from clika_client.prompts.style import style_digest, style_notes

    if name is None:
        _list([(s.name, s.about, style_digest(s)) for s in builtin_styles()], as_json)
        return
    from clika_client.cli.prompt_tokens import print_tokens, tokens_for
    from clika_client.prompts.open import open_notes
    from clika_client.sets.catalogue import resolve
    from clika_client.sets.open_form import open_form, refuse_options

    if ask not in ("logprobs", "likelihood", "open"):
        raise UserError(f"--ask {ask!r} is not one of logprobs, likelihood, open")
    chosen = get_style(str(template.resolve()) if template is not None else style, shots)
    probe_set = resolve(name).select(language_tags(languages))
    if ask == "open":
        probe_set = open_form(probe_set)
    elif probe_set.open:
        refuse_options(probe_set)
    start = 0 if item is None else _place(item, probe_set)
    rows: list[dict[str, Any]] = []
    asked: list[Request] = []
    for tag in probe_set.languages:
        for probe, its in zip(probe_set.probes[tag][start : start + limit], probe_set.items[start:], strict=False):
            if probe.absent:
                continue
            request, row = _asked(probe, chosen, probe_set, its.tags, ask, rotation)
            asked.append(request)
            rows.append(row)
    if model is not None:
        tokens_for(model, rows, asked)
    notes = (open_notes if ask == "open" else style_notes)(chosen, probe_set)
    if as_json:
        print_json({"style": chosen.name, "digest": style_digest(chosen), "notes": list(notes), "prompts": rows})
        return
    for row in rows:
        _print(row) if model is None else print_tokens(row)
    for note in notes:
        typer.echo(f"note: {shown(note)}", err=True)


def _place(item: str, probe_set: ProbeSet) -> int:
    """Where an item stands in its set."""
    ids = [i.item_id for i in probe_set.items]
    if item not in ids:
        raise UserError(f"set {probe_set.name!r} has no item {item!r}; its first items: {', '.join(ids[:5])}")
    return ids.index(item)


def _asked(
    probe: Probe, style: Style, probe_set: ProbeSet, tags: Mapping[str, str], ask: str, rotation: int
) -> tuple[Request, dict[str, Any]]:
    """The request that puts a question, and what is shown of it."""
    from clika_client.prompts.likelihood import render_options
    from clika_client.prompts.open import render_open
    from clika_client.prompts.style import render
    from clika_providers import Request

    if ask == "open":
        messages = render_open(probe, style, probe_set, tags=tags)
        return Request(messages, max_tokens=32), _row(probe, messages)
    rendered = render(probe, style, probe_set, rotation=rotation, tags=tags)
    row = {
        **_row(probe, rendered.messages),
        "labels": list(rendered.labels),
        "choice_order": list(rendered.choice_order),
        "gold_label": rendered.labels[rendered.choice_order.index(probe.gold)],
    }
    if ask == "likelihood":
        bare = render_options(probe, style, probe_set, tags=tags)
        return Request(bare.messages, "likelihood", options=bare.options, neutral=bare.neutral), row
    return Request(rendered.messages, "logprobs", rendered.labels), row


def _row(probe: Probe, messages: Sequence[Message]) -> dict[str, Any]:
    """A question as it is asked, with the answer that is right."""
    return {
        "item_id": probe.item_id,
        "language": probe.language,
        "messages": [{"role": m.role, "content": m.content} for m in messages],
        "gold_label": probe.choices[probe.gold].rstrip("*"),
    }


def _list(styles: list[tuple[str, str, str]], as_json: bool) -> None:
    if as_json:
        print_json({"styles": [{"style": n, "about": about, "digest": digest} for n, about, digest in styles]})
        return
    for n, about, _ in styles:
        typer.echo(f"{n:<16} {about}")


def _print(row: Mapping[str, object]) -> None:
    """The prompt as it is sent, between rules that are not part of it."""
    typer.echo(
        f"── item {shown(str(row['item_id']))}, {row['language']}; right answer: {shown(str(row['gold_label']))}"
    )
    messages = row["messages"]
    assert isinstance(messages, list)
    for message in messages:
        if len(messages) > 1:
            typer.echo(f"── {message['role']}")
        typer.echo(shown(message["content"], lines=True))
    typer.echo("──")
