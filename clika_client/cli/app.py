"""The `clika` command: its subcommands, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from _thread import interrupt_main
from collections.abc import Callable
from copy import copy
from functools import cache
from typing import Annotated, Any

import typer

from clika_client.cli import (
    answers_cmd,
    batch_cmd,
    cache_cmd,
    cite_cmd,
    compare_cmd,
    demo_cmd,
    doctor_cmd,
    export_cmd,
    import_cmd,
    init_cmd,
    items_cmd,
    judge_cmd,
    models_cmd,
    power_cmd,
    prompt_cmd,
    report_cmd,
    reproduce_cmd,
    run_cmd,
    runs_cmd,
    score_cmd,
    sets_cmd,
    teach_cmd,
    view_cmd,
)
from clika_client.cli.study import Studied
from clika_client.common.safe_text import shown

EPILOG = (
    "Exit codes: 0 done; 1 some requests failed after retries (run again to ask only those); "
    "2 usage or bad input, also a key or model name the provider refuses; 3 stopped by budget or by you, resumable; "
    "4 a figure below your --fail-below or --baseline; 70 an error in clika itself."
)

# typer carries click inside and exports only the leaf of its family of usage errors.
_UsageError: type[Any] = next(b for b in typer.BadParameter.__mro__ if b.__name__ == "ClickException")

# typer turns Ctrl-C into this exit code before we see it.
_INTERRUPTED = 130

app = typer.Typer(
    name="clika",
    help="Does a language model know the same things in every language?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help: it starts faster and reads the same in a pipe, in the docs and on a terminal.
    rich_markup_mode=None,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        from clika_providers.install import own_version

        typer.echo(f"clika {own_version()}")
        raise typer.Exit


@app.callback()
def _main(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Does a language model know the same things in every language?"""


app.command("demo")(demo_cmd.demo)
app.command("run", cls=Studied)(run_cmd.run)
app.command("init")(init_cmd.init)
app.add_typer(runs_cmd.app, name="runs")
app.add_typer(batch_cmd.app, name="batch")
app.command("score")(score_cmd.score)
app.command("answers")(answers_cmd.answers)
app.command("export")(export_cmd.export)
app.command("compare")(compare_cmd.compare)
app.command("items")(items_cmd.items)
app.command("power")(power_cmd.power)
app.command("import")(import_cmd.import_)
app.command("report")(report_cmd.report)
app.command("view")(view_cmd.view)
app.command("cite")(cite_cmd.cite)
app.command("reproduce")(reproduce_cmd.reproduce)
app.add_typer(sets_cmd.sets_app, name="sets")
app.command("judge")(judge_cmd.judge)
app.command("prompt")(prompt_cmd.prompt)
app.add_typer(models_cmd.app, name="models")
app.add_typer(cache_cmd.app, name="cache")
app.command("doctor")(doctor_cmd.doctor)
app.add_typer(teach_cmd.teach_app, name="teach")


_GIVES_TO = {"runs": ("run",)}
"""Commands that hand their work to another one: a run is repeated and resumed by `run`."""


@cache
def command(name: str | None = None) -> Callable[..., Any]:
    """The command line with one command, or with all where none is named, made once.

    Reading the types of a thousand options takes longer than many a command.
    """
    asked = copy(app)
    if name is not None:
        wanted = (name, *_GIVES_TO.get(name, ()))
        asked.registered_commands = [info for info in app.registered_commands if info.name in wanted]
        asked.registered_groups = [info for info in app.registered_groups if info.name in wanted]
    return typer.main.get_command(asked)


def _named(arguments: list[str]) -> str | None:
    """The command that a command line begins with; None where it is none of ours."""
    known = {*(info.name for info in app.registered_commands), *(info.name for info in app.registered_groups)}
    return arguments[0] if arguments and arguments[0] in known else None


def run(arguments: list[str] | None = None) -> None:
    """Run a command line and leave with its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments or bool(os.environ.get("CLIKA_DEBUG"))
    arguments = [a for a in arguments if a != "--debug"]
    ours = _end_gently()
    unraisable, sys.unraisablehook = sys.unraisablehook, _stop_again
    try:
        code = command(_named(arguments))(args=arguments, prog_name="clika", standalone_mode=False)
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except _UsageError as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        _say("stopped; everything that arrived is kept, the same command resumes")
        sys.exit(3)
    except (BrokenPipeError, SystemExit) as left:
        # The reader of our output went away (`| head`); not an error of ours. Typer makes it an exit with 1.
        if isinstance(left, SystemExit) and not isinstance(left.__context__, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if debug:
            traceback.print_exc()
        code, message = _explain(error)
        _say(message)
        sys.exit(code)
    finally:
        sys.unraisablehook = unraisable
        for number in ours:  # there is nothing left to write
            signal.signal(number, signal.SIG_DFL)


def _end_gently() -> list[signal.Signals]:
    """A closed terminal or a job manager's `kill` ends a run as Ctrl-C does: what arrived is written first.

    Returns the signals that are ours now.
    """
    ours = []
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # Somebody else's choice stays: `nohup` has it ignored.
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _interrupt)
            ours.append(number)
    return ours


def _stop_again(lost: sys.UnraisableHookArgs) -> None:
    """A stop that reached Python inside code that cannot pass it on, and drops it, comes again a moment later."""
    if lost.exc_type is KeyboardInterrupt:
        ours = signal.getsignal(signal.SIGTERM) is _interrupt
        again = threading.Timer(0.05, interrupt_main, [signal.SIGTERM if ours else signal.SIGINT])
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(lost)


def _interrupt(*_: object) -> None:
    from clika_client.common.running import interrupt

    interrupt()


_LONGEST_NAME = 200
"""Characters of a file's name in a sentence."""


def _explain(error: Exception) -> tuple[int, str]:
    from clika_client.common.errors import ClikaError

    if isinstance(error, ClikaError):
        return error.exit_code, f"error: {error}"
    if isinstance(error, UnicodeDecodeError):
        return 2, f"error: the input is not UTF-8 text: {error}"
    if isinstance(error, OSError) and error.filename is not None:
        name = str(error.filename)
        shown_name = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
        return 2, f"error: {shown_name}: {error.strerror}; name another file, or mend this one"
    return (
        70,
        f"clika failed: {type(error).__name__}: {error}\nPlease report this with what --debug adds to it.",
    )


def _say(message: str) -> None:
    """Write to stderr as plain text: what an error quotes is never markup or a control code."""
    said = shown(message, lines=True)
    if sys.stderr.isatty():
        from clika_client.cli.common import err

        err().print(said, markup=False, soft_wrap=True)
        return
    sys.stderr.write(said + "\n")
