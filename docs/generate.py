"""Writes the pages of docs/ that follow from the code: `make docs`.

`--check` writes nothing and fails when a page is stale or missing (`make test` runs it). The table
of APIs comes from `godel.handlers`, the settings from `godel.config`, the metrics from
`godel.metrics`, deviations from Kafka from what follows "Deviation:" in a paragraph of the
handlers' docstrings.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path

import cli_page

from godel.cli.kafka_apis import KAFKA_APIS, KAFKA_RELEASE
from godel.config import BrokerConfig, GroupConfig, Setting, TopicConfig, ValueType, kafka_keys
from godel.handlers import APIS
from godel.metrics import TIME_BOUNDS_MS, Declared, Metrics
from godel.protocol.api import Api

DOCS = Path(__file__).resolve().parent
WRITTEN_BY = "<!-- Written by docs/generate.py (make docs); do not edit. -->"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the generated pages of docs/.")
    parser.add_argument("--check", action="store_true", help="only say which pages are stale")
    check_only: bool = parser.parse_args(arguments).check
    stale = [page for page, text in pages().items() if read(page) != text]
    if check_only:
        for page in stale:
            print(f"docs/{page} is stale: run `make docs` and commit it", file=sys.stderr)
        return 1 if stale else 0
    for page in stale:
        (DOCS / page).parent.mkdir(exist_ok=True)
        (DOCS / page).write_text(pages()[page], encoding="utf-8")
        print(f"docs/{page} written")
    return 0


def pages() -> dict[str, str]:
    return {
        "generated/apis.md": apis_page(APIS),
        "generated/configs.md": configs_page(),
        "generated/cli.md": page("The command line", *cli_page.parts()),
        "generated/metrics.md": metrics_page(Metrics().families()),
        "compatibility.md": compatibility_page(APIS, read("deviations.md")),
    }


def read(page: str) -> str:
    path = DOCS / page
    return path.read_text(encoding="utf-8") if path.exists() else ""


# --- APIs ----------------------------------------------------------------------------------------


def apis_page(apis: Iterable[Api]) -> str:
    kafka = {api.key: api for api in KAFKA_APIS}
    rows = [
        (
            str(api.key),
            api.name,
            span(*api.versions),
            span(first_accepted(api), api.versions[1]),
            span(kafka[api.key].first, kafka[api.key].last) if api.key in kafka else "-",
            f"{api.request.FLEXIBLE_SINCE}+" if has_flexible(api) else "none",
            purpose(api),
        )
        for api in sorted(apis, key=lambda api: api.key)
    ]
    heading = ("key", "API", "advertised", "accepted", f"Kafka {KAFKA_RELEASE}", "flexible", "what")
    return page(
        "APIs",
        "The APIs that this broker answers, from the table in `godel/handlers/__init__.py`. "
        "*Advertised* is what ApiVersions tells clients, *accepted* what is really served.",
        table(heading, rows),
    )


def compatibility_page(apis: Sequence[Api], written_by_hand: str) -> str:
    ours = {api.key: api for api in apis}
    count = sum(1 for kafka in KAFKA_APIS if kafka.key in ours)
    introduction = (
        f"Of the {len(KAFKA_APIS)} APIs that clients of Apache Kafka {KAFKA_RELEASE} know, "
        f"{count} are there. What is not there is not advertised either, so that clients can tell. "
        "[generated/apis.md](generated/apis.md) has more about each, "
        "[generated/configs.md](generated/configs.md) every setting."
    )
    families = dict.fromkeys(kafka.family for kafka in KAFKA_APIS)
    return page(
        "Compatibility with Apache Kafka",
        introduction,
        "## APIs",
        *(family_table(family, ours) for family in families),
        "## Where an API answers differently",
        deviations_list(apis),
        written_by_hand.strip(),
    )


def family_table(family: str, ours: Mapping[int, Api]) -> str:
    rows = [
        (kafka.name, str(kafka.key), span(kafka.first, kafka.last), coverage(ours.get(kafka.key)))
        for kafka in KAFKA_APIS
        if kafka.family == family
    ]
    heading = ("API", "key", f"Kafka {KAFKA_RELEASE}", "here")
    return f"### {family}\n\n{table(heading, rows)}"


def coverage(api: Api | None) -> str:
    if api is None:
        return "-"
    first, last = first_accepted(api), api.versions[1]
    advertised = "" if first == api.versions[0] else f" (advertised from {api.versions[0]})"
    return f"{span(first, last)}{advertised}"


def first_accepted(api: Api) -> int:
    return api.versions[0] if api.accepted_from is None else api.accepted_from


def has_flexible(api: Api) -> bool:
    return api.request.VERSIONS[1] >= api.request.FLEXIBLE_SINCE


def span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def docstring(api: Api) -> str:
    return inspect.getdoc(sys.modules[inspect.unwrap(api.handle).__module__]) or ""


def purpose(api: Api) -> str:
    """The first sentence of the handler's docstring, after `Name (key N): `."""
    paragraph = docstring(api).split("\n\n")[0].replace("\n", " ")
    sentence = re.split(r"\.(?: |$)", paragraph.partition("): ")[2] or paragraph)[0]
    return capital(sentence)


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def deviations_list(apis: Iterable[Api]) -> str:
    lines = []
    for api in sorted(apis, key=lambda api: api.key):
        lines += [f"- **{api.name}**: {capital(text)}" for text in deviations(docstring(api))]
    return "\n".join(lines) or "Nowhere that we know of."


def deviations(text: str) -> Iterator[str]:
    """What a docstring says after "Deviation:"; a reference to another module is followed."""
    for paragraph in text.split("\n\n"):
        found = re.search(r"\bDeviations?: (.+)", " ".join(paragraph.split()))
        if found is None:
            continue
        elsewhere = re.match(r"see `([\w/]+)\.py`", found[1], re.IGNORECASE)
        if elsewhere is None:
            yield found[1]
        else:
            module = import_module(f"godel.{elsewhere[1].replace('/', '.')}")
            yield from deviations(inspect.getdoc(module) or "")


# --- settings ------------------------------------------------------------------------------------


def configs_page() -> str:
    return page(
        "Settings",
        "Every setting, under Kafka's name, from the declarations in `godel/config/`. "
        "`godel-broker config` shows the values in force and where each one comes from. "
        "*Live*: IncrementalAlterConfigs may change it while the broker runs.",
        "## Broker",
        settings_table(BrokerConfig.SETTINGS.values(), last="live", of=live),
        "## Topics",
        "A topic that does not set one of these follows the broker setting named last.",
        settings_table(TopicConfig.SETTINGS.values(), last="default from", of=default_from),
        "## Groups",
        settings_table(GroupConfig.SETTINGS.values(), last="default from", of=default_from),
        "## Settings of Apache Kafka that this broker does not have",
        "A `server.properties` written for Apache Kafka can be handed over as it is. What means "
        "nothing here is named once, when the broker starts, and ignored:",
        table(("ignored, because", "settings"), ignored_settings()),
        "What would leave the broker less safe than the file says is refused, and the broker does "
        "not start until it is taken out:",
        table(("refused, because", "settings"), refused_settings()),
    )


def ignored_settings() -> Iterator[tuple[str, str]]:
    for reason, names in kafka_keys.IGNORED_NAMES.items():
        yield reason, quoted(sorted(names.split()))
    for prefix, reason in kafka_keys.IGNORED_PREFIXES.items():
        yield reason, f"`{prefix}*`"


def refused_settings() -> Iterator[tuple[str, str]]:
    by_reason: dict[str, list[str]] = {}
    for name, reason in kafka_keys.REFUSED.items():
        by_reason.setdefault(reason, []).append(f"`{name}`")
    for prefix, reason in kafka_keys.REFUSED_PREFIXES.items():
        by_reason.setdefault(reason, []).append(f"`{prefix}*`, but for what is ignored")
    for name, (harmless, reason) in kafka_keys.HARMLESS_VALUES.items():
        by_reason.setdefault(reason, []).append(f"`{name}` other than `{harmless[0]}`")
    return ((reason, ", ".join(names)) for reason, names in by_reason.items())


def quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def settings_table(settings: Iterable[Setting], *, last: str, of: Callable[[Setting], str]) -> str:
    rows = [
        (
            f"`{setting.name}`",
            setting.type.name.lower(),
            default(setting),
            bounds(setting),
            setting.doc + ("" if setting.effect else " *Kept and shown, without effect.*"),
            of(setting),
        )
        for setting in settings
    ]
    return table(("setting", "type", "default", "allowed", "what", last), rows)


def live(setting: Setting) -> str:
    return "yes" if setting.dynamic else ""


def default_from(setting: Setting) -> str:
    return f"`{setting.broker_name}`" if setting.broker_name else ""


def default(setting: Setting) -> str:
    text = setting.format(setting.default)
    if text is None:
        return "unset"
    return f"`{text}`" if text else "empty"


def bounds(setting: Setting) -> str:
    if setting.only is not None:
        return f"only `{setting.format(setting.only)}`"
    if setting.choices:
        return ", ".join(f"`{choice}`" for choice in setting.choices)
    match setting.minimum, setting.maximum:
        case None, None:
            return "true, false" if setting.type is ValueType.BOOLEAN else ""
        case minimum, None:
            return f">= {minimum}"
        case None, maximum:
            return f"<= {maximum}"
        case minimum, maximum:
            return f"{minimum} to {maximum}"


# --- metrics -------------------------------------------------------------------------------------


def metrics_page(families: Iterable[Declared]) -> str:
    rows = [
        (
            f"`{family.name}`",
            family.kind,
            family.unit,
            ", ".join(f"`{label}`" for label in family.labels),
            family.doc,
        )
        for family in families
    ]
    bounds = ", ".join(f"{bound:g}" for bound in TIME_BOUNDS_MS)
    return page(
        "Metrics",
        "What `/metrics` shows on the address that `metrics.listener` names, from the declarations "
        "in `godel/metrics/`. Names with `kafka_` are those under which Prometheus' JMX exporter "
        "shows the same of Apache Kafka (of groups: kafka_exporter); `godel_` begins what Kafka "
        "does not have. Besides these there are `process_cpu_seconds_total`, "
        "`process_resident_memory_bytes` and the other usual ones of a process.",
        table(("metric", "kind", "unit", "labels", "what"), rows),
        f"Histograms have the buckets {bounds} ms.",
        "A metric has at most 10,000 series in an answer; one that has more, cannot be read within "
        "two seconds or cannot be read at all is named by `godel_metrics_series_left_out`.",
    )


# --- Markdown ------------------------------------------------------------------------------------


def page(title: str, *parts: str) -> str:
    return "\n\n".join((WRITTEN_BY, f"# {title}", *(part for part in parts if part))) + "\n"


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(map(escape, line))} |" for line in lines)


def escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    raise SystemExit(main())
