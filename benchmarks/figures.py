"""Rows and their budgets, tables of them, and the files that keep what was measured."""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from brokers import NAMES
from measurement import Figures

MIB = 1 << 20


@dataclass(frozen=True)
class Row:
    """One line of a table: a figure, its unit, and what it may be.

    `budget` is absolute; `budget_ratio` bounds ours divided by Kafka's, `durable_ratio` durable
    divided by cached. Which side is good follows from `more_is_better`.
    """

    name: str
    unit: str
    budget: float | None = None
    budget_ratio: float | None = None
    durable_ratio: float | None = None
    more_is_better: bool = False


def rate_rows(name: str, *, with_bytes: bool = False) -> list[Row]:
    """The rows that `Measurement.rate` notes."""
    rows = [Row(name, "k/s", more_is_better=True), Row(f"{name}, CPU", "s/M")]
    if with_bytes:
        rows.insert(1, Row(f"{name}, MB/s", "MB/s", more_is_better=True))
    return rows


# -- the tables -----------------------------------------------------------------------------------


def shown(figure: float | None) -> str:
    if figure is None:
        return "-"
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"


def ratio(ours: float | None, other: float | None) -> float | None:
    return ours / other if ours is not None and other else None


def verdict(
    row: Row, ours: float | None, relative: float | None, durable: float | None
) -> tuple[str, str]:
    """The budget in words, and how far we are from it."""
    if row.budget is not None:
        budget, figure, text = row.budget, ours, f"{shown(row.budget)} {row.unit}".strip()
    elif row.budget_ratio is not None:
        budget, figure, text = row.budget_ratio, relative, f"{row.budget_ratio:g}x Kafka"
    elif row.durable_ratio is not None:
        budget, figure = row.durable_ratio, durable
        text = f"{row.durable_ratio:g}x cached, durable"
    else:
        return "", ""
    sign = "≥" if row.more_is_better else "≤"
    if figure is None or figure == 0:
        return f"{sign} {text}", "-"
    over = budget / figure if row.more_is_better else figure / budget
    if over <= 1:
        return f"{sign} {text}", "within"
    return f"{sign} {text}", f"{over:.2f}x off" + (" **(more than twice)**" if over > 2 else "")


def table(rows: list[Row], taken: dict[str, list[Figures]]) -> str:
    """Medians with their spread; the ratio is that of Gödel cached to Kafka."""
    names = list(taken)
    medians = {name: median(taken[name]) for name in names}
    lines = [
        f"| | {' | '.join(NAMES[name] for name in names)} | Gödel / Kafka | budget | |",
        "|---|" + "--:|" * (len(names) + 1) + "---|---|",
    ]
    for row in rows:
        kafka = medians.get("kafka", {}).get(row.name)
        cached = medians.get("cached", {}).get(row.name)
        relative = ratio(cached, kafka)
        durable = ratio(medians.get("durable", {}).get(row.name), cached)
        cells = [f"{row.name} ({row.unit})" if row.unit else row.name]
        cells += [with_spread(row.name, taken[name]) for name in names]
        cells += [shown(relative), *verdict(row, cached, relative, durable)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def median(taken: list[Figures]) -> Figures:
    names = dict.fromkeys(name for figures in taken for name in figures)
    return {
        name: statistics.median(figures[name] for figures in taken if name in figures)
        for name in names
    }


def with_spread(name: str, taken: list[Figures]) -> str:
    """The median, and behind it the least and the most where there was more than one round."""
    figures = [each[name] for each in taken if name in each]
    if not figures:
        return "-"
    middle = shown(statistics.median(figures))
    return (
        middle if len(figures) == 1 else f"{middle} ({shown(min(figures))}–{shown(max(figures))})"
    )


# -- the files ------------------------------------------------------------------------------------


def machine() -> dict[str, str]:
    """What the figures were taken on."""
    p50_ms, p99_ms = fdatasync_ms()
    return {
        "when": time.strftime("%Y-%m-%d"),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "processor": processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "fdatasync of 1 KiB": f"p50 {p50_ms:.2f} ms, p99 {p99_ms:.2f} ms",
    }


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def fdatasync_ms(rounds: int = 200) -> tuple[float, float]:
    """What one fdatasync of 1 KiB costs here: p50 and p99. No durable answer can be faster."""
    times_ms: list[float] = []
    with tempfile.TemporaryFile() as file:
        for _ in range(rounds):
            os.write(file.fileno(), bytes(1024))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times_ms.append((time.perf_counter() - started) * 1000)
    times_ms.sort()
    return times_ms[rounds // 2], times_ms[rounds * 99 // 100]


def save(path: Path, part: str, doc: str, rows: list[Row], taken: dict[str, list[Figures]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {
        "part": part,
        "doc": doc,
        "machine": machine(),
        "rows": [asdict(row) for row in rows],
        "taken": taken,
    }
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
