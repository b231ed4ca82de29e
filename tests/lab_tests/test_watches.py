# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches and lists that outlive what the API server remembers, and the API server itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from kubernetes import watch
from kubernetes.client import ApiClient, ApiException, CoreV1Api

from harness.laboratory import Lab, running_lab
from lab_tests.waiting import eventually


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab"), {"bookmark_seconds": 0.3}) as running:
        yield running


@pytest.fixture
def core(kube: ApiClient) -> CoreV1Api:
    return CoreV1Api(kube)


@pytest.fixture
def namespace(core: CoreV1Api, name: str) -> str:
    core.create_namespace({"metadata": {"name": name}})
    eventually(lambda: core.list_namespaced_service_account(name).items)
    return name


def put(core: CoreV1Api, namespace: str, *names: str) -> str:
    """Create config maps; the resource version of the last."""
    written = [core.create_namespaced_config_map(namespace, {"metadata": {"name": name}}) for name in names]
    return str(written[-1].metadata.resource_version)


def raw_events(core: CoreV1Api, namespace: str, **query: Any) -> list[dict[str, Any]]:
    """The lines of a watch until it ends."""
    answer = core.list_namespaced_config_map(namespace, watch=True, _preload_content=False, **query)
    return [json.loads(line) for line in answer.data.splitlines()]


def test_a_quiet_watch_gets_bookmarks_that_it_asked_for(core: CoreV1Api, namespace: str) -> None:
    version = put(core, namespace, "one")
    events = raw_events(core, namespace, resource_version=version, allow_watch_bookmarks=True, timeout_seconds=1)
    assert len(events) >= 3
    assert {each["type"] for each in events} == {"BOOKMARK"}
    assert int(events[-1]["object"]["metadata"]["resourceVersion"]) >= int(version)


def test_a_watch_goes_on_from_a_bookmark_without_loss(core: CoreV1Api, namespace: str) -> None:
    version = put(core, namespace, "one")
    bookmark = raw_events(core, namespace, resource_version=version, allow_watch_bookmarks=True, timeout_seconds=1)[-1]
    put(core, namespace, "two")
    since = bookmark["object"]["metadata"]["resourceVersion"]
    events = raw_events(core, namespace, resource_version=since, timeout_seconds=1)
    assert [(each["type"], each["object"]["metadata"]["name"]) for each in events] == [("ADDED", "two")]


def test_no_bookmark_comes_unasked(core: CoreV1Api, namespace: str) -> None:
    assert raw_events(core, namespace, resource_version=put(core, namespace, "one"), timeout_seconds=1) == []


def test_a_watch_from_before_compaction_is_told_in_its_first_event(lab: Lab, core: CoreV1Api, namespace: str) -> None:
    version = put(core, namespace, "one")
    put(core, namespace, "two")
    lab.compact()
    (event,) = raw_events(core, namespace, resource_version=version, timeout_seconds=5)
    assert event["type"] == "ERROR"
    assert (event["object"]["kind"], event["object"]["code"], event["object"]["reason"]) == ("Status", 410, "Expired")
    with pytest.raises(ApiException) as caught:
        list(
            watch.Watch().stream(
                core.list_namespaced_config_map, namespace, resource_version=version, timeout_seconds=5
            )
        )
    assert caught.value.status == 410


def test_a_watch_from_before_compaction_is_told_by_the_status_if_the_lab_is_told_to(
    lab: Lab, core: CoreV1Api, namespace: str
) -> None:
    version = put(core, namespace, "one")
    put(core, namespace, "two")
    lab.compact(new_watches="status")
    with pytest.raises(ApiException) as caught:
        raw_events(core, namespace, resource_version=version, timeout_seconds=5)
    status = json.loads(caught.value.body)
    assert (caught.value.status, status["kind"], status["reason"]) == (410, "Status", "Expired")
    lab.compact()


def test_a_watch_from_now_on_is_not_touched_by_compaction(lab: Lab, core: CoreV1Api, namespace: str) -> None:
    version = put(core, namespace, "one")
    lab.compact()
    latest = core.list_namespaced_config_map(namespace).metadata.resource_version
    assert int(latest) >= int(version)
    put(core, namespace, "two")
    events = raw_events(core, namespace, resource_version=latest, timeout_seconds=1)
    assert [each["object"]["metadata"]["name"] for each in events] == ["two"]


def test_a_running_watch_expires_when_the_lab_is_told_to(lab: Lab, core: CoreV1Api, namespace: str) -> None:
    version = put(core, namespace, "one")
    stream = watch.Watch().stream(
        core.list_namespaced_config_map, namespace, resource_version=version, timeout_seconds=20
    )
    put(core, namespace, "two")
    assert next(stream)["object"].metadata.name == "two"
    lab.compact(running_watches="expire")
    with pytest.raises(ApiException) as caught:
        next(stream)
    assert caught.value.status == 410


def test_a_list_that_began_before_compaction_cannot_be_continued(lab: Lab, core: CoreV1Api, namespace: str) -> None:
    put(core, namespace, "one", "two", "three")
    token = core.list_namespaced_config_map(namespace, limit=2).metadata._continue
    put(core, namespace, "zero")
    lab.compact()
    with pytest.raises(ApiException) as caught:
        core.list_namespaced_config_map(namespace, limit=2, _continue=token)
    status = json.loads(caught.value.body)
    assert (status["code"], status["reason"]) == (410, "Expired")
    # It may go on, though not as one consistent list.
    rest = core.list_namespaced_config_map(namespace, limit=10, _continue=status["metadata"]["continue"])
    assert "two" in [each.metadata.name for each in rest.items]


def test_the_pages_of_a_list_are_all_of_it(core: CoreV1Api, namespace: str) -> None:
    put(core, namespace, *(f"m-{number:02}" for number in range(23)))
    seen, token, remaining = [], None, []
    while True:
        page = core.list_namespaced_config_map(namespace, limit=10, _continue=token)
        seen += [each.metadata.name for each in page.items]
        remaining.append(page.metadata.remaining_item_count)
        token = page.metadata._continue
        if not token:
            break
    assert seen == sorted(each.metadata.name for each in core.list_namespaced_config_map(namespace).items)
    assert remaining == [14, 4, None]


def test_a_restart_cuts_watches_refuses_for_a_while_and_keeps_everything(
    lab: Lab, core: CoreV1Api, namespace: str
) -> None:
    version = put(core, namespace, "one")
    answer = core.list_namespaced_config_map(
        namespace, watch=True, resource_version=version, _preload_content=False, timeout_seconds=20
    )
    lab.restart_api_server(1.5)
    began = time.monotonic()
    with pytest.raises(urllib3.exceptions.HTTPError):
        answer.read()
    assert time.monotonic() - began < 1.0
    with pytest.raises(urllib3.exceptions.HTTPError):
        _once(core, namespace)
    eventually(lambda: _answers(core, namespace))
    assert 1.0 < time.monotonic() - began < 6.0
    assert "one" in [each.metadata.name for each in core.list_namespaced_config_map(namespace).items]
    put(core, namespace, "two")
    events = raw_events(core, namespace, resource_version=version, timeout_seconds=1)
    assert [each["object"]["metadata"]["name"] for each in events] == ["two"]


def _once(core: CoreV1Api, namespace: str) -> Any:
    """A request that is not tried again."""
    headers = {"Authorization": core.api_client.configuration.auth_settings()["BearerToken"]["value"]}
    url = f"{core.api_client.configuration.host}/api/v1/namespaces/{namespace}/configmaps"
    return core.api_client.rest_client.pool_manager.request("GET", url, headers=headers, retries=False)


def _answers(core: CoreV1Api, namespace: str) -> bool:
    try:
        return bool(_once(core, namespace).status == 200)
    except urllib3.exceptions.HTTPError:
        return False
