"""`aion-trio workflow …`: start workflows, find them, look into them, talk to them."""

from __future__ import annotations

from .verbs import group

command = group(
    "workflow",
    "Start workflows, find them, look into them, talk to them.",
    {
        "start": "starting:start",
        "execute": "starting:execute",
        "list": "listing:list_workflows",
        "count": "listing:count",
        "show": "showing:show",
        "trace": "tracing:trace",
        "describe": "showing:describe",
        "result": "showing:result",
        "export": "showing:export",
        "signal": "messaging:signal",
        "query": "messaging:query",
        "cancel": "messaging:cancel",
        "terminate": "messaging:terminate",
        "stack": "messaging:stack",
        "release": "messaging:release",
    },
    "workflow start checkout order-42 4200 --id order-42",
    "workflow list --journal orders.aion --status failed",
    "workflow trace order-42",
)
