"""docs/benchmarks.md and its picture, of what was measured: python benchmarks/report.py

Takes what `broker.py` has kept in benchmarks/results/; no figure that nobody measured.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from broker import PARTS, RESULTS
from brokers import HERE, NAMES
from figures import Row, median, table

PAGE = HERE.parent / "docs" / "benchmarks.md"
PICTURE = HERE.parent / "docs" / "images" / "benchmarks.svg"

HEAD = """# Benchmarks

Written by `python benchmarks/report.py` from what `make bench` has measured; do not edit.

Brokers ran one after another on one machine (for reading in turns all of them at once), each on an
empty folder, in rounds; figures are medians, in brackets the least and the most. Driver and broker
share the cores, so the CPU seconds of the broker for a million records (s/M) are steadier than
rates. Compare ratios within a table, never figures of different runs. How: `benchmarks/README.md`.

![How much of Apache Kafka's CPU and time Gödel needs](images/benchmarks.svg)
"""


def read_results() -> list[dict[str, Any]]:
    return [
        json.loads(path.read_text())
        for path in (RESULTS / f"{part}.json" for part in PARTS)
        if path.exists()
    ]


def section(result: dict[str, Any]) -> str:
    rows = [Row(**row) for row in result["rows"]]
    title = result["part"].replace("_", " ").capitalize()
    rounds = max(map(len, result["taken"].values()))
    where = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
    return (
        f"## {title}\n\n{result['doc']}\n\n{table(rows, result['taken'])}\n\n"
        f"{rounds} round{'s' * (rounds > 1)}; {where}.\n"
    )


# -- the picture ----------------------------------------------------------------------------------

BAR, GAP, LABEL, WIDTH, MARGIN = 14, 6, 380, 320, 30


def ratios(results: list[dict[str, Any]]) -> list[tuple[str, float]]:
    """Of each row in which less is better: Gödel's figure divided by Kafka's.

    Without those in which the system's clock of CPU time has not ticked once.
    """
    found = []
    for result in results:
        ours, kafka = (median(result["taken"].get(name, [])) for name in ("cached", "kafka"))
        for row in result["rows"]:
            name = row["name"]
            if not row["more_is_better"] and kafka.get(name) and ours.get(name):
                found.append((name, ours[name] / kafka[name]))
    return found


def picture(bars: list[tuple[str, float]]) -> str:
    """Bars beside a line at 1, where Kafka is; what is beyond twice that is cut."""
    height = MARGIN + len(bars) * (BAR + GAP) + GAP
    unit = WIDTH / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABEL + WIDTH + 60}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        f'<text x="{LABEL + unit}" y="16" text-anchor="middle">{NAMES["kafka"]}</text>',
        f'<line x1="{LABEL + unit}" y1="22" x2="{LABEL + unit}" y2="{height}" stroke="#888"/>',
    ]
    for number, (name, ratio) in enumerate(bars):
        top = MARGIN + number * (BAR + GAP)
        length = min(ratio, 2) * unit
        color = "#2a7" if ratio <= 1 else "#c63"
        parts += [
            f'<text x="{LABEL - 6}" y="{top + 11}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LABEL}" y="{top}" width="{length:.0f}" height="{BAR}" fill="{color}"/>',
            f'<text x="{LABEL + length + 4:.0f}" y="{top + 11}">{ratio:.2g}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def main() -> None:
    results = read_results()
    write(PAGE, "\n".join([HEAD, *map(section, results)]))
    write(PICTURE, picture(ratios(results)))


if __name__ == "__main__":
    main()
