"""Circuits: one for each thing the services depend on, shared by every task of both.

`config.py` says when a circuit opens, `window.py` watches one process's calls, `state.py` is the state
machine by itself, `store.py` keeps its state in the ledger table, `circuits.py` is what callers use,
`keeper.py` the thread that refreshes, probes and pauses, `announcing.py` tells people.
"""

from .circuits import CircuitOpen, Circuits
from .config import CircuitConfig
from .keeper import Keeper
from .state import SERVICE

__all__ = ["SERVICE", "CircuitConfig", "CircuitOpen", "Circuits", "Keeper"]
