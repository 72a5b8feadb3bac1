"""`clika batch`: half-price batches that were submitted with `clika run --batch`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clika_client.cli.common import AsJson, Db, database_path, err, out, print_json
from clika_client.cli.server_options import InsecureHttp, KeyCommand
from clika_client.common.errors import IncompleteRun, UserError
from clika_client.common.safe_text import shown

if TYPE_CHECKING:
    from clika_client.asking.batch import Collected
    from clika_client.store.store import Store
    from clika_providers import ProviderOptions

app = typer.Typer(help="Half-price batches: see how they stand, collect them, cancel them.", no_args_is_help=True)

BaseUrl = Annotated[str | None, typer.Option(help="Address the batches were sent to, if not the usual one.")]
POLL_SECONDS = 30.0


@app.command("status")
def status(
    base_url: BaseUrl = None,
    key_command: KeyCommand = None,
    insecure_http: InsecureHttp = False,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Ask how the batches that are not collected yet stand."""
    from clika_client.asking.batch import status as ask

    with _store(db) as store:
        found = ask(store, _options(base_url, key_command, insecure_http))
    _show(found, as_json)
    _complain(found)


@app.command("collect")
def collect(
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all batches are over.")] = False,
    poll: Annotated[float, typer.Option(min=0.1, help="Seconds between two questions when waiting.")] = POLL_SECONDS,
    prices: Annotated[Path | None, typer.Option(help="Your own price table, for models without a known price.")] = None,
    base_url: BaseUrl = None,
    key_command: KeyCommand = None,
    insecure_http: InsecureHttp = False,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Store the results of every batch that is over; the same run then asks or submits only what is missing."""
    from clika_client.asking.batch import collect as take

    over: list[Collected] = []
    with _store(db) as store:
        while True:
            found = take(store, _options(base_url, key_command, insecure_http), prices)
            over += [c for c in found if c.status.is_over]
            running = [c for c in found if not c.status.is_over]
            if not [c for c in running if not c.error] or not wait:
                break
            err().print(f"{len(running)} batches are still running; asking again in {poll:g} s", markup=False)
            time.sleep(poll)
    _show(over + running, as_json)
    _complain(over + running)
    lost = sum(c.failed + c.missing for c in over)
    if lost:
        raise IncompleteRun(f"{lost} requests got no answer; run the same `clika run` again to ask only those")


@app.command("cancel")
def cancel(
    number: Annotated[int, typer.Argument(help="The batch's number in `clika batch status`.")],
    base_url: BaseUrl = None,
    key_command: KeyCommand = None,
    insecure_http: InsecureHttp = False,
    db: Db = None,
) -> None:
    """Stop a batch; what was finished is billed and can still be collected."""
    from clika_client.asking.batch import cancel as stop

    with _store(db) as store:
        state = stop(store, number, _options(base_url, key_command, insecure_http))
    err().print(f"batch {number}: {state.vendor_state}", markup=False)


@app.command("forget")
def forget(
    number: Annotated[int, typer.Argument(help="The batch's number in `clika batch status`.")], db: Db = None
) -> None:
    """Give up a batch that the vendor no longer has: its questions may be sent again, and paid again."""
    from clika_client.asking.batch import forget as give_up

    with _store(db) as store:
        batch = give_up(store, number)
    err().print(f"batch {number} is forgotten; {batch.ticket.requests} requests may be sent again", markup=False)


def _store(db: Any) -> Store:
    from clika_client.store.store import Store

    path = database_path(db)
    if not path.exists():
        raise UserError(f"there is no database at {path}; batches are kept in the one given to `clika run --batch`")
    return Store(path)


def _options(base_url: str | None, key_command: str | None, insecure_http: bool) -> ProviderOptions:
    from clika_providers import ProviderOptions

    return ProviderOptions(base_url=base_url, key_command=key_command, insecure_http=insecure_http)


def _complain(found: list[Collected]) -> None:
    unknown = [c for c in found if c.error]
    if unknown:
        raise IncompleteRun(
            "; ".join(f"batch {c.batch.number}: {c.error}" for c in unknown[:5])
            + (f"; and {len(unknown) - 5} more" if len(unknown) > 5 else "")
        )


def _show(found: list[Collected], as_json: bool) -> None:
    rows = [
        {
            "batch": c.batch.number,
            "model": c.batch.ticket.spec,
            "vendor_id": c.batch.ticket.batch_id,
            "run": c.batch.run_id,
            "state": "unknown" if c.error else c.status.state,
            "requests": c.batch.ticket.requests,
            "done": c.status.done,
            "answered": c.answered,
            "failed": c.failed,
            "missing": c.missing,
            "message": c.error or c.status.message,
        }
        for c in found
    ]
    if as_json:
        print_json({"batches": rows})
        return
    if not rows:
        out().print("no batch is waiting", markup=False)
    for row in rows:
        stored = f", {row['answered']} answers stored" if row["answered"] else ""
        why = f": {row['message']}" if row["message"] else ""
        line = f"{row['batch']}  {row['model']}  {row['state']}, {row['done']} of {row['requests']} done{stored}{why}"
        out().print(shown(line), markup=False, soft_wrap=True)
