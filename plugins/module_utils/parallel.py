# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Questions that do not depend on each other, asked side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def parallel(ask: Callable[[T], U], items: Sequence[T], workers: int) -> list[U]:
    """The answers, in the order of the items. The first failure is raised, once those under way have ended."""
    if len(items) <= 1:
        return [ask(item) for item in items]
    with ThreadPoolExecutor(max_workers=min(workers, len(items))) as pool:
        answers = [pool.submit(ask, item) for item in items]
        try:
            return [answer.result() for answer in answers]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
