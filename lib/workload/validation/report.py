"""A run's results as files: JUnit XML for machines, one HTML page for people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from workload.validation.results import Outcome, reasons

TEMPLATES = Path(__file__).parents[1] / "templates" / "tempest"
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold."""


def write_junit(path: Path, name: str, outcomes: Sequence[Outcome]) -> None:
    """Write JUnit XML, as CI systems read it."""
    suite = ElementTree.Element(
        "testsuite",
        name=name,
        tests=str(len(outcomes)),
        failures=str(_count(outcomes, "failed")),
        skipped=str(_count(outcomes, "skipped")),
        errors="0",
        time=f"{sum(outcome.seconds for outcome in outcomes):.3f}",
    )
    for outcome in outcomes:
        owner, _, test = outcome.name.rpartition(".")
        case = ElementTree.SubElement(
            suite, "testcase", classname=owner, name=test, time=f"{outcome.seconds:.3f}"
        )
        detail = _NOT_XML.sub("?", outcome.detail)
        if outcome.status == "failed":
            last = detail.strip().splitlines()[-1:] or [""]
            ElementTree.SubElement(case, "failure", message=last[0]).text = detail
        elif outcome.status == "skipped":
            ElementTree.SubElement(case, "skipped", message=detail)
    ElementTree.indent(suite)
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def write_html(
    path: Path,
    title: str,
    facts: Mapping[str, str],
    outcomes: Sequence[Outcome],
    missing: Sequence[str],
    left: Sequence[str],
) -> None:
    """Write one HTML page that needs nothing else.

    Args:
        path: where.
        title: what was run.
        facts: what to tell about the run: name -> value.
        outcomes: of all tests.
        missing: listed tests that are not installed.
        left: what the run left in the cloud.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        parts.setdefault(outcome.part, []).append(outcome)
    path.write_text(
        environment.get_template("report.html.j2").render(
            title=title,
            facts=facts,
            parts=dict(sorted(parts.items())),
            counts={
                status: _count(outcomes, status) for status in ("passed", "failed", "skipped")
            },
            reasons=reasons(outcomes),
            missing=missing,
            left=left,
        )
    )


def _count(outcomes: Sequence[Outcome], status: str) -> int:
    return sum(outcome.status == status for outcome in outcomes)
