# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tags of Azure resources, written into one annotation as C(name=value;name=value); pure.

Limits: Microsoft Learn, "Use tags to organize your Azure resources", section Limitations; reserved beginnings: REST reference of tags.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

TAGS_PER_RESOURCE = 50
LONGEST_NAME = 512
LONGEST_VALUE = 256
_NOT_IN_NAMES = "<>%&\\?/"
_SEPARATORS = "=;"
_RESERVED = ("azure", "microsoft", "windows")


def joined(tags: Mapping[str, str]) -> str:
    return ";".join(f"{name}={value}" for name, value in tags.items())


def tag_problems(tags: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with them, each as the end of a sentence whose beginning names the field."""
    if len(tags) > TAGS_PER_RESOURCE:
        yield f"has {len(tags)} tags, but a resource of Azure can have {TAGS_PER_RESOURCE}. Leave some out."
    for name, times in Counter(name.lower() for name in tags).items():
        if times > 1:
            yield f"names '{name}' {times} times, but the names of tags do not depend on case. Keep one of them."
    for name, value in tags.items():
        yield from _name_problems(name)
        if len(value) > LONGEST_VALUE:
            yield f"gives '{name}' a value of {len(value)} characters, but {LONGEST_VALUE} are the most. Shorten it."
        if set(value) & set(_SEPARATORS):
            yield f"gives '{name}' the value '{value}', but '=' and ';' separate tags in the annotation. Choose other characters."


def _name_problems(name: str) -> Iterator[str]:
    if not 0 < len(name) <= LONGEST_NAME:
        yield f"has a tag with a name of {len(name)} characters, but 1 to {LONGEST_NAME} are allowed. Rename it."
    wrong = "".join(sorted(set(name) & set(_NOT_IN_NAMES + _SEPARATORS)))
    if wrong:
        yield f"has the tag name '{name}', which contains {wrong}, but none of {_NOT_IN_NAMES}{_SEPARATORS} may be in it. Rename it."
    if name.lower().startswith(_RESERVED):
        yield f"has the tag name '{name}', but names that begin with {', '.join(_RESERVED)} are Azure's own. Rename it."
