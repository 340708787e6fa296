"""`godel`: the command line. One module per noun; only the one that is asked for is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from godel import __version__
from godel.cli.exits import main_with_status
from godel.cli.help_page import Group
from godel.cli.session import Bootstrap, Debug, Output, ProfileName, Timeout

NOUNS = {
    "topics": "godel.cli.topics",
    "groups": "godel.cli.groups",
    "consumers": "godel.cli.consumers",
    "configs": "godel.cli.configs",
    "broker": "godel.cli.broker",
    "bench": "godel.cli.bench",
}
"""Groups of commands, in the order of the help, and the module that has them as `app`."""

VERBS = {
    "produce": "godel.cli.produce",
    "consume": "godel.cli.consume",
    "commit": "godel.cli.commit",
    "api": "godel.cli.api",
    "export": "godel.cli.exporting",
    "import": "godel.cli.importing",
    "doctor": "godel.cli.doctor",
}
"""Commands that stand alone, and the module whose `app` has just that one."""

COMPLETING = "_GODEL_COMPLETE"


def main(arguments: Sequence[str] | None = None) -> int:
    """The program `godel`. Returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    program = build(None if COMPLETING in os.environ else words)
    return main_with_status(lambda: program(words, prog_name="godel", standalone_mode=False))


def build(words: Sequence[str] | None = None) -> typer.Typer:
    """The command line; for given words just the part that they need."""
    about = "Work with a Kafka cluster: Gödel or Apache Kafka."
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        cls=Group,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(help=about)(_options)
    modules = NOUNS | VERBS
    wanted = [words[0]] if words and words[0] in modules else modules
    for name in wanted:
        part: typer.Typer = import_module(modules[name]).app
        app.add_typer(part, name=None if name in VERBS else name, cls=Group)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"godel {__version__}")
        raise typer.Exit


def _options(
    *,
    output: Output = None,
    bootstrap: Bootstrap = None,
    profile: ProfileName = None,
    timeout: Timeout = None,
    debug: Debug = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    """What `godel` takes before a command: `session.py` looks it up."""
    del output, bootstrap, profile, timeout, debug, version


def entry() -> None:
    """What the installed program calls."""
    sys.exit(main())
