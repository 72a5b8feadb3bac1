"""What a local model is given of a prompt: its text byte for byte, with its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from clika_client.common.errors import UserError
from clika_client.common.safe_text import shown
from clika_providers import Request


def tokens_for(model: str, rows: list[dict[str, Any]], asked: list[Request]) -> None:
    """Add to each row what the model would evaluate; raises UserError for a model that does not show it."""
    from clika_providers.provider import ShowsTokens
    from clika_providers.registry import connect, may_run_here

    provider = connect(model) if may_run_here(model) else None  # a server is not asked for a key in vain
    if not isinstance(provider, ShowsTokens):
        raise UserError(f"{model}: only a local model (gguf/FILE) shows the text it is given; a server makes its own")
    form = "chat template" if provider.identity.get("chat_template") else "no chat template: plain text"
    for row, request, tokens in zip(rows, asked, provider.exact(asked), strict=True):
        row["model"] = {
            "model": model,
            "form": "plain text, whatever the model" if request.mode == "likelihood" else form,
            "text": b"".join(piece for _, piece in tokens).decode("utf-8", "replace"),
            "tokens": [[token, piece.decode("utf-8", "replace")] for token, piece in tokens],
            "options": list(request.options),
            "neutral": [message.content for message in request.neutral],
        }


def print_tokens(row: Mapping[str, Any]) -> None:
    """The text and the tokens, then what would be scored after them."""
    given = row["model"]
    typer.echo(f"── {shown(given['model'])} ({given['form']}), {len(given['tokens'])} tokens")
    typer.echo(shown(given["text"], lines=True))
    typer.echo("── tokens")
    typer.echo(" ".join(f"{token}:{shown(repr(piece))}" for token, piece in given["tokens"]))
    for option in given["options"]:
        typer.echo(f"── scored after it: {shown(repr(option))}")
    for text in given["neutral"]:
        typer.echo(f"── and, for PMI, after: {shown(repr(text))}")
