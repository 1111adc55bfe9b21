"""`python -m benchmarks`: what users ask first. The modules beside this one measure single parts."""

from __future__ import annotations

from benchmarks.engine_steps import main

main()
