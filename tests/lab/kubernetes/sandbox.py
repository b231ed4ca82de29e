# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod's private directory: what is mounted in it, and the processes that run in it.

A process has no mounts of its own, so a mount path is a path below the directory, and values that begin with a mount
path are rewritten.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import tempfile
from pathlib import Path

from lab.kubernetes import pod_network
from lab.kubernetes.cluster import ClusterSettings
from lab.kubernetes.process import Process
from lab.kubernetes.registry import CONFIG_MAP, SERVICE_ACCOUNT, Kind, known
from lab.kubernetes.store import Object, Store
from lab.kubernetes.tokens import TokenIssuer

SECRET = known("v1", "Secret")
DEFAULT_TOKEN_SECONDS = 3600
# As the kubelet: a token is renewed when so much of its life is over.
RENEWED_AT = 0.8
VARIABLE = re.compile(r"\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")


class NotStartable(Exception):
    """The pod names something that is not there."""


class Sandbox:
    """
    :param virtual: whether it is on a virtual node.
    """

    def __init__(self, store: Store, settings: ClusterSettings, tokens: TokenIssuer, *, virtual: bool) -> None:
        self._store = store
        self._settings = settings
        self._tokens = tokens
        self._virtual = virtual
        # mkdtemp makes it private.
        self.directory = Path(tempfile.mkdtemp(prefix="pod-", dir=settings.directory))

    def mount(self, pod: Object) -> float | None:
        """
        Write what is mounted, and C(/etc/resolv.conf).

        :returns: after how many seconds they are to be written again because a token is renewed.
        """
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or []}
        lives = []
        _write(self.path("/etc"), "resolv.conf", pod_network.resolv_conf(pod, self._settings, virtual=self._virtual))
        for container in pod["spec"]["containers"]:
            for mount in container.get("volumeMounts") or []:
                for source in _sources(volumes.get(mount["name"], {})):
                    lives += self._write_source(pod, source, mount)
        return min(lives) * RENEWED_AT if lives else None

    def _write_source(self, pod: Object, source: Object, mount: Object) -> list[int]:
        """The lives of the tokens that were written."""
        namespace = pod["metadata"]["namespace"]
        base = self.path(mount["mountPath"])
        if token := source.get("serviceAccountToken"):
            seconds = int(token.get("expirationSeconds", DEFAULT_TOKEN_SECONDS))
            account = self._named(SERVICE_ACCOUNT, namespace, pod["spec"].get("serviceAccountName") or "default")
            audiences = [token["audience"]] if token.get("audience") else None
            minted, _expires = self._tokens.mint(namespace, account, audiences, seconds, pod)
            _write(base, token["path"], minted)
            return [seconds]
        for field, kind in (("configMap", CONFIG_MAP), ("secret", SECRET)):
            if files := source.get(field):
                data = self._data(kind, namespace, files) or {}
                for item in files.get("items") or [{"key": key, "path": key} for key in data]:
                    text = _key(kind, files["name"], data, item["key"])
                    if not mount.get("subPath"):
                        _write(base, item["path"], text)
                    elif item["path"] == mount["subPath"]:
                        _write(base.parent, base.name, text)
        for item in (source.get("downwardAPI") or {}).get("items") or []:
            if field := item.get("fieldRef"):
                _write(base, item["path"], _field(pod, field["fieldPath"]))
        return []

    async def start(self, pod: Object, container: Object, log: str) -> Process:
        environment = self._environment(pod, container)
        command = [self._settings.python, str(self._settings.application(container["image"]))]
        arguments = [
            VARIABLE.sub(lambda found: environment.get(found[1], found[0]), each)
            for each in container.get("args") or []
        ]
        return await Process.start(
            [*command, *arguments], self.directory, environment, self.path(f"/var/log/{log}.log")
        )

    def remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, mounted: str) -> Path:
        """Where a path of the container is; never outside the directory."""
        return _inside(self.directory, mounted)

    def _environment(self, pod: Object, container: Object) -> dict[str, str]:
        values = pod_network.service_variables(pod, self._store, self._settings)
        for source in container.get("envFrom") or []:
            values |= self._all_keys(pod["metadata"]["namespace"], source)
        for variable in container.get("env") or []:
            if "valueFrom" in variable:
                value = self._value_from(pod, variable["valueFrom"])
            else:
                value = VARIABLE.sub(lambda found: values.get(found[1], found[0]), variable.get("value") or "")
            if value is not None:
                values[variable["name"]] = value
        mounts = [mount["mountPath"].rstrip("/") for mount in container.get("volumeMounts") or []]
        given = {name: self._rewritten(value, mounts) for name, value in values.items()}
        reach = self._settings.cluster_ip_environment
        proxied = reach if not self._virtual or pod_network.has_kube_proxy(pod) else {}
        return self._settings.pod_environment | proxied | given

    def _rewritten(self, value: str, mounts: list[str]) -> str:
        below = any(value == mount or value.startswith(f"{mount}/") for mount in mounts if mount)
        return str(self.path(value)) if below else value

    def _all_keys(self, namespace: str, source: Object) -> dict[str, str]:
        prefix = source.get("prefix", "")
        for field, kind in (("configMapRef", CONFIG_MAP), ("secretRef", SECRET)):
            if reference := source.get(field):
                data = self._data(kind, namespace, reference)
                return {f"{prefix}{key}": value for key, value in (data or {}).items()}
        return {}

    def _value_from(self, pod: Object, source: Object) -> str | None:
        """None if it is optional and not there."""
        if field := source.get("fieldRef"):
            return _field(pod, field["fieldPath"])
        for name, kind in (("configMapKeyRef", CONFIG_MAP), ("secretKeyRef", SECRET)):
            if reference := source.get(name):
                data = self._data(kind, pod["metadata"]["namespace"], reference)
                if reference.get("optional") and reference["key"] not in (data or {}):
                    return None
                return _key(kind, f"{pod['metadata']['namespace']}/{reference['name']}", data or {}, reference["key"])
        return None

    def _data(self, kind: Kind, namespace: str, reference: Object) -> dict[str, str] | None:
        if reference.get("optional") and not self._store.find(kind, namespace, reference["name"]):
            return None
        data = self._named(kind, namespace, reference["name"]).get("data") or {}
        if kind is SECRET:
            return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
        return data

    def _named(self, kind: Kind, namespace: str, name: str) -> Object:
        found = self._store.find(kind, namespace, name)
        if found is None:
            raise NotStartable(f'{kind.singular} "{name}" not found')
        return found


def _sources(volume: Object) -> list[Object]:
    """What is in a volume, in the form of the sources of a projected one."""
    sources = list((volume.get("projected") or {}).get("sources") or [])
    if config_map := volume.get("configMap"):
        sources.append({"configMap": config_map})
    if secret := volume.get("secret"):
        sources.append({"secret": {**secret, "name": secret["secretName"]}})
    if downward := volume.get("downwardAPI"):
        sources.append({"downwardAPI": downward})
    return sources


def _key(kind: Kind, name: str, data: dict[str, str], key: str) -> str:
    if key not in data:
        raise NotStartable(f"couldn't find key {key} in {kind.kind} {name}")
    return data[key]


def _field(pod: Object, path: str) -> str:
    fields = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": pod["metadata"]["namespace"],
        "metadata.uid": pod["metadata"]["uid"],
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", ""),
        "status.podIP": (pod.get("status") or {}).get("podIP", ""),
        "status.hostIP": (pod.get("status") or {}).get("hostIP", ""),
    }
    found = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if found:
        return (pod["metadata"].get(found[1]) or {}).get(found[2], "")
    return fields.get(path, "")


def _inside(base: Path, path: str) -> Path:
    return base / os.path.normpath(f"/{path}").lstrip("/")


def _write(base: Path, path: str, text: str) -> None:
    """Replaced at once, so that nobody reads half a token."""
    target = _inside(base, path)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(target)
