# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import KubernetesError
from ansible_collections.aks.virtual_nodes.plugins.module_utils.kube import watching
from ansible_collections.aks.virtual_nodes.plugins.module_utils.kube.watching import Following, Traffic
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import ProtocolError


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(watching, "_LONGEST_PAUSE_S", 0.01)


def item(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}}


def listed(version: int, *names: str) -> Any:
    content = {"metadata": {"resourceVersion": str(version)}, "items": [item(name, 1) for name in names]}
    return SimpleNamespace(data=json.dumps(content).encode())


class Stream:
    """What a watch says; a piece may end anywhere, and an exception breaks the connection."""

    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, *pieces: Any) -> None:
        self._pieces = pieces

    def stream(self, _size: int, decode_content: bool) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self) -> None:
        pass


def event(kind: str, name: str, version: int) -> bytes:
    return json.dumps({"type": kind, "object": item(name, version)}).encode() + b"\n"


class Server:
    """Answers one after the other; when there are none left, all is over."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[bool, str]] = []
        self.over = threading.Event()

    def request(self, _method: str, _path: str, **options: Any) -> Any:
        if not self._answers:
            self.over.set()
            threading.Event().wait()
        self.asked.append((("watch", "true") in options.get("query_params", []), options.get("resource_version", "")))
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Seen:
    def __init__(self) -> None:
        self.lists: list[list[str]] = []
        self.changes: list[tuple[str, str]] = []

    def listed(self, items: Any) -> None:
        self.lists.append([each["metadata"]["name"] for each in items])

    def changed(self, kind: str, each: Any) -> None:
        self.changes.append((kind, each["metadata"]["name"]))


def follow(*answers: Any) -> tuple[Server, Seen, Following, Traffic]:
    server, seen, traffic = Server(*answers), Seen(), Traffic()
    traffic.count(server)
    following = Following(server, "/api/v1/pods", "pods", seen, traffic)
    following.start()
    server.over.wait(5)
    following.stop()
    return server, seen, following, traffic


def test_what_is_there_is_listed_and_what_happens_then_is_watched():
    server, seen, _following, traffic = follow(listed(7, "a"), Stream(event("ADDED", "b", 8), event("DELETED", "a", 9)))

    assert seen.lists == [["a"]]
    assert seen.changes == [("ADDED", "b"), ("DELETED", "a")]
    assert server.asked == [(False, ""), (True, "7")]
    assert traffic.most_watches == 1
    assert traffic.requests >= 2


def test_an_event_may_come_in_pieces():
    whole = event("ADDED", "b", 8)

    _server, seen, _following, _traffic = follow(listed(7), Stream(whole[:10], whole[10:] + whole[:5], whole[5:]))

    assert seen.changes == [("ADDED", "b"), ("ADDED", "b")]


def test_a_watch_that_ends_goes_on_where_it_was():
    server, _seen, _following, _traffic = follow(
        listed(7), Stream(event("ADDED", "b", 8), event("BOOKMARK", "", 12)), Stream()
    )

    assert server.asked == [(False, ""), (True, "7"), (True, "12")]


def test_a_broken_connection_goes_on_where_it_was():
    server, seen, _following, _traffic = follow(
        listed(7),
        Stream(event("ADDED", "b", 8), ProtocolError("reset")),
        ProtocolError("refused"),
        Stream(event("ADDED", "c", 9)),
    )

    assert server.asked == [(False, ""), (True, "7"), (True, "8"), (True, "8")]
    assert [name for _kind, name in seen.changes] == ["b", "c"]


@pytest.mark.parametrize(
    "expired",
    [
        Stream(
            json.dumps({"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "old"}}).encode()
            + b"\n"
        ),
        ApiException(status=410, reason="Gone"),
        ApiException(status=504, reason="Too large resource version"),
    ],
)
def test_after_expiry_everything_is_listed_anew(expired):
    server, seen, following, _traffic = follow(listed(7, "a"), expired, listed(90, "b"), Stream())

    assert seen.lists == [["a"], ["b"]]
    assert server.asked[-1] == (True, "90")
    following.check()


def test_a_refusal_is_not_tried_again():
    refusal = ApiException(status=403, reason="Forbidden")
    refusal.body = json.dumps(
        {"message": 'pods is forbidden: User "x" cannot list resource "pods"', "reason": "Forbidden"}
    )
    server = Server(refusal)
    following = Following(server, "/api/v1/pods", "pods in all namespaces", Seen(), Traffic())
    following.start()

    with pytest.raises(KubernetesError, match=r"pods in all namespaces.*forbidden"):
        following.settle(5)

    assert len(server.asked) == 1
