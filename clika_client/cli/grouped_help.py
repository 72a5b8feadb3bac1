"""Help of a command whose options are many: under headings, in plain text."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

REST = "Options"


class Grouped(TyperCommand):
    """A command whose options stand under the headings that they name as their `rich_help_panel`."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, then the options of each heading, in the order in which they are declared."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                argument = param.param_type_name == "argument"
                heading = "Arguments" if argument else getattr(param, "rich_help_panel", None) or REST
                groups.setdefault(heading, []).append(record)
        rest = groups.pop(REST, [])
        for heading, records in [*groups.items(), (REST, rest)]:
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)
