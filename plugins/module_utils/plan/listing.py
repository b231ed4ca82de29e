# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every role refuses of a list of applications; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def doubled(labels: Iterable[str]) -> list[str]:
    """A sentence for each application that stands in the list more than once.

    :param labels: namespace/name of each.
    """
    return [
        f"{label} (namespace/name) stands in the list {count} times. Each application may stand there once."
        for label, count in Counter(labels).items()
        if count > 1
    ]
