"""The main job, small: killed and started again, it loses nothing and does nothing twice."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import trio

from aion_trio.demo.conductor import Plan, conduct, draw_strikes
from aion_trio.demo.home import Home
from aion_trio.demo.orders import take
from aion_trio.demo.verdict import find_faults


@pytest.mark.parametrize("seed", [1, 2])
def test_orders_survive_kills_without_a_loss_or_a_double_effect(tmp_path: Path, seed: int) -> None:
    """Processes, signals and clocks are real here (R1, A1, S2, C2)."""
    plan = Plan(Home(tmp_path), tuple(take(40)), kills=3, seed=seed)
    course = trio.run(partial(conduct, plan, lambda _course: None))
    assert find_faults(plan, course) == []
    assert len(course.outcomes) == 40
    assert len(course.kills) == 3


def test_the_moments_of_the_kills_follow_from_the_seed_and_spread_over_the_run(tmp_path: Path) -> None:
    plans = [Plan(Home(tmp_path), tuple(take(240)), kills=8, seed=seed) for seed in (1, 1, 2)]
    first, again, other = map(draw_strikes, plans)
    assert first == again != other
    assert [strike.entries for strike in first] == sorted(strike.entries for strike in first)
    assert first[-1].entries > 5 * first[0].entries


def test_a_worker_that_fails_by_itself_is_trouble_and_not_a_kill(tmp_path: Path) -> None:
    plan = Plan(Home(tmp_path), tuple(take(3)), kills=1, seed=1)
    plan.home.journal.write_text("something else lies here")
    course = trio.run(partial(conduct, plan, lambda _course: None))
    assert find_faults(plan, course) == [course.trouble]
    assert str(plan.home.worker_log) in course.trouble
    assert course.kills == []
