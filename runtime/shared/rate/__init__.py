"""The rate that the other side bears, shared by the fleet through the ledger table, cheap because leased.

`pace.py` is calls a second, and the pause that a 429 asks of everybody; `permits.py` is how many at once.
"""

from runtime.shared.rate.pace import Pace, TooFast
from runtime.shared.rate.permits import HostPermits, NoneFree, Permits

__all__ = ["HostPermits", "NoneFree", "Pace", "Permits", "TooFast"]
