"""Definitions: what users declare (workflows, activities, signals, queries, updates, policies) and the catalog of it."""

from __future__ import annotations

from aion_trio.definitions.decorators import activity, workflow
from aion_trio.definitions.functions import ActivityDefinition, WorkflowDefinition
from aion_trio.definitions.messages import Query, Signal, Update
from aion_trio.definitions.policies import ActivityOptions, RetryPolicy
from aion_trio.definitions.registry import Registry

__all__ = [
    "activity",
    "workflow",
    "ActivityDefinition",
    "WorkflowDefinition",
    "Query",
    "Signal",
    "Update",
    "ActivityOptions",
    "RetryPolicy",
    "Registry",
]
