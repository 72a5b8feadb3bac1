"""Options that would change nothing the way a model is asked: refused, lest a second row of the same answers opens."""

from __future__ import annotations

from collections.abc import Sequence

from clika_client.asking.settings import Asking
from clika_client.common.errors import UserError
from clika_providers import Provider, ProviderOptions

_SAMPLING = ("--grammar", "--temperature", "--sampling-seed", "--max-tokens", "--thinking")
_LOCAL_PROBABILITIES = (*_SAMPLING, "--repeats", "--extra")
"""A local model's probabilities are computed, not drawn: there is nothing to sample, to cut or to repeat."""
_OPEN = ("--grammar", "--permute")
"""Without options there are no labels to constrain a reply to, and nothing to put in another order."""
_ANY_LIKELIHOOD = (*_SAMPLING, "--permute")
"""Options are not shown, and nothing is generated."""


def refuse_idle(provider: Provider, asking: Asking, options: ProviderOptions) -> None:
    """Raise UserError for an option that would be accepted and do nothing."""
    spec, local = provider.spec, provider.runs_here
    probabilities = asking.mode in ("logprobs", "likelihood")
    given = _given(asking, options)
    if asking.mode == "likelihood" and not local and not provider.tells_likelihood:
        raise UserError(
            f"{spec} is asked through a chat API, which gives no probabilities of texts it did not write: run it "
            "in this process (gguf/FILE) for --ask likelihood, or use --ask text"
        )
    idle = [option for option in _LOCAL_PROBABILITIES if local and probabilities and option in given]
    idle += [option for option in _OPEN if asking.mode == "open" and option in given]
    idle += [option for option in _ANY_LIKELIHOOD if asking.mode == "likelihood" and option in given]
    if idle:
        raise UserError(
            f"{idle[0]} changes nothing when {spec} is asked with --ask {asking.mode}: leave it out"
            + ("" if idle[0] == "--permute" else ", or use --ask text")
        )
    if local and "--repeats" in given and not asking.temperature:
        raise UserError(
            f"--repeats gives the same text {asking.repeats} times: {spec} needs --temperature above 0 to vary"
        )
    if local and "--extra" in given and not asking.temperature:
        raise UserError("--extra gives a local model its sampling, which needs --temperature above 0")


def refuse_idle_address(providers: Sequence[Provider], options: ProviderOptions) -> None:
    """Raise UserError for an address where no model has a server: it would be taken for one that answered."""
    if options.base_url and providers and not any(provider.has_server for provider in providers):
        raise UserError(
            f"--base-url {options.base_url} changes nothing: {providers[0].spec} is asked in this process, without a "
            "server; leave it out, or name the server's model (openai/MODEL)"
        )


def _given(asking: Asking, options: ProviderOptions) -> set[str]:
    """The options that were given another value than their default."""
    usual = Asking()
    values = {
        "--grammar": asking.grammar,
        "--temperature": asking.temperature != usual.temperature,
        "--sampling-seed": asking.seed is not None,
        "--max-tokens": asking.max_tokens != usual.max_tokens,
        "--repeats": asking.repeats != 1,
        "--thinking": asking.thinking,
        "--permute": asking.permute,
        "--extra": bool(options.extra_body),
    }
    return {option for option, given in values.items() if given}
