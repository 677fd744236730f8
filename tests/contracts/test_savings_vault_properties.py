"""SavingsVault: ERC-4626's properties, and whatever order things come in.

The properties follow a16z's list: https://github.com/a16z/erc4626-tests
"""

import pytest
from brownie import chain
from brownie.test import given
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from support import DOLLAR
from support.briefly import examples
from support.clock import DAY, now, travel
from support.savings import DRIP, DRIP_MIN_SHARES, VIRTUAL_SHARES, Model

MOST = 2**128 - 1
AMOUNTS = st.one_of(st.integers(1, 12), st.integers(1, 3_000 * DOLLAR))
SHARES = st.one_of(st.integers(1, 10**6), st.integers(1, 3_000 * DOLLAR * VIRTUAL_SHARES))
PARTS = st.one_of(st.just(1_000), st.integers(1, 1_000))  # in thousandths
WHO = st.sampled_from([0, 1])


# ------------------------------------------------------------------ properties


@pytest.fixture(scope="module")
def in_any_state(savings, payer, other_payer, sponsor):
    """Bring the vault to some price of its shares, with nothing left to drip, so that time does not matter."""

    def in_any_state(saved, yielded):
        savings.deposit(saved + DOLLAR, payer, {"from": payer})
        savings.sponsor(yielded, {"from": sponsor})
        savings.deposit(saved + DOLLAR, other_payer, {"from": other_payer})
        travel(DRIP)
        assert savings.undripped() == 0

    return in_any_state


@settings(max_examples=examples(8), deadline=None)
@given(saved=AMOUNTS, yielded=AMOUNTS, assets=st.integers(1, DOLLAR), shares=st.integers(1, 10**12))
def test_no_way_in_and_out_or_out_and_in_gains(savings, in_any_state, payer, saved, yielded, assets, shares):
    in_any_state(saved, yielded)

    def deposit(amount):
        # A few shares redeem for nothing, and nothing is no deposit.
        return amount and savings.deposit(amount, payer, {"from": payer}).return_value

    def mint(number):
        return savings.mint(number, payer, {"from": payer}).return_value

    def withdraw(amount):
        return savings.withdraw(amount, payer, payer, {"from": payer}).return_value

    def redeem(number):
        return savings.redeem(number, payer, payer, {"from": payer}).return_value

    assert redeem(deposit(assets)) <= assets
    assert deposit(assets) <= withdraw(assets)
    assert withdraw(mint(shares)) >= shares
    assert mint(shares) >= redeem(shares)
    assert deposit(redeem(shares)) <= shares
    assert redeem(shares) <= mint(shares)
    assert mint(withdraw(assets)) >= assets
    assert withdraw(assets) >= deposit(assets)


@settings(max_examples=examples(10), deadline=None)
@given(saved=AMOUNTS, yielded=AMOUNTS, assets=AMOUNTS, shares=SHARES, passed=st.integers(0, DRIP))
def test_previews_and_conversions_keep_their_word(
    savings, payer, other_payer, stranger, sponsor, saved, yielded, assets, shares, passed
):
    savings.deposit(saved, payer, {"from": payer})
    savings.sponsor(yielded, {"from": sponsor})
    travel(passed + 1)
    caller = {"from": other_payer}

    # Previews tell exactly what the transaction does in the same block, and never better than the conversions.
    assert savings.deposit.call(assets, payer, caller) == savings.previewDeposit(assets)
    assert savings.mint.call(shares, payer, caller) == savings.previewMint(shares)
    assert savings.previewDeposit(assets) <= savings.convertToShares(assets) <= savings.previewWithdraw(assets)
    assert savings.previewRedeem(shares) <= savings.convertToAssets(shares) <= savings.previewMint(shares)
    owned = savings.balanceOf(payer)
    withdrawn = min(assets, savings.maxWithdraw(payer))
    owner = {"from": payer}
    assert savings.withdraw.call(withdrawn, payer, payer, owner) == savings.previewWithdraw(withdrawn)
    assert savings.redeem.call(min(shares, owned), payer, payer, owner) == savings.previewRedeem(min(shares, owned))

    # Conversions depend on nobody, and there and back never gains.
    for convert, amount in ((savings.convertToShares, assets), (savings.convertToAssets, shares)):
        assert convert(amount, {"from": payer}) == convert(amount, {"from": stranger})
    assert savings.convertToAssets(savings.convertToShares(assets)) <= assets
    assert savings.convertToShares(savings.convertToAssets(shares)) <= shares

    # The most that may be taken can be taken, and a stranger has nothing.
    assert savings.redeem.call(savings.maxRedeem(payer), payer, payer, owner) == savings.maxWithdraw(payer)
    assert savings.withdraw.call(savings.maxWithdraw(payer), payer, payer, owner) <= owned
    assert savings.maxWithdraw(stranger) == savings.maxRedeem(stranger) == 0
    assert savings.maxDeposit(stranger) == MOST - saved - yielded
    assert savings.previewMint(savings.maxMint(stranger)) <= savings.maxDeposit(stranger)


@settings(max_examples=examples(6), deadline=None)
@given(
    amounts=st.lists(AMOUNTS, min_size=1, max_size=3), steps=st.lists(st.integers(1, 20 * DAY), min_size=5, max_size=8)
)
def test_total_assets_only_rise_with_time_and_end_at_all_that_was_given(
    savings, gift_token, payer, sponsor, amounts, steps
):
    savings.deposit(DOLLAR, payer, {"from": payer})
    for amount in amounts:
        savings.sponsor(amount, {"from": sponsor})
    before = savings.totalAssets()
    for step in [*steps, DRIP]:
        travel(step)
        after = savings.totalAssets()
        assert before <= after <= DOLLAR + sum(amounts)
        assert after + savings.undripped() == DOLLAR + sum(amounts)
        before = after
    assert after == gift_token.balanceOf(savings)


# ------------------------------------------------------------------- any order


class Savers(RuleBasedStateMachine):
    """Everything that people can do, in any order, against the model."""

    def __init__(self, vault, token, savers, sponsor):
        super().__init__()
        chain.revert()
        self.vault, self.token, self.savers, self.sponsor = vault, token, savers, sponsor
        self.model = Model()
        self.surplus = 0
        self.shares = [0, 0]
        self.price = (0, 1)

    # Each rule does one transaction, and then tells the model at what time it was mined.

    @rule(who=WHO, amount=AMOUNTS)
    def deposit(self, who, amount):
        saver = self.savers[who]
        if amount > self.token.balanceOf(saver):
            return
        tx = self.vault.deposit(amount, saver, {"from": saver})
        shares = self.model.shares_for_deposit(amount, tx.timestamp)
        assert tx.return_value == shares
        self.model.deposit(amount, shares, tx.timestamp)
        self.shares[who] += shares

    @rule(who=WHO, shares=SHARES)
    def mint(self, who, shares):
        saver = self.savers[who]
        # Time may pass before the transaction, and a share's price rise with it.
        if 2 * self.vault.previewMint(shares) + 10 > self.token.balanceOf(saver):
            return
        tx = self.vault.mint(shares, saver, {"from": saver})
        amount = self.model.assets_for_mint(shares, tx.timestamp)
        assert tx.return_value == amount
        self.model.deposit(amount, shares, tx.timestamp)
        self.shares[who] += shares

    @rule(who=WHO, part=PARTS)
    def withdraw(self, who, part):
        saver = self.savers[who]
        amount = self.vault.maxWithdraw(saver) * part // 1_000
        tx = self.vault.withdraw(amount, saver, saver, {"from": saver})
        shares = self.model.shares_for_withdrawal(amount, tx.timestamp)
        assert tx.return_value == shares
        self.model.withdraw(amount, shares, tx.timestamp)
        self.shares[who] -= shares

    @rule(who=WHO, part=PARTS)
    def redeem(self, who, part):
        saver = self.savers[who]
        shares = self.shares[who] * part // 1_000
        tx = self.vault.redeem(shares, saver, saver, {"from": saver})
        amount = self.model.assets_for_redemption(shares, tx.timestamp)
        assert tx.return_value == amount
        self.model.withdraw(amount, shares, tx.timestamp)
        self.shares[who] -= shares

    @rule(amount=AMOUNTS)
    def sponsors(self, amount):
        if amount <= self.token.balanceOf(self.sponsor):
            tx = self.vault.sponsor(amount, {"from": self.sponsor})
            self.model.sponsor(amount, tx.timestamp)

    @rule(amount=AMOUNTS, is_sponsored=st.booleans())
    def transfer(self, amount, is_sponsored):
        """A plain transfer, which half of the time somebody makes a sponsorship."""
        if amount > self.token.balanceOf(self.sponsor):
            return
        self.token.transfer(self.vault, amount, {"from": self.sponsor})
        self.surplus += amount
        if is_sponsored:
            tx = self.vault.sponsorSurplus({"from": self.sponsor})
            self.model.sponsor(self.surplus, tx.timestamp)
            self.surplus = 0

    @rule(seconds=st.one_of(st.integers(1, 60), st.integers(1, 2 * DRIP)))
    def wait(self, seconds):
        travel(seconds)

    @invariant()
    def the_vault_is_as_the_model_says(self):
        vault, model, time = self.vault, self.model, now()
        assert vault.totalAssets() == model.total_assets(time)
        assert vault.undripped() == model.undripped(time)
        assert vault.dripTimeLeft() == model.time_left(time) <= DRIP
        assert self.token.balanceOf(vault) == model.held + self.surplus

    def teardown(self):
        """In the end every claim is covered, and nothing is in anybody's hands that the model knows nothing of."""
        assert self.vault.totalSupply() == self.model.supply == sum(self.shares)
        assert sum(self.vault.maxWithdraw(saver) for saver in self.savers) <= self.model.total_assets(now())
        for saver in self.savers:
            self.vault.redeem(self.vault.balanceOf(saver), saver, saver, {"from": saver})
        assert self.vault.totalSupply() == self.vault.totalAssets() == 0
        assert self.vault.undripped() == self.token.balanceOf(self.vault) - self.surplus

    @invariant()
    def a_share_never_loses_worth_while_there_are_any(self):
        assets, shares = self.model.total_assets(now()) + 1, self.model.supply + VIRTUAL_SHARES
        if self.model.supply:
            assert assets * self.price[1] >= self.price[0] * shares
            self.price = (assets, shares)
        else:
            assert (assets, shares) == (1, VIRTUAL_SHARES)
            self.price = (0, 1)


def test_any_order_of_events_leaves_the_vault_as_the_model_says(savings, gift_token, payer, other_payer, sponsor):
    assert savings.DRIP_MIN_SHARES() == DRIP_MIN_SHARES
    chain.snapshot()
    run_state_machine_as_test(
        lambda: Savers(savings, gift_token, (payer, other_payer), sponsor),
        settings=settings(max_examples=examples(8), stateful_step_count=20, deadline=None),
    )
