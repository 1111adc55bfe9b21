"""The whole engine under simulation: random programs, clients, store failures and crashes, judged by a model of them.

One seed decides everything: programs over all that workflow code can ask for (`steps`, `structure`, `families`), clients and
operators that ask again after a crash (`clients`), lives of engines that die at any commit or any moment, with failing
commits, a clock that is set forward and back, little memory and missing code (`lives`). Judges are a model of the programs
(`nodes`), laws of the journal at any time (`laws`), and at rest what each workflow came to (`verdict`) and what clients were told
(`promises`); `lawbook` names every invariant.

A new capability joins in one place: a kind of node, or an operation of a client. `rare` says which rare states were reached.
"""

from .lawbook import Breach, Law
from .rare import POINTS
from .world import Size, Verdict, simulate

__all__ = ["POINTS", "Breach", "Law", "Size", "Verdict", "simulate"]
