"""Workflow code sees no context variables of the program, whoever speaks to it."""

from __future__ import annotations

from contextvars import ContextVar

from trio.testing import MockClock

import aion_trio as aion
from aion_trio.stores import MemoryStore

from . import shop
from .harness import engine_on

tenant: ContextVar[str] = ContextVar("workflow_tenant", default="nobody")
seen = aion.Query("seen", str)


@aion.workflow
async def looks_around() -> list[str]:
    found = [tenant.get()]
    seen.serve(tenant.get)
    await shop.go.receive()
    found.append(tenant.get())
    await shop.add(1, 1)
    found.append(tenant.get())
    tenant.set("set inside")
    await shop.add(1, 1)
    return [*found, tenant.get()]


async def test_workflow_code_sees_no_context_variables_but_its_own(autojump_clock: MockClock) -> None:
    """K1: they would be a hidden input; what code sees does not depend on who started, signalled, asked or woke it."""
    tenant.set("opener")
    store = MemoryStore()
    async with engine_on(store, workflows=[looks_around], activities=[shop.add]) as engine:
        tenant.set("starter")
        handle = await engine.start(looks_around, id="l")
        assert await handle.query(seen) == "nobody"
    async with engine_on(store, workflows=[looks_around], activities=[shop.add]) as engine:
        tenant.set("signaller")
        await engine.handle("l").signal(shop.go, 1)
        assert await engine.handle("l").result() == ["nobody", "nobody", "nobody", "set inside"]
        assert await engine.handle("l").query(seen) == "nobody"
        other = await engine.start(looks_around, id="m")
        assert await other.query(seen) == "nobody", "what one workflow sets, no other one sees"
