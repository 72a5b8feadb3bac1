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
from importlib import import_module
from typing import Annotated, Any

import typer

from clika_client.cli import completion
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
    if value and not completion.asked():
        from clika_providers.install import own_version

        typer.echo(f"clika {own_version()}")
        raise typer.Exit


@app.callback()
def _main(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Does a language model know the same things in every language?"""


COMMANDS = {
    "demo": "demo_cmd:demo",
    "run": "run_cmd:run",
    "init": "init_cmd:init",
    "runs": "runs_cmd:app",
    "batch": "batch_cmd:app",
    "score": "score_cmd:score",
    "answers": "answers_cmd:answers",
    "export": "export_cmd:export",
    "compare": "compare_cmd:compare",
    "items": "items_cmd:items",
    "power": "power_cmd:power",
    "import": "import_cmd:import_",
    "report": "report_cmd:report",
    "view": "view_cmd:view",
    "cite": "cite_cmd:cite",
    "reproduce": "reproduce_cmd:reproduce",
    "sets": "sets_cmd:sets_app",
    "judge": "judge_cmd:judge",
    "prompt": "prompt_cmd:prompt",
    "models": "models_cmd:app",
    "cache": "cache_cmd:app",
    "doctor": "doctor_cmd:doctor",
    "teach": "teach_cmd:teach_app",
}
"""Every command in the order of the help: the module and name of its function, or of the commands below it.

Loaded when it is asked for: all of them take a third of the time that starting takes.
"""


_GIVES_TO = {"runs": ("run",)}
"""Commands that hand their work to another one: a run is repeated and resumed by `run`."""


@cache
def command(name: str | None = None) -> Callable[..., Any]:
    """The command line with one command, or with all where none is named, made once.

    Reading the types of a thousand options takes longer than many a command.
    """
    asked = copy(app)
    asked.registered_commands, asked.registered_groups = [], []
    for each in COMMANDS if name is None else (name, *_GIVES_TO.get(name, ())):
        module, _, place = COMMANDS[each].partition(":")
        found = getattr(import_module(f"clika_client.cli.{module}"), place)
        if isinstance(found, typer.Typer):
            asked.add_typer(found, name=each)
        else:
            asked.command(each, cls=Studied if each == "run" else None)(found)
    return typer.main.get_command(asked)


def _named(arguments: list[str]) -> str | None:
    """The command that a command line begins with; None where it is none of ours."""
    return arguments[0] if arguments and arguments[0] in COMMANDS else None


def run(arguments: list[str] | None = None) -> None:
    """Run a command line and leave with its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments or bool(os.environ.get("CLIKA_DEBUG"))
    arguments = [a for a in arguments if a != "--debug"]
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    if completion.asked():
        completion.complete(lambda words: command(_named(words)))
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
    except typer.Abort:  # a question answered with no, or not at all: every command asks before it acts
        _say("nothing was changed; --yes goes on without being asked")
        sys.exit(3)
    except KeyboardInterrupt:
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
        again = threading.Timer(0.05, _raise_in_main, [signal.SIGTERM if ours else signal.SIGINT])
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(lost)


def _raise_in_main(number: signal.Signals) -> None:
    """As if the signal came from outside: it also ends a wait that the main thread stands in, where threads get any."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        interrupt_main(number)


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
