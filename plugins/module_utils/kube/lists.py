# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Long lists, page by page, as plain JSON: the client's own objects would take many times the memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ..errors import KubernetesError
from .errors import kubernetes_errors

# As kubectl's.
PAGE_SIZE = 500
# What a continue token that is older than the server's memory of its list (five minutes) is answered with.
_EXPIRED = 410


def items(client: Any, path: str, what: str, **selectors: str) -> Iterator[dict[str, Any]]:
    """The items of a list, each page read when the one before it has been used up.

    :param client: C(kubernetes.dynamic.DynamicClient).
    :param path: of the collection, C(/api/v1/pods).
    :param what: what is listed, for messages: C(pods).
    :param selectors: C(label_selector), C(field_selector).
    :raises KubernetesError: status 410 when the server no longer knows the rest of the list; it has to be read anew.
    """
    for page in pages(client, path, what, **selectors):
        yield from page.pop("items", None) or []


def pages(client: Any, path: str, what: str, **selectors: str) -> Iterator[dict[str, Any]]:
    """The same by pages; the first one's C(metadata.resourceVersion) is that of the whole list, where a watch may begin."""
    token = ""
    while True:
        page = _page(client, path, what, token, selectors)
        # Before the reader takes the page apart.
        token = (page.get("metadata") or {}).get("continue") or ""
        yield page
        if not token:
            return


def has_expired(error: KubernetesError) -> bool:
    return error.status == _EXPIRED


def _page(client: Any, path: str, what: str, token: str, selectors: dict[str, str]) -> dict[str, Any]:
    more = {"_continue": token} if token else {}
    with kubernetes_errors(f"Listing the {what}"):
        answer = client.request("get", path, serialize=False, limit=PAGE_SIZE, **more, **selectors)
        page: dict[str, Any] = json.loads(answer.data)
    return page
