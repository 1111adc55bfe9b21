"""How much the Hypothesis models of the kernel try: little with every run of the tests, more where it is asked for.

`AION_TRIO_MODEL_EFFORT=50 python -m pytest tests/kernel/test_alarms.py tests/kernel/test_kernel_model.py` tries fifty times as much.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings


def budget(examples: int) -> settings:
    """Settings for a model that tries `examples` with every run of the tests."""
    effort = int(os.environ.get("AION_TRIO_MODEL_EFFORT", "1"))
    return settings(max_examples=examples * effort, deadline=None, suppress_health_check=list(HealthCheck))
