"""Unmodified npm `@x402/evm` against our contracts: its client signs, its facilitator verifies and sends."""

from typing import Any

from eth_account import Account
from x402.mechanisms.evm.batch_settlement import errors  # the same words in both SDKs

from tests.support.chain import RICH_KEY, Chain
from tests.support.commands import run_node
from tests.support.stage import CENT, DOLLAR

PRICE = 10 * CENT
DEPOSIT = 5 * PRICE  # the SDK's own choice: five times the price


class Told:
    """What the script tells, and what the chain says to each of its transactions."""

    def __init__(self, chain: Chain, told: dict[str, Any]) -> None:
        self.chain, self.told = chain, told

    def step(self, name: str) -> Any:
        return self.told["steps"][name]

    def events(self, step: str) -> list[tuple[str, int]]:
        """(name, amount) of the channels contract's events, in order."""
        receipt = self.chain.web3.eth.get_transaction_receipt(self.step(step)["transaction"])
        decoded = [self.chain.contracts.decode_log(log) for log in receipt["logs"]]
        return [(e.name.removeprefix("channels."), e.args.get("amount", 0)) for e in decoded if e]

    def money_after(self, step: str) -> dict[str, Any]:
        """Who has what at the end of the block: `channel` is (balance, claimed in all)."""
        block = self.chain.web3.eth.get_transaction_receipt(self.step(step)["transaction"])["blockNumber"]
        return {
            "payer": self.chain.read("asset", "balanceOf", self.told["payer"], block=block),
            "shop": self.chain.read("asset", "balanceOf", self.told["shop"], block=block),
            "channel": tuple(self.chain.read("channels", "channels", self.told["channelId"], block=block)),
        }


def _run(chain: Chain) -> Told:
    payer = Account.create()
    chain.give_dollars(payer.address, DOLLAR)
    given = {
        "rpcUrl": chain.url,
        "network": chain.contracts.network,
        "asset": chain.deployment.asset,
        "name": chain.read("asset", "name"),
        "version": chain.read("asset", "version"),
        "price": str(PRICE),
        "facilitatorKey": RICH_KEY,
        "payerKey": "0x" + bytes(payer.key).hex(),
    }
    return Told(chain, run_node("x402_roundtrip.mjs", given))


def test_from_the_deposit_to_the_last_cent_and_all_nonsense_on_the_way(chain: Chain) -> None:
    told = _run(chain)
    assert told.told["types"] == ["deposit", "voucher", "voucher"]
    for step in ("depositVerified", "voucher"):
        assert told.step(step)["isValid"], told.step(step)
    for step, events, payer, shop, channel in (
        ("deposit", [("ChannelOpened", 0), ("Deposited", DEPOSIT)], DOLLAR - DEPOSIT, 0, (DEPOSIT, 0)),
        ("claim", [("Claimed", 2 * PRICE)], DOLLAR - DEPOSIT, 0, (DEPOSIT, 2 * PRICE)),
        ("sweep", [("Settled", 2 * PRICE)], DOLLAR - DEPOSIT, 2 * PRICE, (DEPOSIT, 2 * PRICE)),
        (
            "refund",
            [("Claimed", PRICE), ("Refunded", PRICE)],
            *(DOLLAR - DEPOSIT + PRICE, 2 * PRICE, (DEPOSIT - PRICE, 3 * PRICE)),
        ),
        ("refundAll", [("Refunded", PRICE)], DOLLAR - 3 * PRICE, 2 * PRICE, (3 * PRICE, 3 * PRICE)),
    ):
        assert told.step(step)["success"], told.step(step)
        assert told.events(step) == events
        assert told.money_after(step) == {"payer": payer, "shop": shop, "channel": channel}, step
    assert told.step("deposit")["amount"] == str(DEPOSIT)
    assert told.step("sweep")["amount"] == str(2 * PRICE)
    assert told.step("refund")["amount"] == str(PRICE)

    assert "allowedAssets" in told.step("refusedByDefault")
    for step, reason in (
        ("aboveTheBalance", errors.ERR_CUMULATIVE_EXCEEDS_BALANCE),
        ("byAStranger", errors.ERR_INVALID_VOUCHER_SIGNATURE),
        ("alreadyClaimed", errors.ERR_CUMULATIVE_AMOUNT_BELOW_CLAIMED),
    ):
        assert (told.step(step)["isValid"], told.step(step)["invalidReason"]) == (False, reason)
    for step, reason in (
        ("depositAgain", errors.ERR_DEPOSIT_SIMULATION_FAILED),
        ("claimAboveTheVoucher", errors.ERR_CLAIM_SIMULATION_FAILED),
        ("sweepAgain", errors.ERR_NOTHING_TO_SETTLE),
        ("refundAgain", errors.ERR_REFUND_SIMULATION_FAILED),
        ("refundNothing", errors.ERR_REFUND_NO_BALANCE),
    ):
        assert (told.step(step)["success"], told.step(step)["errorReason"]) == (False, reason)
