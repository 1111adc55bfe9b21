"""Faults put into the engine by hand: the simulation must notice every one, and each of its laws has one that it alone notices.

Each is a context manager that patches the engine for the time of its block. `proofs` says which law it belongs to.
"""

from .planting import Mutant
from .proofs import NOTICED, PROOFS, Proof, breaches, laws_broken

__all__ = ["NOTICED", "PROOFS", "Mutant", "Proof", "breaches", "laws_broken"]
