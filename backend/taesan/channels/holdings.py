"""What a wallet holds on the chain, outside of any channel; on a local chain more of it for the asking."""

from taesan.chain import local
from taesan.channels.models import HoldingsPublic, TestDollarsPublic
from taesan.core.problems import Problem
from taesan.hub import Hub

GIVEN_DOLLARS = 20


def of(hub: Hub, wallet: str) -> HoldingsPublic:
    """At the newest block. :raises NodeUnavailable: nobody can tell now"""
    deployment, block = hub.contracts.deployment, int(hub.node.head()["number"])
    calls = [
        (deployment.asset, hub.contracts.encode("asset", "balanceOf", wallet)),
        (deployment.gift_token, hub.contracts.encode("gift_token", "balanceOf", wallet)),
    ]
    if deployment.vault:
        calls.append((deployment.vault, hub.contracts.encode("vault", "maxWithdraw", wallet)))
    asset, gift, *savings = (int.from_bytes(answer, "big") for answer in hub.node.call_many(calls, block))
    return HoldingsPublic(
        wallet=wallet,
        asset=asset,
        gift=gift,
        savings=savings[0] if savings else None,
        block=block,
        test_dollars=GIVEN_DOLLARS * 10**hub.asset.exponent if is_generous(hub) else 0,
    )


def is_generous(hub: Hub) -> bool:
    """Only where nothing is at stake."""
    return hub.settings.environment == "local" and hub.put_forward is not None


def give(hub: Hub, wallet: str) -> TestDollarsPublic:
    """:raises Problem: `no-faucet` but on a local chain"""
    no_faucet = Problem(
        "no-faucet", 404, "This hub gives no test dollars.", "Only one on a chain of this machine's own does."
    )
    if not is_generous(hub):
        raise no_faucet
    amount = GIVEN_DOLLARS * 10**hub.asset.exponent
    try:
        return TestDollarsPublic(
            amount=amount, transaction=local.give_test_dollars(hub.node, hub.contracts, wallet, amount)
        )
    except local.NotLocal as error:
        raise no_faucet from error
