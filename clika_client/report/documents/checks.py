"""Checks as other programs read them: JUnit XML for continuous integration, a summary for GitHub's pages."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from clika_client.common.safe_text import shown
from clika_client.report.documents.formats import for_markdown, markdown
from clika_client.scoring.gates import Check
from clika_client.scoring.records import Scores


def junit(checks: Sequence[Check]) -> str:
    """A suite with one case per check."""
    failed = sum(not check.passed for check in checks)
    suite = ElementTree.Element("testsuite", name="clika", tests=str(len(checks)), failures=str(failed))
    for check in checks:
        case = ElementTree.SubElement(suite, "testcase", classname="clika", name=shown(check.name))
        if not check.passed:
            ElementTree.SubElement(case, "failure", message=shown(check.said))
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def github_summary(checks: Sequence[Check], scores: Scores) -> str:
    """The checks, failed ones first, and the scores."""
    ordered = sorted(checks, key=lambda check: check.passed)
    lines = [f"| {'✓' if c.passed else '✗'} | {for_markdown(c.name)} | {for_markdown(c.said)} |" for c in ordered]
    table = "\n".join(["| | check | |", "|---|---|---|", *lines]) + "\n\n" if checks else ""
    return table + markdown(scores)
