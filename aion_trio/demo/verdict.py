"""All that is to be said against a run of the demo."""

from __future__ import annotations

from contextlib import closing

from aion_trio.journal.verification import verify_journal
from aion_trio.stores import LmdbStore

from .audit import audit
from .conductor import Course, Plan


def find_faults(plan: Plan, course: Course) -> list[str]:
    """What is wrong after the run: with the run itself, the orders, the books, or the journal. Empty: nothing."""
    faults = [course.trouble] if course.trouble else []
    if course.outcomes:
        faults += audit(plan.orders, course.outcomes, plan.home.ledger)
        with closing(LmdbStore.open(plan.home.journal, read_only=True)) as store:
            faults += [f"journal, {finding.workflow_id}: {finding.what}" for finding in verify_journal(store)]
    elif not faults:
        faults.append("the workers ended without results")
    quarantined = {entry[0]: entry[1] for recovery in course.recoveries if recovery for entry in recovery.quarantined}
    return faults + [f"{workflow_id} was in quarantine: {reason}" for workflow_id, reason in quarantined.items()]
