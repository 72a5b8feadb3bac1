"""Results as tables of other tools: data frames of pandas and polars, and HTML for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

from clika_client.common.errors import UserError

if TYPE_CHECKING:
    import pandas
    import polars

_MOST_ROWS = 200


_NULLABLE = {int: "Int64", bool: "boolean"}


class Tabular:
    """Anything that is a list of flat records; a class says which columns a notebook shows."""

    __slots__ = ()
    shown_columns: ClassVar[tuple[str, ...]] = ()
    """Columns of the HTML table; empty for all."""

    def to_records(self) -> list[dict[str, Any]]:
        """One plain dictionary per row; what is undefined is None."""
        raise NotImplementedError

    def to_pandas(self) -> pandas.DataFrame:
        """A DataFrame, one row per record. Raises UserError where pandas is not installed."""
        try:
            import pandas
        except ImportError:
            raise UserError("to_pandas() needs pandas: pip install pandas") from None
        records = self.to_records()
        frame = pandas.DataFrame(records)
        for name in frame.columns:
            # With a null among them pandas makes of whole numbers fractions, and of yes and no objects.
            kinds = {type(record[name]) for record in records} - {type(None)}
            if frame[name].isna().any() and kinds in ({int}, {bool}):
                frame[name] = pandas.array([record[name] for record in records], dtype=_NULLABLE[kinds.pop()])
        return frame

    def to_polars(self) -> polars.DataFrame:
        """A polars DataFrame, one row per record. Raises UserError where polars is not installed."""
        try:
            import polars
        except ImportError:
            raise UserError("to_polars() needs polars: pip install polars") from None
        return polars.DataFrame(self.to_records(), infer_schema_length=None)

    def _repr_html_(self) -> str:
        return html_table(self.to_records(), self.shown_columns)


def html_table(records: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> str:
    """An HTML table of some columns of the records; names and replies come from others, so all is escaped."""
    if not records:
        return "<p>no rows</p>"
    names = [name for name in columns or records[0] if name in records[0]]
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    rows = [
        "<tr>" + "".join(f"<td>{escape(_cell(record.get(name)))}</td>" for name in names) + "</tr>"
        for record in records[:_MOST_ROWS]
    ]
    more = len(records) - len(rows)
    note = f"<p>and {more} more rows: to_pandas() or to_records() holds all</p>" if more > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{note}"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:z.3f}" if isinstance(value, float) else str(value)
