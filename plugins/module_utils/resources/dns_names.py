# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names in private DNS zones; pure."""

from __future__ import annotations

import re

# 1 to 63 characters (Microsoft Learn, naming rules for Azure resources).
_LABEL = re.compile(r"[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?")


def are_labels(name: str) -> bool:
    """Whether each part between the dots is one that Azure Private DNS takes."""
    return all(map(_LABEL.fullmatch, name.split(".")))


def relative_name(hostname: str, zone: str) -> str | None:
    """The name within the zone in lower case, C(@) for that of the zone itself; None when it is not in it."""
    name, suffix = hostname.lower(), zone.lower()
    if name == suffix:
        return "@"
    return name.removesuffix(f".{suffix}") if name.endswith(f".{suffix}") else None
