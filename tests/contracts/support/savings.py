"""The savings vault's arithmetic, told a second time: what the contract should answer, to the unit."""

from dataclasses import dataclass

from support.clock import DAY

DRIP = 30 * DAY
"""The vault's drip duration, in seconds."""
VIRTUAL_SHARES = 10**6
"""For each minor unit of a first deposit there are as many shares."""
DRIP_MIN_SHARES = 10**12
"""With fewer shares than this, the drip waits."""


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


@dataclass
class Model:
    """All times are those of blocks."""

    duration: int = DRIP
    held: int = 0
    supply: int = 0
    pot: int = 0
    start: int = 0
    end: int = 0

    # ------------------------------------------------------------------ views

    @property
    def waits(self) -> bool:
        return self.supply < DRIP_MIN_SHARES

    def undripped(self, now: int) -> int:
        if self.waits:
            return self.pot
        return ceil_div(self.pot * (self.end - now), self.end - self.start) if now < self.end else 0

    def time_left(self, now: int) -> int:
        return self.end - self.start if self.waits else max(self.end - now, 0)

    def total_assets(self, now: int) -> int:
        return self.held - self.undripped(now)

    def shares_for_deposit(self, assets: int, now: int) -> int:
        return assets * (self.supply + VIRTUAL_SHARES) // (self.total_assets(now) + 1)

    def shares_for_withdrawal(self, assets: int, now: int) -> int:
        return ceil_div(assets * (self.supply + VIRTUAL_SHARES), self.total_assets(now) + 1)

    def assets_for_redemption(self, shares: int, now: int) -> int:
        return shares * (self.total_assets(now) + 1) // (self.supply + VIRTUAL_SHARES)

    def assets_for_mint(self, shares: int, now: int) -> int:
        return ceil_div(shares * (self.total_assets(now) + 1), self.supply + VIRTUAL_SHARES)

    # ------------------------------------------------------------ transactions

    def deposit(self, assets: int, shares: int, now: int) -> None:
        if self.waits:
            self._schedule(0, now)
        self.held += assets
        self.supply += shares

    def withdraw(self, assets: int, shares: int, now: int) -> None:
        if self.supply - shares < DRIP_MIN_SHARES:
            self._schedule(self.total_assets(now) - assets if shares == self.supply else 0, now)
        self.held -= assets
        self.supply -= shares

    def sponsor(self, amount: int, now: int) -> None:
        self._schedule(amount, now)
        self.held += amount

    def _schedule(self, added: int, now: int) -> None:
        left = self.undripped(now)
        pot = left + added
        time = (left * self.time_left(now) + added * self.duration) // pot if pot else 0
        self.pot, self.start, self.end = pot, now, now + time
