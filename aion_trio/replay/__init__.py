"""A run in memory: raw events in, raw events out; see `execution`."""

from .execution import Execution as Execution, RunIdentity as RunIdentity, World as World
