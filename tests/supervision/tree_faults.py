"""Faults of nesting and escalation, put into the implementation by hand; simulated trees alone notice them."""

from __future__ import annotations

from .faults import Mutant

TREE = [
    Mutant(
        "an inner supervisor is not stopped in good order", "tree", "slot", "            each.stop()\n", "            pass\n", first=390
    ),
    Mutant(
        "the drain of an inner supervisor is not waited for",
        "tree",
        "slot",
        "            await each.stopped()\n",
        "            pass\n",
        first=390,
    ),
    Mutant(
        "what supervise gives up with is a group",
        "tree",
        "supervisor",
        "        raise alone\n",
        "        raise ExceptionGroup('', [alone])\n",
    ),
    Mutant("of several errors supervise raises one", "tree", "supervisor", "        if others:\n            raise\n", ""),
    Mutant(
        "an inner supervisor does not know its place",
        "tree",
        "supervisor",
        "path = place.path if place is not None else name",
        "path = name",
    ),
    Mutant(
        "the outer instruments hear nothing of what is inside",
        "tree",
        "supervisor",
        "inherited = place.instruments if place is not None else None",
        "inherited = None",
    ),
    Mutant("a child does not show what is inside it", "tree", "slot", "        self._inner.append(inner)\n", "        pass\n"),
    Mutant("what was inside an earlier run is still shown", "tree", "slot", "        self._inner.remove(inner)\n", "        pass\n"),
    Mutant(
        "an interrupt in a group is an ordinary failure",
        "tree",
        "slot",
        "        except Exception as exc:\n            error = exc\n        except BaseException as exc:\n",
        "        except (Exception, BaseExceptionGroup) as exc:\n            error = exc\n        except BaseException as exc:\n",
    ),
    Mutant(
        "what an actor fails with beside a cancellation leaves the directory",
        "tree",
        "cell",
        "        return exc.split(trio.Cancelled)[1]\n",
        "        return exc\n",
    ),
    Mutant(
        "the end of an earlier run is awaited",
        "tree",
        "handle",
        "if self._slot.run is None and self._slot.exit is not None:",
        "if self._slot.exit is not None:",
    ),
    Mutant("a link outlives the run", "tree", "handle", "                scope.cancel()\n", "                pass\n"),
    Mutant(
        "a watcher is not told of the last end",
        "tree",
        "handle",
        "        if exit is None:\n            tell.close()\n",
        "        if exit is None:\n            pass\n",
    ),
    Mutant(
        "a watcher hears of one end alone",
        "tree",
        "handle",
        "            tell.send_nowait(exit)\n",
        "            tell.send_nowait(exit)\n            unsubscribe()\n",
    ),
    Mutant(
        "auto-shutdown leaves the body of an inner block running",
        "tree",
        "control",
        "            if self._over:\n                nursery.cancel_scope.cancel()\n",
        "",
        first=250,
    ),
]
