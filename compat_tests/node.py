"""How a Node client's program is started; without Node or the client its suite is skipped."""

from __future__ import annotations

from pathlib import Path

from compat_tests import environments
from compat_tests.requirements import missing, need_program

HERE = Path(__file__).resolve().parent


def node_command(client: str) -> tuple[str, ...]:
    node = need_program("node")
    if not environments.is_there(client):
        missing(f"{client} in .cache/clients")
    modules = environments.CACHE / client / "node_modules"
    return ("env", f"NODE_PATH={modules}", node, str(HERE / client / "program.cjs"))
