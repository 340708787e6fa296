"""docs/clients/javascript.md, with the modules of the client suites."""

from __future__ import annotations

import pytest

from compat_tests import environments
from compat_tests.documentation.pages import at, check, program, sections
from compat_tests.requirements import missing, need_program

PAGE = "clients/javascript.md"
FOLDERS = {"kafkajs": "kafkajs", "@confluentinc/kafka-javascript": "confluent_js"}


@pytest.mark.parametrize("client", sections(PAGE))
def test_the_program_prints_what_the_page_says(client: str, flights: str) -> None:
    node = need_program("node")
    folder = FOLDERS[client]
    if not environments.is_there(folder):
        missing(f"{client} in .cache/clients")
    shown = program(PAGE, client, "javascript")
    modules = f"NODE_PATH={environments.CACHE / folder / 'node_modules'}"
    quiet = "KAFKAJS_NO_PARTITIONER_WARNING=1"
    check(["env", modules, quiet, node, "-e", at(flights, shown.text)], shown.prints)
