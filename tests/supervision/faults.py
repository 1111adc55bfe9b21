"""Faults of one supervisor and of one directory, put into the implementation by hand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """``old`` in module ``module`` becomes ``new``; simulations of ``kind`` are to notice within ``seeds``."""

    name: str
    kind: str
    module: str
    old: str
    new: str
    seeds: int = 1500
    first: int = 0  # for a rare one, the seed to begin with, a little below one that is known to notice


SUPERVISOR = [
    Mutant(
        "an end is taken for answered when a start begins",
        "supervisor",
        "crew",
        "        run = slot.begin(",
        "        self.ends.clear(); run = slot.begin(",
    ),
    Mutant("a run is not shielded", "supervisor", "slot", "trio.CancelScope(shield=True)", "trio.CancelScope()"),
    Mutant(
        "a cancelled block does not stop its children",
        "supervisor",
        "supervisor",
        "                control.abort()\n",
        "                pass\n",
    ),
    Mutant("the control loop is not shielded", "supervisor", "control", "trio.CancelScope(shield=True)", "trio.CancelScope()"),
    Mutant(
        "failures are not told",
        "supervisor",
        "slot",
        "        self.instruments.tell(lambda each: each.child_exited(self.path, exit))",
        "        if error is None: self.instruments.tell(lambda each: each.child_exited(self.path, exit))",
    ),
    Mutant(
        "a temporary child is restarted with its group",
        "supervisor",
        "control",
        "if sibling.child.restart is not Restart.TEMPORARY:",
        "if True:",
    ),
    Mutant(
        "a stop does not wait for the clean-up", "supervisor", "crew", "        while not run.ended.is_set():\n", "        while False:\n"
    ),
    Mutant(
        "failures that coincide are answered one by one",
        "supervisor",
        "crew",
        "return self.take_end(slot) if slot in self.ends and not self.stop_asked else None",
        "return None",
    ),
    Mutant(
        "children are stopped in the order of start",
        "supervisor",
        "control",
        "in reversed(tuple(self.crew.slots.values()))",
        "in tuple(self.crew.slots.values())",
    ),
    Mutant(
        "the budget is one short",
        "supervisor",
        "policy",
        "len(self._times) <= self.budget.restarts",
        "len(self._times) < self.budget.restarts",
    ),
    Mutant("the budget's window never ends", "supervisor", "policy", "<= now - self.budget.per", "<= -1 - self.budget.per"),
    Mutant(
        "rest-for-one restarts all", "supervisor", "policy", "range(0 if self is Strategy.ONE_FOR_ALL else index, count)", "range(0, count)"
    ),
    Mutant("rest-for-one restarts one", "supervisor", "policy", "if self is Strategy.ONE_FOR_ONE:", "if self is not Strategy.ONE_FOR_ALL:"),
    Mutant("permanent is taken for transient", "supervisor", "policy", "self is Restart.PERMANENT or (", "False or ("),
    Mutant(
        "a transient child is restarted when it has returned",
        "supervisor",
        "policy",
        'self is Restart.TRANSIENT and exit.how == "raised"',
        "self is Restart.TRANSIENT",
    ),
    Mutant(
        "a group member's back-off is cut short by another's",
        "supervisor",
        "control",
        "max([now + delay, *(each.due for each in group if each.due < math.inf)])",
        "now + delay",
        first=600,
    ),
    Mutant(
        "the next child is started before the last one is ready",
        "supervisor",
        "crew",
        "            await run.settled.wait()\n",
        "            await trio.lowlevel.checkpoint()\n",
    ),
    Mutant("an interrupt is restarted", "supervisor", "crew", "run.exit.error is not None and run.exit.failure is None", "False"),
    Mutant(
        "errors of the stopping are dropped",
        "supervisor",
        "control",
        "return [exit.failure for exit in self.crew.ends.values() if exit.failure is not None]",
        "return []",
    ),
    Mutant(
        "a long run does not break the row",
        "supervisor",
        "control",
        "slot.streak = 1 if exit.ran_for >= slot.child.backoff.reset_after else slot.streak + 1",
        "slot.streak += 1",
    ),
    Mutant(
        "a stop waits for the drain for ever",
        "supervisor",
        "crew",
        "with trio.move_on_after(slot.child.shutdown) as self._draining:",
        "with trio.CancelScope() as self._draining:",
    ),
    Mutant(
        "leaving does not cut the drain short", "supervisor", "crew", "                self._draining.cancel()\n", "                pass\n"
    ),
    Mutant(
        "children are started after the stop was asked for",
        "supervisor",
        "control",
        "if self.crew.halted or not await self.crew.start(slot):",
        "if not await self.crew.start(slot):",
    ),
    Mutant("a child is added while its group is down", "supervisor", "orders", "(order.adds and self._crew.group_is_down)", "False"),
    Mutant(
        "requests in hand are forgotten when a run ends",
        "supervisor",
        "mailbox",
        "            forsake(slip, self.name)\n",
        "            pass\n",
    ),
    Mutant(
        "the mailbox is emptied when a run ends",
        "supervisor",
        "mailbox",
        "        for slip",
        "        self._normal.clear()\n        for slip",
    ),
    Mutant(
        "a cancelled send is queued after all",
        "supervisor",
        "mailbox",
        "            del waiting[task]\n",
        "            self._normal.append(waiting.pop(task))\n",
    ),
    Mutant("a cancelled request is not taken back", "supervisor", "requests", "            holder.withdraw(self)\n", "            pass\n"),
]

DIRECTORY = [
    Mutant(
        "a message to a closing actor is refused",
        "directory",
        "population",
        "return cell.succeed() if cell.mailbox.closed else cell.mailbox",
        "return cell.mailbox",
    ),
    Mutant(
        "a closing actor is not waited for",
        "directory",
        "population",
        "return cell.succeed() if cell.mailbox.closed else cell.mailbox",
        "return self._make(key).mailbox if cell.mailbox.closed else cell.mailbox",
    ),
    Mutant(
        "the next incarnation is forgotten",
        "directory",
        "cell",
        "        return self.mailbox.queued > 0\n\n    def",
        "        return mailbox.queued > 0\n\n    def",
    ),
    Mutant(
        "what an actor left in its mailbox is forgotten",
        "directory",
        "cell",
        "        return self.mailbox.queued > 0\n\n    def",
        "        return self.mailbox is not mailbox\n\n    def",
    ),
    Mutant(
        "a woken actor is still idle",
        "directory",
        "population",
        "        self.idle.pop(cell, None)\n\n    def reprieve",
        "\n    def reprieve",
    ),
    Mutant("one who waits for a certain message is idle", "directory", "mailbox", "idle=match is None", "idle=True"),
    Mutant("the limit is not kept", "directory", "population", "        self._trim()\n\n    def woken", "\n    def woken"),
    Mutant(
        "the one let go is not the idle one",
        "directory",
        "population",
        "        while self.idle and len(self.cells) - self._closing > self.rules.limit:\n            self.let_go(next(iter(self.idle)))",
        "        while self.idle and len(self.cells) - self._closing > self.rules.limit:\n"
        "            self.idle.clear(); self.let_go(next(iter(self.cells.values())))",
    ),
    Mutant(
        "those let go still count",
        "directory",
        "population",
        "len(self.cells) - self._closing > self.rules.limit",
        "len(self.cells) > self.rules.limit + 1",
    ),
    Mutant(
        "a key's restarts are forgotten with its actor",
        "directory",
        "population",
        "        self._records[cell.key] = record\n",
        "        self._records[cell.key] = Record(Ledger(self.rules.budget), record.streak, now)\n",
    ),
    Mutant(
        "a key that is set aside may be written to", "directory", "population", "        if key in self.quarantined:", "        if False:"
    ),
    Mutant(
        "a failed actor is run again at once",
        "directory",
        "cell",
        "        await trio.sleep(delay)\n",
        "        await trio.lowlevel.checkpoint()\n",
    ),
    Mutant("a circle of requests is not seen", "directory", "requests", "        if node is asker:", "        if False:"),
    Mutant(
        "any two requests are a circle",
        "directory",
        "requests",
        "        if node is asker:",
        "        if node is not target or node is asker:",
    ),
    Mutant(
        "urgent messages queue with the others",
        "directory",
        "mailbox",
        "        if self._urgent is None:\n            self._urgent = deque()\n        self._urgent.append(message)",
        "        self._normal.append(message)",
    ),
    Mutant(
        "who waits for room is let in last come, first served",
        "directory",
        "mailbox",
        "task = next(iter(self._waiting))",
        "task = next(reversed(self._waiting))",
    ),
    Mutant(
        "leaving cancels without draining in time", "directory", "directory", "with trio.move_on_after(grace):", "with trio.CancelScope():"
    ),
    Mutant(
        "actors are not shielded from the block's cancellation", "directory", "cell", "trio.CancelScope(shield=True)", "trio.CancelScope()"
    ),
]
