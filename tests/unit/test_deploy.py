"""What runs paperboy elsewhere: commands that can be typed, settings that are known, and no needless rights."""

from __future__ import annotations

import re
import shlex
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

from bots.terminal.arguments import make_parser
from core.settings import SECRETS, read_settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "config" / "deploy"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "config" / "compose.yaml").read_text(encoding="utf-8"))
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "paperboy"}
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
ROLES = ("bot", "worker", "fetch", "web")
SECRET_FILES = {f"{name}_FILE" for name in SECRETS}


def manifests():
    """Every document of every manifest, with the name of its file."""
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            yield path.name, document


def pods():
    """Every pod that is made, by the name of what makes it."""
    for _, document in manifests():
        spec = document.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            yield document["metadata"]["name"], document["kind"], spec["template"]


PODS = {name: (kind, template) for name, kind, template in pods()}


def check_settings(environ):
    """Settings are read as at a start; secrets are left out, for they stand in no repository."""
    read_settings(
        {name: value for name, value in environ.items() if name.startswith("PAPERBOY_")} | {"PAPERBOY_HOME": "x"}
    )


def typed(words):
    return make_parser().parse_args([str(word) for word in words])


# The container


def test_the_container_is_built_by_hashes_of_files_that_are_there_and_runs_as_nobody_in_particular():
    for line in re.findall(r"(?m)^COPY (?!--from)(.*) \S+$", CONTAINERFILE):
        for name in line.split():
            assert (ROOT / name).exists(), name
    installs = re.findall(r"pip install [^\\\n]*", CONTAINERFILE)
    assert installs
    assert all("--require-hashes" in line or "--no-deps --no-index" in line for line in installs)
    assert re.findall(r"(?m)^USER (.*)$", CONTAINERFILE) == ["10001:10001"]
    assert "ADD " not in CONTAINERFILE
    kept_out = (DEPLOY / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert kept_out[kept_out.index("*") :][0] == "*"
    assert not {"!data", "!.env", "!paperboy.env"} & set(kept_out)


def test_the_containers_settings_are_known_and_its_command_can_be_typed():
    found = re.search(r"(?ms)^ENV PATH=.*?[^\\]$", CONTAINERFILE)
    environ = dict(word.split("=", 1) for word in shlex.split(found[0].replace("\\\n", " "))[1:])
    check_settings(environ)
    assert environ["HOME"] == environ["PAPERBOY_HOME"] == "/data"
    assert typed(yaml.safe_load(re.search(r"(?m)^CMD (\[.*\])$", CONTAINERFILE)[1])).command == "run"


def test_the_health_check_asks_where_every_role_answers():
    check = re.search(r"(?s)HEALTHCHECK.*?CMD (\[.*?\])\n", CONTAINERFILE)[1]
    assert "'127.0.0.1', 9464" in check
    assert "'/healthz'" in check
    metrics = (ROOT / "bots" / "web" / "metrics.py").read_text(encoding="utf-8")
    assert 'Route("/healthz", healthz)' in metrics
    compile(yaml.safe_load(check)[-1], "health check", "exec")


# Compose


@pytest.mark.parametrize("name", OURS)
def test_each_service_of_compose_has_a_root_that_cannot_be_written_and_no_rights(name):
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["build"]["dockerfile"] == "config/deploy/Containerfile"
    check_settings(service.get("environment", {}))
    typed(service.get("command", ["run"]))


def test_compose_runs_one_process_by_default_and_each_role_by_the_profile():
    assert [name for name, service in COMPOSE["services"].items() if "profiles" not in service] == ["paperboy"]
    assert {typed(OURS[role]["command"]).role for role in ROLES} == set(ROLES)
    assert typed(OURS["migrate"]["command"]).command == "migrate"
    for role in ROLES:
        assert OURS[role]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    for service in COMPOSE["services"].values():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), "a reverse proxy stands before it"


# Kubernetes


def test_each_role_is_a_deployment_and_kustomize_names_every_manifest():
    kustomization = dict(manifests())["kustomization.yaml"]
    there = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")}
    assert set(kustomization["resources"]) == there - {"kustomization.yaml", "secret.example.yaml"}
    deployments = {name for name, (kind, _) in PODS.items() if kind == "Deployment"}
    assert deployments == set(ROLES)
    for role in ROLES:
        assert typed(PODS[role][1]["spec"]["containers"][0]["args"]).role == role


@pytest.mark.parametrize("name", PODS)
def test_each_pod_has_no_more_rights_than_it_needs(name):
    _, template = PODS[name]
    spec = template["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in spec["volumes"]}
    assert "env" not in container, "settings stand in one place, secrets in another"


@pytest.mark.parametrize("name", ROLES)
def test_each_role_is_watched_and_given_time_to_end(name):
    spec = PODS[name][1]["spec"]
    (container,) = spec["containers"]
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": path, "port": "figures"}
    assert {"name": "figures", "containerPort": 9464} in container["ports"]
    assert spec["terminationGracePeriodSeconds"] > 20


def test_what_selects_pods_selects_some():
    labels = [template["metadata"]["labels"] for _, template in PODS.values()]
    for name, document in manifests():
        spec = document.get("spec", {})
        selector = spec.get("podSelector", spec.get("selector", {}))
        selector = selector.get("matchLabels", selector)
        if selector:
            assert any(selector.items() <= one.items() for one in labels), name


def test_the_settings_are_known_and_no_secret_of_anybody_is_in_the_manifests():
    documents = list(manifests())
    (settings,) = [document["data"] for _, document in documents if document["kind"] == "ConfigMap"]
    check_settings(settings)
    secrets = [(name, document) for name, document in documents if document["kind"] == "Secret"]
    assert [name for name, _ in secrets] == ["secret.example.yaml"]
    assert set(secrets[0][1]["stringData"]) <= set(SECRETS)
    assert "PASSWORD" in secrets[0][1]["stringData"]["DATABASE_URL"]


def test_fetching_is_one_process_at_a_time():
    (fetch,) = [document for name, document in manifests() if name == "fetch.yaml"]
    assert fetch["spec"]["replicas"] == 1
    assert fetch["spec"]["strategy"] == {"type": "Recreate"}


# systemd


class Unit(ConfigParser):
    """A unit whose keys may come again; all values are kept."""

    def __init__(self, path):
        super().__init__(strict=False, interpolation=None)
        self.optionxform = str
        self.text = path.read_text(encoding="utf-8")

    def values(self, key):
        return re.findall(rf"(?m)^{key}=(.*)$", self.text)


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_each_unit_is_kept_apart_from_the_machine_and_starts_a_command_that_can_be_typed(path):
    unit = Unit(path)
    for key in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "RestrictNamespaces"):
        assert unit.values(key) == ["yes"], key
    assert unit.values("ProtectSystem") == ["strict"]
    assert unit.values("CapabilityBoundingSet") == [""]
    assert unit.values("UMask") == ["0077"]
    (start,) = unit.values("ExecStart")
    words = re.search(r"/paperboy ([^'\"]+)", start)[1].split()
    assert typed([*words, "x.tar.gz"] if words == ["backup"] else words).command == words[0]
    environ = dict(value.split("=", 1) for value in unit.values("Environment"))
    assert set(environ) & SECRET_FILES <= {"PAPERBOY_SECRET_KEY_FILE"}
    check_settings({name: value for name, value in environ.items() if name not in SECRET_FILES})
