"""Definitions that the tests of this folder share."""

from __future__ import annotations

import aion_trio as aion


class Declined(Exception):
    """A failure that comes back as itself."""


@aion.activity(raises=[Declined])
async def charge(order: str, cents: int = 0) -> str:
    """An activity whose outcome the test decides."""
    raise AssertionError(order)


@aion.activity
async def ship(parcel: str) -> str:
    """Another one."""
    raise AssertionError(parcel)


@aion.workflow
async def delivery(parcel: str) -> str:
    """A child whose outcome the test decides."""
    raise AssertionError(parcel)


approval = aion.Signal("approval", bool)
progress = aion.Query("progress", int)
readdress = aion.Update("readdress", str, int)
