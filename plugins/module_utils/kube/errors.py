# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Kubernetes client's exceptions as KubernetesError, with the server's own words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import KubernetesError


@contextmanager
def kubernetes_errors(what: str) -> Iterator[None]:
    """Turn what the client raises in the block into KubernetesError.

    :param what: what was being done, put before the server's words.
    """
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        raise _translate(error, what) from error
    except HTTPError as error:
        raise KubernetesError(f"{what}: the API server cannot be reached: {error}", reason="Unreachable") from error


def _translate(error: Any, what: str) -> KubernetesError:
    try:
        status: dict[str, Any] = json.loads(error.body or "{}")
    except (TypeError, ValueError):
        status = {}
    message = status.get("message") or error.reason or str(error)
    return KubernetesError(
        f"{what}: {message}", reason=str(status.get("reason") or error.reason or ""), status=error.status
    )
