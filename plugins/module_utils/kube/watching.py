# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Following a collection by one list and one watch, through expiry, restarts of the API server and broken connections.

Events are taken from the stream as plain JSON, one at a time: the client's own watch makes two copies of each, which at
thousands of pods is most of the work.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, Protocol

from ..errors import KubernetesError
from .errors import kubernetes_errors
from .lists import has_expired, pages

# The server ends a watch after this long; a new one takes over where it was. Clients of Kubernetes itself take 5 to 10 minutes.
_WATCH_S = 300
# A server sends a bookmark about every minute, so a connection that is silent for longer is dead, or nothing at all happens.
_SILENCE_S = 100.0
_CONNECT_S = 10.0
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_REFUSED = frozenset({400, 401, 403, 404, 405})


class Follower(Protocol):
    """Who wants to know."""

    def listed(self, items: Iterable[Mapping[str, Any]]) -> None:
        """All that there is: what is not among it is gone."""

    def changed(self, event: str, item: Mapping[str, Any]) -> None:
        """C(ADDED), C(MODIFIED) or C(DELETED)."""


@dataclass
class Traffic:
    """What a client has sent.

    :ivar requests: all, watches too.
    :ivar most_watches: how many watches there were at the same time.
    """

    requests: int = 0
    most_watches: int = 0
    _watching: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, client: Any) -> None:
        """Count the requests of the client from now on."""
        send = client.request

        def request(*arguments: Any, **options: Any) -> Any:
            with self._lock:
                self.requests += 1
            return send(*arguments, **options)

        # On this one object: the resources that it hands out send by it too.
        client.request = request

    @contextmanager
    def watching(self) -> Iterator[None]:
        with self._lock:
            self._watching += 1
            self.most_watches = max(self.most_watches, self._watching)
        try:
            yield
        finally:
            with self._lock:
                self._watching -= 1


class Following:
    """One collection, followed by a thread of its own until it is stopped.

    :param client: C(kubernetes.dynamic.DynamicClient).
    :param path: of the collection, C(/api/v1/pods).
    :param what: what is followed, for messages: C(pods).
    :param label_selector: may be empty.
    :ivar clock_ahead: seconds that the server's clock is ahead of ours.
    """

    def __init__(
        self, client: Any, path: str, what: str, follower: Follower, traffic: Traffic, label_selector: str = ""
    ) -> None:
        self._client = client
        self._path = path
        self._what = what
        self._follower = follower
        self._traffic = traffic
        self._selector = label_selector
        self._stopped = threading.Event()
        self._settled = threading.Event()
        self._refusal: KubernetesError | None = None
        self._trouble: KubernetesError | None = None
        self._pause = _FIRST_PAUSE_S
        self.clock_ahead = 0.0

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """At the next event; a thread that waits for one does not outlive the process."""
        self._stopped.set()

    def settle(self, seconds: float) -> bool:
        """Wait until all that there is has been listed, and what happens to it is told."""
        self._settled.wait(seconds)
        self.check()
        return self._settled.is_set()

    def check(self) -> None:
        """
        :raises KubernetesError: when the server will not have it: no right to list, for instance.
        """
        if self._refusal:
            raise self._refusal

    @property
    def trouble(self) -> KubernetesError | None:
        """Why nothing can be seen at the moment."""
        return self._trouble

    def _run(self) -> None:
        version = ""
        while not self._stopped.is_set():
            try:
                version = version or self._list()
                version = self._watch(version)
            except KubernetesError as error:
                if error.status in _REFUSED:
                    self._refusal = error
                    self._settled.set()
                    return
                if error.status is not None:
                    # Too old, or of a server that has forgotten: what there is has to be listed anew.
                    version = ""
                self._trouble = None if has_expired(error) else error
            self._stopped.wait(self._pause)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE_S)

    def _list(self) -> str:
        """
        :returns: the version that a watch begins at.
        """
        version = ""

        def items() -> Iterator[Mapping[str, Any]]:
            nonlocal version
            selectors = {"label_selector": self._selector} if self._selector else {}
            for page in pages(self._client, self._path, self._what, **selectors):
                version = version or str(page["metadata"]["resourceVersion"])
                yield from page.pop("items", None) or []

        self._follower.listed(items())
        return version

    def _watch(self, version: str) -> str:
        """Until the server ends it, or the connection breaks.

        :returns: the version that the next one begins at.
        """
        last = version
        try:
            for event in self._events(version):
                kind, item = event["type"], event["object"]
                if kind == "ERROR":
                    raise KubernetesError(
                        f"Watching the {self._what}: {item.get('message')}",
                        reason=str(item.get("reason")),
                        status=int(item.get("code") or 500),
                    )
                last = str(item["metadata"]["resourceVersion"])
                if kind != "BOOKMARK":
                    self._follower.changed(kind, item)
                if self._stopped.is_set():
                    return last
        except KubernetesError as error:
            if error.status is not None or last == version:
                raise
            self._trouble = error
        return last

    def _events(self, version: str) -> Iterator[Mapping[str, Any]]:
        options: dict[str, Any] = {"label_selector": self._selector} if self._selector else {}
        with kubernetes_errors(f"Watching the {self._what}"), self._traffic.watching():
            answer = self._client.request(
                "get",
                self._path,
                serialize=False,
                resource_version=version,
                timeout_seconds=_WATCH_S,
                query_params=[("watch", "true"), ("allowWatchBookmarks", "true")],
                _request_timeout=(_CONNECT_S, _SILENCE_S),
                **options,
            )
            self._look_at_clock(answer.headers.get("Date"))
            self._trouble = None
            self._pause = _FIRST_PAUSE_S
            self._settled.set()
            yield from _lines(answer)

    def _look_at_clock(self, date: str | None) -> None:
        """How far the server's clock is ahead of ours, to half a second or so."""
        if date:
            told = parsedate_to_datetime(date)
            ahead = (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp() + 0.5 - time()
            # Less than its own second says nothing.
            self.clock_ahead = ahead if abs(ahead) > 1.5 else 0.0


def _lines(answer: Any) -> Iterator[Mapping[str, Any]]:
    unfinished = b""
    try:
        for piece in answer.stream(2**16, decode_content=False):
            *lines, unfinished = (unfinished + piece).split(b"\n")
            for line in lines:
                if line.strip():
                    yield json.loads(line)
    finally:
        answer.close()
