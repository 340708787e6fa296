"""The frame of every command: its common options, the connection, what it prints with.

`command` registers a function whose first parameter is the `Session`; the options that every
command has are added here, once.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from godel.cli import output, profile
from godel.cli.exits import Refused, Status, end_with_failures, explaining
from godel.cli.help_page import Command
from godel.cli.output import Column, Format, Row, Section
from godel.client.cluster import DEFAULT_TIMEOUT_MS, Cluster, parse_addresses
from godel.client.outcomes import Outcome
from godel.clock import Clock, SystemClock

T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Any])

DEFAULT_BOOTSTRAP = "127.0.0.1:9092"
DEFAULT_CLIENT_ID = "godel"

COMMON = "Common options"

Output = Annotated[
    Format | None,
    typer.Option(
        "--output", "-o", envvar="GODEL_OUTPUT", metavar="|".join(Format), rich_help_panel=COMMON,
        show_default="table", help="How results are written.",
    ),
]  # fmt: skip
Bootstrap = Annotated[
    str | None,
    typer.Option(
        "--bootstrap", "-b", envvar="GODEL_BOOTSTRAP", metavar="HOST:PORT,...",
        rich_help_panel=COMMON, show_default=DEFAULT_BOOTSTRAP, help="Brokers to ask first.",
    ),
]  # fmt: skip
ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile", envvar="GODEL_PROFILE", metavar="NAME", rich_help_panel=COMMON,
        help="A profile of ~/.config/godel/config.toml.",
    ),
]  # fmt: skip
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout", envvar="GODEL_TIMEOUT", metavar="SECONDS", min=0.001, rich_help_panel=COMMON,
        show_default=f"{DEFAULT_TIMEOUT_MS // 1000}",
        help="How long to try before giving up.",
    ),
]  # fmt: skip
Debug = Annotated[
    bool,
    typer.Option("--debug", envvar="GODEL_DEBUG", rich_help_panel=COMMON, help="Show tracebacks."),
]
COMMON_OPTIONS: dict[str, tuple[Any, Any]] = {
    "output": (Output, None),
    "bootstrap": (Bootstrap, None),
    "profile": (ProfileName, None),
    "timeout": (Timeout, None),
    "debug": (Debug, False),
}
"""What every command has, and its default."""
Yes = Annotated[
    bool,
    typer.Option("--yes", "-y", help="Do not ask back."),
]
"""For the commands that ask back."""
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works with."""

    bootstrap: str
    format: Format
    timeout_ms: float
    client_id: str
    clock: Clock

    @classmethod
    def of(
        cls,
        *,
        output: Format | None,
        bootstrap: str | None,
        profile_name: str | None,
        timeout_s: float | None,
    ) -> Session:
        """Flags and environment over the profile over defaults."""
        chosen = profile.load(profile_name)
        timeout_s = timeout_s or chosen.timeout_s
        return cls(
            bootstrap=bootstrap or chosen.bootstrap or DEFAULT_BOOTSTRAP,
            format=output or chosen.output or Format.TABLE,
            timeout_ms=timeout_s * 1000 if timeout_s else DEFAULT_TIMEOUT_MS,
            client_id=chosen.client_id or DEFAULT_CLIENT_ID,
            clock=SystemClock(),
        )

    def run(self, work: Callable[[Cluster], Awaitable[T]]) -> T:
        """Do something with the cluster, on an event loop of its own."""
        import anyio  # not for `--help`

        async def main() -> T:
            async with self.cluster() as cluster:
                return await work(cluster)

        try:
            return anyio.run(main)
        except KeyboardInterrupt:
            if sys.stderr.isatty():
                output.say("")  # the terminal shows ^C: what is said next gets a line of its own
            raise

    def cluster(self) -> Cluster:
        return Cluster(
            parse_addresses(self.bootstrap),
            client_id=self.client_id,
            timeout_ms=self.timeout_ms,
            clock=self.clock,
        )

    @property
    def is_for_people(self) -> bool:
        return self.format is Format.TABLE

    def rows(self, rows: Iterable[Row], *keys: str | Column) -> None:
        output.show_rows(self.format, rows, output.columns(*keys))

    def description(
        self, row: Row, layout: Sequence[Column], sections: Sequence[Section] = ()
    ) -> None:
        output.show_description(self.format, row, layout, sections)

    def descriptions(
        self, rows: Sequence[Row], layout: Sequence[Column], sections: Sequence[Section] = ()
    ) -> None:
        """One below the other for people; otherwise a list of all there is to say."""
        if not self.is_for_people:
            self.rows(rows)
            return
        for at, row in enumerate(rows):
            if at:
                output.write("\n")
            self.description(row, layout, sections)

    def outcomes(
        self, key: str, outcomes: Sequence[Outcome], *, done: str, known: Sequence[str] = ()
    ) -> None:
        """What became of each of several things; the exit status tells when one has failed."""
        rows = [
            {key: each.name, "status": each.error.code.name if each.error else done}
            for each in outcomes
        ]
        self.rows(rows, key, "status")
        end_with_failures([each for each in outcomes if each.error], known)


def command(app: typer.Typer, name: str, *examples: str) -> Callable[[Function], Function]:
    """Register `function(session, ...)` as a command, with the common options and its examples."""

    def register(function: Function) -> Function:
        @functools.wraps(function)
        def run(context: typer.Context, **options: Any) -> None:
            chosen = {name: common_option(context, name) for name in COMMON_OPTIONS}
            own = {name: value for name, value in options.items() if name not in COMMON_OPTIONS}
            with explaining(debug=chosen["debug"]):
                session = Session.of(
                    output=chosen["output"],
                    bootstrap=chosen["bootstrap"],
                    profile_name=chosen["profile"],
                    timeout_s=chosen["timeout"],
                )
                function(session, **own)

        run.__signature__ = _with_common_options(function)  # type: ignore[attr-defined]  # typer reads it
        run.__annotations__ = {}
        app.command(name, epilog=epilog(examples), cls=Command)(run)
        return function

    return register


def common_option(context: typer.Context, name: str) -> Any:
    """What was said behind the command; else before it, as in `godel -b HOST topics list`."""
    root = context.find_root()
    here, above = (each.get_parameter_source(name) for each in (context, root))
    said_before = above is not None and above.name == "COMMANDLINE"
    said_behind = here is not None and here.name == "COMMANDLINE"
    return (root if said_before and not said_behind else context).params[name]


def epilog(examples: Sequence[str]) -> str:
    """Examples as the last part of a command's help: one paragraph each, which typer keeps."""
    return "\n\n".join(["Examples:", *examples])


def _with_common_options(function: Callable[..., Any]) -> inspect.Signature:
    hints = get_type_hints(function, include_extras=True)
    own = [
        parameter.replace(annotation=hints[parameter.name])
        for parameter in list(inspect.signature(function).parameters.values())[1:]
    ]
    keyword = inspect.Parameter.KEYWORD_ONLY
    added = [
        inspect.Parameter(name, keyword, annotation=annotation, default=default)
        for name, (annotation, default) in COMMON_OPTIONS.items()
    ]
    context = inspect.Parameter(
        "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    return inspect.Signature([context, *own, *added])


def confirm(question: str, *, yes: bool) -> None:
    """Ask back before something that cannot be undone. Without a terminal `--yes` is the answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(
            f"{question} Nobody is there to answer",
            hint="--yes says so in advance",
            status=Status.WRONG_USAGE,
        )
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    try:
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        output.say("")
        raise
    if not answer:  # Ctrl-D
        output.say("")
    if answer.strip().lower() not in ("y", "yes"):
        raise Refused("nothing was done")


def key_values(pairs: Iterable[str]) -> dict[str, str]:
    """`KEY=VALUE` options as a mapping."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"{pair!r} is not KEY=VALUE")
        found[key] = value
    return found
