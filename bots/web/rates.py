"""How often one client may ask for what costs something."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address

from core.clock import Clock

MOST_CLIENTS = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in so long; all of them may come at once."""

    count: int
    every: timedelta


class Limiter:
    """Counts by what is asked and by client: a bucket that leaks (the generic cell rate algorithm, ITU-T I.371).

    It remembers one instant for each client; of more than `MOST_CLIENTS`, it forgets who asked longest ago.

    Args:
        rates: by what is asked.
        clock: where the time comes from.
    """

    def __init__(self, rates: dict[str, Rate], clock: Clock) -> None:
        self._rates = rates
        self._clock = clock
        self._full_at: OrderedDict[tuple[str, str], datetime] = OrderedDict()

    def wait(self, what: str, client: str) -> int:
        """Take one; return 0 where it was there to take, else the seconds until one is."""
        rate, now = self._rates[what], self._clock()
        key = (what, client_group(client))
        step = rate.every / rate.count
        filled = max(self._full_at.get(key, now), now) + step
        if filled - now > rate.every:
            return math.ceil((filled - now - rate.every).total_seconds())
        self._full_at[key] = filled
        self._full_at.move_to_end(key)
        if len(self._full_at) > MOST_CLIENTS:
            self._full_at.popitem(last=False)
        return 0


def client_group(client: str) -> str:
    """Return whom an address stands for: of IPv6 the network of 64 bits, since one household has all of it."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if not isinstance(address, IPv6Address):
        return client
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> 64 << 64))
