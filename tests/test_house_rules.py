"""The rules of the house as tests: sizes, names, who may ask the time, who may touch the disk.

What ruff already sees (line length, bare except, unused names, imports) is left to ruff, and the
direction of imports to import-linter; this file holds what no tool knows. A rule that hurts is
changed here, with a reason; it is not broken quietly.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

import pytest

from tests.source_files import ROOT, Source, dotted, python_files, sources

EVERYTHING = ("godel", "tests", "compat_tests", "benchmarks", "examples", "docs")

MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 500
MAX_POSITIONAL_PARAMETERS = 4

IO_MODULES = (
    "godel/storage/real_files.py",
    "godel/metadata/sqlite_store.py",
    "godel/server/",
    "godel/console/",
    "godel/cli/",
    "godel/cluster/",
    "godel/operations/command_line.py",
    "godel/testing.py",
    "godel/pytest_plugin.py",
    "godel/daemon.py",
)
"""The only places that open files, sockets, databases or processes."""

PURE_LAYERS = (
    "godel/protocol/",
    "godel/records/",
    "godel/security/",
    "godel/coordinator/",
    "godel/config/",
)
PURE_EXCEPT = (
    "godel/coordinator/runtime.py",  # the one asynchronous part of the coordinators
    "godel/records/partition_log.py",  # the seam declares what may be awaited, and runs nothing
)

IO_IMPORTS = {
    "fcntl",
    "glob",
    "http",
    "multiprocessing",
    "select",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "socketserver",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "urllib.request",
}
CONCURRENCY_IMPORTS = {"anyio", "asyncio", "concurrent", "queue", "sched", "threading", "uvloop"}
CLOCK_IMPORTS = {"random", "secrets", "time"}
CLOCK_CALLS = {
    "asyncio.sleep": "clock.sleep",
    "anyio.sleep": "clock.sleep",
    "datetime.now": "clock.now_ms()",
    "datetime.utcnow": "clock.now_ms()",
    "datetime.today": "clock.now_ms()",
    "date.today": "clock.now_ms()",
    "os.urandom": "Randomness",
    "uuid.uuid1": "Randomness.uuid_bytes()",
    "uuid.uuid4": "Randomness.uuid_bytes()",
}
IO_CALLS = {"open", "io.open", "os.open", "input", "print", "breakpoint"}
ENVIRONMENT = {"os.environ", "os.getenv", "os.putenv"}
ENVIRONMENT_READERS = ("godel/daemon.py", "godel/cli/", "godel/pytest_plugin.py")

BANNED_NAMES = {"manager", "helper", "util", "misc", "common", "data", "info"}

UNMIRRORED = {
    "godel/protocol/messages/": "declarations; tests/protocol compares all of them with Kafka's",
    "godel/metadata/store.py": "the seam; tests/contracts/ runs its suite on every store",
}
"""Modules with logic and without a test module of their own, and why."""


class Violation(NamedTuple):
    path: str
    line: int
    advice: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.advice}"


def is_within(path: str, places: Iterable[str]) -> bool:
    return any(
        path == place or (place.endswith("/") and path.startswith(place)) for place in places
    )


def demand_none(violations: Iterable[Violation]) -> None:
    found = sorted(violations)
    if found:
        pytest.fail("\n".join(map(str, found)), pytrace=False)


def imported_modules(source: Source) -> Iterator[tuple[int, str]]:
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module


def is_one_of(module: str, banned: set[str]) -> bool:
    return module in banned or module.split(".")[0] in banned


# --- sizes ---------------------------------------------------------------------------------------


def test_functions_are_short() -> None:
    demand_none(
        Violation(source.path, node.lineno, f"{node.name} has {lines} lines: split it (60 at most)")
        for source in sources("godel", "docs")
        for node, _ in source.functions()
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    )


def test_files_are_short() -> None:
    demand_none(
        Violation(source.path, MAX_FILE_LINES, f"{lines} lines: split the file (500 at most)")
        for source in sources(*EVERYTHING)
        if (lines := source.text.count("\n")) > MAX_FILE_LINES
    )


def test_functions_take_few_positional_parameters() -> None:
    """Three is the aim, four the limit, and private functions are free: keywords cost time."""
    demand_none(
        Violation(
            source.path,
            node.lineno,
            f"{node.name} takes {count} positional parameters: put `*` before what needs its name",
        )
        for source in sources("godel")
        for node, bound in source.functions()
        if (count := len(node.args.posonlyargs) + len(node.args.args) - bound)
        > MAX_POSITIONAL_PARAMETERS
        and not node.name.startswith("_")
    )


# --- time, randomness, input and output ----------------------------------------------------------


def forbidden_imports(source: Source, banned: set[str], advice: str) -> Iterator[Violation]:
    for line, module in imported_modules(source):
        if is_one_of(module, banned):
            yield Violation(source.path, line, f"imports {module}: {advice}")


def is_yield_to_loop(call: ast.Call) -> bool:
    """`sleep(0)` waits for no time; it lets others run."""
    match call.args:
        case [ast.Constant(value=0)]:
            return dotted(call.func).endswith("sleep")
        case _:
            return False


def clock_violations(source: Source) -> Iterator[Violation]:
    advice = "take a Clock or a Randomness (godel/clock.py) instead"
    yield from forbidden_imports(source, CLOCK_IMPORTS, advice)
    yields = {call.func.lineno for call in source.calls() if is_yield_to_loop(call)}
    for line, name in source.names:
        instead = CLOCK_CALLS.get(".".join(name.split(".")[-2:]))
        if instead is not None and line not in yields:
            yield Violation(source.path, line, f"{name}: use {instead}")


def io_violations(source: Source) -> Iterator[Violation]:
    advice = "input and output belong in storage/real_files.py, server/ or a composition root"
    yield from forbidden_imports(source, IO_IMPORTS, advice)
    for call in source.calls():
        if (name := dotted(call.func)) in IO_CALLS:
            yield Violation(source.path, call.lineno, f"calls {name}: {advice}")


def purity_violations(source: Source) -> Iterator[Violation]:
    advice = "this layer is pure: pass a value or a callable"
    yield from forbidden_imports(source, CONCURRENCY_IMPORTS | {"os"}, advice)
    waiting = ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith
    for node in source.nodes:
        if isinstance(node, waiting):
            yield Violation(source.path, node.lineno, f"async: {advice}")


def test_only_the_clock_asks_for_time_and_chance() -> None:
    demand_none(
        violation
        for source in sources("godel")
        if source.path != "godel/clock.py"
        for violation in clock_violations(source)
    )


def test_input_and_output_stay_behind_their_doors() -> None:
    demand_none(
        violation
        for source in sources("godel")
        if not is_within(source.path, IO_MODULES)
        for violation in io_violations(source)
    )


def test_pure_layers_do_not_wait() -> None:
    demand_none(
        violation
        for source in sources("godel")
        if is_within(source.path, PURE_LAYERS) and not is_within(source.path, PURE_EXCEPT)
        for violation in purity_violations(source)
    )


def test_only_faces_read_the_environment() -> None:
    demand_none(
        Violation(source.path, line, f"{name}: settings arrive as a config model")
        for source in sources("godel")
        if not is_within(source.path, ENVIRONMENT_READERS)
        for line, name in source.names
        if name in ENVIRONMENT
    )


# --- how code is written -------------------------------------------------------------------------

SILENCED = re.compile(r"#\s*(type:\s*ignore|noqa|ruff:\s*noqa|mypy:|pragma:)(?P<rest>.*)")
SILENCED_WITH_REASON = re.compile(r"^\s*(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|\[[\w, -]+\])\W+\w.*\w{2}")


def test_silenced_checks_say_why() -> None:
    advice = "name the rule and say why: `# type: ignore[code]  # reason`"
    demand_none(
        Violation(source.path, number, advice)
        for source in sources(*EVERYTHING)
        if source.path != "tests/test_house_rules.py"
        for number, line in enumerate(source.text.splitlines(), 1)
        if (silenced := SILENCED.search(line)) and not SILENCED_WITH_REASON.match(silenced["rest"])
    )


def is_literal(pattern: ast.pattern) -> bool:
    """Whether a pattern is made of numbers, bytes, strings and None only (no enum, no class)."""
    match pattern:
        case ast.MatchValue(value=ast.Constant() | ast.UnaryOp()) | ast.MatchSingleton():
            return True
        case ast.MatchOr(patterns=patterns) | ast.MatchSequence(patterns=patterns):
            return all(map(is_literal, patterns))
        case ast.MatchAs(pattern=None) | ast.MatchStar():
            return True
        case ast.MatchAs(pattern=ast.pattern() as inner):
            return is_literal(inner)
        case _:
            return False


def is_exhaustive(node: ast.Match) -> bool:
    """Ends in assert_never; over open sets of numbers, bytes or strings any last resort will do."""
    last = node.cases[-1]
    if not (isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None):
        return False
    if all(is_literal(case.pattern) for case in node.cases):
        return True
    return any(
        isinstance(node, ast.Call) and dotted(node.func).endswith("assert_never")
        for node in ast.walk(last)
    )


def test_match_ends_in_assert_never() -> None:
    demand_none(
        Violation(source.path, node.lineno, "end this match with `case _: assert_never(...)`")
        for source in sources("godel")
        for node in source.nodes
        if isinstance(node, ast.Match) and not is_exhaustive(node)
    )


def test_modules_say_what_they_are_for() -> None:
    demand_none(
        Violation(source.path, 1, "write a module docstring: what this file is for")
        for source in sources("godel", "docs")
        if source.text.strip() and not ast.get_docstring(source.tree)
    )


def banned_parts(name: str) -> set[str]:
    words = {word.rstrip("s") for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}
    return {word.lower() for word in words} & (BANNED_NAMES - {"data", "info"})


def test_modules_and_classes_have_telling_names() -> None:
    advice = "name it after what it holds or does"
    modules = (
        Violation(path, 1, f"{stem}: {advice}")
        for path in python_files(*EVERYTHING)
        if (stem := PurePosixPath(path).stem) in BANNED_NAMES
        or stem.rstrip("s") in BANNED_NAMES
        or banned_parts(stem)
    )
    classes = (
        Violation(source.path, node.lineno, f"{node.name}: {advice}")
        for source in sources("godel")
        for node in source.nodes
        if isinstance(node, ast.ClassDef) and banned_parts(node.name)
    )
    demand_none([*modules, *classes])


# --- tests ---------------------------------------------------------------------------------------


def holds_logic(source: Source) -> bool:
    """Whether a module has a function with a body, rather than declarations and protocols only."""
    for node, _ in source.functions():
        body = [each for each in node.body if not is_docstring_or_dots(each)]
        if body:
            return True
    return False


def is_docstring_or_dots(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def mirror(path: str) -> str:
    inside = PurePosixPath(path).relative_to("godel")
    name = inside.parent.name if inside.stem == "__init__" else inside.stem
    return (PurePosixPath("tests") / inside.parent / f"test_{name}.py").as_posix()


def test_each_module_has_its_tests() -> None:
    demand_none(
        Violation(source.path, 1, f"has no tests: write {mirror(source.path)}")
        for source in sources("godel")
        if holds_logic(source)
        and not is_within(source.path, UNMIRRORED)
        and not (ROOT / mirror(source.path)).exists()
    )


def test_exceptions_are_still_needed() -> None:
    """An exception for what no longer exists, or is tested by now, is taken off the list."""
    demand_none(
        Violation(place, 1, "is no exception any more: take it off UNMIRRORED")
        for place in UNMIRRORED
        if not (ROOT / place).exists()
        or (place.endswith(".py") and (ROOT / mirror(place)).exists())
    )


def test_tests_do_not_sleep() -> None:
    demand_none(
        Violation(source.path, call.lineno, "sleeps: drive a ManualClock, or await the event")
        for source in sources("tests")
        if "sleep" in source.text  # most do not, and need not be parsed
        for call in source.calls()
        if dotted(call.func) in {"sleep", "time.sleep", "asyncio.sleep", "anyio.sleep"}
        and not is_yield_to_loop(call)
    )


# --- tracked files -------------------------------------------------------------------------------

# Put together here, so that this file does not name what it forbids.
REGISTRY_HOSTS = (
    "pypi" + ".org",
    "python" + "hosted",
    "repo1.mav" + "en",
    "repo.mav" + "en",
    "npm" + "js",
    "docker" + ".io",
    "gh" + "cr.io",
    "proxy.golang" + ".org",
    "crates" + ".io",
)
ABSOLUTE_PATH = re.compile(r"(?<![\w.\-/{}$])/(?:home|root|work|Users|opt)/[\w.]")


def tracked_files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git clone: what is tracked is unknown")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def location_violations(path: str) -> Iterator[Violation]:
    try:
        text = (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    for number, line in enumerate(text.splitlines(), 1):
        for host in REGISTRY_HOSTS:
            if host in line.lower():
                yield Violation(path, number, f"names the registry {host}: clients know theirs")
        if found := ABSOLUTE_PATH.search(line):
            yield Violation(path, number, f"names a path of one machine ({found[0]}...)")


def test_tracked_files_name_no_machine_and_no_registry() -> None:
    demand_none(violation for path in tracked_files() for violation in location_violations(path))


FILE_IN_PROSE = re.compile(r"`((?:[\w.-]+/)*[\w-]+\.(?:py|md|toml))`|\]\(([\w./-]+\.md)\)")


def named_file_exists(page: str, name: str) -> bool:
    folder = (ROOT / page).parent
    if any((base / name).exists() for base in (ROOT, ROOT / "godel", folder)):
        return True
    return "/" not in name and any((ROOT / "godel").rglob(name))


def test_pages_name_files_that_exist() -> None:
    pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md"]
    demand_none(
        Violation(page, number, f"{name} does not exist (any more): say what is there now")
        for page in pages
        for number, line in enumerate((ROOT / page).read_text("utf-8").splitlines(), 1)
        for found in FILE_IN_PROSE.finditer(line)
        if not named_file_exists(page, name := found[1] or found[2])
    )


MAPPED = re.compile(r"^- \*\*`(\w+)/`\*\*(.*?)(?=^\S)", re.DOTALL | re.MULTILINE)


def test_the_file_map_leads_to_every_file() -> None:
    """But to the handlers of the APIs, which are named like them."""
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    named = {folder: set(re.findall(r"`(\w+\.py)`", said)) for folder, said in MAPPED.findall(page)}
    assert {"handlers", "storage", "cli"} <= named.keys(), "the map looks different: read it anew"
    demand_none(
        Violation(source.path, 1, "is not in the file map of docs/architecture.md: put it there")
        for source in sources(*(f"godel/{folder}" for folder in named))
        for folder, _, name in [source.path.removeprefix("godel/").partition("/")]
        if not ("/" in name or name == "__init__.py" or name in named[folder])
        and not (folder == "handlers" and "def handle(" in source.text)
    )
    demand_none(
        Violation("docs/architecture.md", 1, f"{folder}/{name} does not exist (any more)")
        for folder, names in named.items()
        for name in names
        if not (ROOT / "godel" / folder / name).exists()
    )
