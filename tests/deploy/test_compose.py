"""deploy/compose.yaml against the Compose specification, and against the image."""

from __future__ import annotations

import yaml

from godel.daemon import parser
from tests.deploy.dockerfile import stages
from tests.deploy.tools import ROOT, need_script, run

FILE = ROOT / "deploy" / "compose.yaml"


def test_it_follows_the_compose_specification() -> None:
    run(need_script("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", FILE)


def test_it_agrees_with_the_image() -> None:
    composed = yaml.safe_load(FILE.read_text())
    broker = composed["services"]["broker"]
    image = stages((ROOT / "Dockerfile").read_text())[-1]
    volume, _, mounted = broker["volumes"][0].partition(":")
    assert volume in composed["volumes"]
    assert mounted == image.last("VOLUME").arguments
    assert broker["ports"][0].rpartition(":")[2] == image.last("EXPOSE").arguments
    entrypoint = image.last("ENTRYPOINT").command()
    parser().parse_args([*entrypoint[1:], *broker["command"]])


def test_its_context_holds_the_dockerfile() -> None:
    context = yaml.safe_load(FILE.read_text())["services"]["broker"]["build"]["context"]
    assert (FILE.parent / context / "Dockerfile").is_file()
