# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.rollout_figures import (
    Point,
    percentile,
    rate_per_minute,
    thinned,
)


@pytest.mark.parametrize("pods", [240, 250, 1000, 2400, 12_000])
def test_pods_that_come_in_waves_have_the_rate_of_the_waves(pods):
    moments = [6.0 * (pod // 100) + 2.0 for pod in range(pods)]

    assert rate_per_minute(moments, 100) == pytest.approx(1000)


def test_a_slow_start_and_a_slow_end_are_left_out():
    moments = [-30.0] * 20 + [0.1 * pod for pod in range(1000)] + [400.0] * 20

    assert rate_per_minute(moments, 50) == pytest.approx(600)


@pytest.mark.parametrize("moments", [[], [1.0] * 19, [1.0] * 50])
def test_there_is_no_rate_of_less_than_two_waves_or_of_one_moment(moments):
    assert rate_per_minute(moments, 10) is None


def test_a_percentile_is_a_value_that_was_measured():
    values = [float(value) for value in range(1, 101)]

    assert percentile(values, 0.5) == 50.0
    assert percentile(values, 0.95) == 95.0
    assert percentile([7.0], 0.95) == 7.0
    assert percentile([], 0.5) is None


def test_a_thinned_curve_keeps_its_ends():
    points = [Point(float(second), second, second, 0) for second in range(1000)]

    kept = thinned(points, 60)

    assert len(kept) == 60
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert thinned(points[:5], 60) == points[:5]
