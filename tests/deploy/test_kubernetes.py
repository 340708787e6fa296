"""The manifests of deploy/kubernetes: against Kubernetes' schemas, and against the broker."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import yaml

from godel.config.sources import from_environment, from_properties, load
from godel.daemon import load_configuration, parser
from tests.deploy.dockerfile import stages
from tests.deploy.tools import ROOT, need_module, need_program, run

FOLDER = ROOT / "deploy" / "kubernetes"
MANIFESTS = sorted(path for path in FOLDER.glob("*.yaml") if path.stem != "kustomization")
VERSIONS = ("1.27", "1.31", "1.35")
Resource = dict[str, Any]


def resources() -> list[Resource]:
    return [each for path in MANIFESTS for each in yaml.safe_load_all(path.read_text())]


def find(kind: str, name: str = "godel") -> Resource:
    (found,) = (
        each for each in resources() if each["kind"] == kind and each["metadata"]["name"] == name
    )
    return found


def pod() -> Resource:
    spec: Resource = find("StatefulSet")["spec"]["template"]["spec"]
    return spec


def container() -> Resource:
    (only,) = pod()["containers"]
    return dict(only)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_resource_follows_kubernetes_schema(version: str) -> None:
    kubernetes_validate = import_module(need_module("kubernetes_validate"))
    for resource in resources():
        kubernetes_validate.validate(resource, version, strict=True)


def test_kustomize_builds_what_the_files_say() -> None:
    built = run(need_program("kubectl"), "kustomize", FOLDER)
    kubernetes_validate = import_module(need_module("kubernetes_validate"))
    names = set()
    for resource in yaml.safe_load_all(built):
        kubernetes_validate.validate(resource, VERSIONS[-1], strict=True)
        names.add((resource["kind"], resource["metadata"]["name"]))
    assert names == {(each["kind"], each["metadata"]["name"]) for each in resources()}


def test_the_kustomization_names_every_file() -> None:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == [path.name for path in MANIFESTS]


def test_the_broker_takes_its_settings() -> None:
    text = find("ConfigMap")["data"]["server.properties"]
    assert not load(from_properties(text, "server.properties")).ignored


def test_the_broker_takes_its_arguments() -> None:
    """With the entrypoint of the image before them, and the service's address advertised."""
    arguments = [each.replace("$(NAMESPACE)", "default") for each in container()["args"]]
    entrypoint = image().last("ENTRYPOINT").command()
    options = parser().parse_args([*entrypoint[1:], *arguments])
    (mount,) = (each for each in container()["volumeMounts"] if each["name"] == "config")
    assert options.config == f"{mount['mountPath']}/server.properties"
    options.config = None
    config = load_configuration(options).config
    assert "godel.default.svc:9092" in str(config.advertised_listeners)
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert config.metrics_listener == f"0.0.0.0:{ports['metrics']}"


def image() -> Any:
    return stages((ROOT / "Dockerfile").read_text())[-1]


def test_user_port_and_volume_are_the_images() -> None:
    context = pod()["securityContext"]
    user, group = image().last("USER").arguments.split(":")
    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (
        int(user),
        int(group),
        int(group),
    )
    assert str(container()["ports"][0]["containerPort"]) == image().last("EXPOSE").arguments
    mounts = {each["name"]: each["mountPath"] for each in container()["volumeMounts"]}
    assert mounts["data"] == image().last("VOLUME").arguments


def test_no_variable_of_kubernetes_is_taken_for_a_setting() -> None:
    """A Service NAME puts NAME_PORT and others into the environment of pods, unless told not to."""
    assert pod()["enableServiceLinks"] is False
    assert from_environment({"GODEL_BROKER_PORT": "tcp://10.0.0.1:9092"})  # what would happen


def test_every_selector_finds_the_pod() -> None:
    labels = find("StatefulSet")["spec"]["template"]["metadata"]["labels"].items()
    spec = find("StatefulSet")["spec"]
    assert find("Service", spec["serviceName"])["spec"]["clusterIP"] == "None"
    for selector in (
        spec["selector"]["matchLabels"],
        find("Service")["spec"]["selector"],
        find("Service", spec["serviceName"])["spec"]["selector"],
        find("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels


def test_probes_ask_ports_that_the_container_names() -> None:
    names = {port["name"] for port in container()["ports"]}
    for probe in ("readinessProbe", "livenessProbe"):
        assert container()[probe]["httpGet"]["port"] in names
