"""StandingOrders.convert: what each kind of destination becomes, and that one that fails is no matter to the others."""

import pytest
from brownie import ContractWallet, StandingOrders, accounts
from eth_abi import encode
from eth_utils import keccak

from support import DOLLAR, FOREVER, ZERO_ADDRESS
from support.clock import now
from support.errors import reverts_with
from support.events import assert_emitted, emitted
from support.orders import permit, refusals, to


@pytest.fixture
def convert(orders, settler):
    def convert(*conversions):
        return orders.convert(conversions, {"from": settler})

    return convert


def test_savings_are_shares_of_the_vault_for_the_recipient(rule, convert, vault, gift_token, payer, other_payer):
    to_save = rule.with_(destinations=(to("savings", other_payer),))
    tokens = gift_token.balanceOf(payer)

    tx = convert(to_save.conversion(4 * DOLLAR, number=7))

    shares = vault.balanceOf(other_payer)
    assert vault.convertToAssets(shares) == 4 * DOLLAR
    assert gift_token.balanceOf(payer) == tokens - 4 * DOLLAR
    told = {"payer": payer, "id": 1, "number": 7, "destination": 0, "amount": 4 * DOLLAR, "received": shares}
    assert_emitted(tx, "Converted", **told)


def test_cash_is_the_reserve_asset_for_the_recipient(rule, convert, asset, settlement, gift_token, payer, merchant):
    to_cash = rule.with_(destinations=(to("cash", merchant),))
    before, owed = asset.balanceOf(merchant), settlement.liabilities()

    convert(to_cash.conversion(4 * DOLLAR))

    assert asset.balanceOf(merchant) == before + 4 * DOLLAR
    assert settlement.liabilities() == owed - 4 * DOLLAR


def test_a_person_gets_the_tokens(rule, convert, gift_token, payer, merchant):
    to_give = rule.with_(destinations=(to("person", merchant),))
    tokens = gift_token.balanceOf(payer)

    tx = convert(to_give.conversion(4 * DOLLAR))

    assert gift_token.balanceOf(merchant) == 4 * DOLLAR
    assert gift_token.balanceOf(payer) == tokens - 4 * DOLLAR
    assert emitted(tx, "Converted")[0]["received"] == 4 * DOLLAR


def test_a_collectible_costs_its_price_and_the_payer_gets_it(rule, orders, convert, badges, gift_token, admin, settler, payer, merchant):
    badges.createCollectible(1_001, 0, {"from": admin})
    tx = orders.offer(1_001, merchant, 3 * DOLLAR, {"from": settler})
    assert_emitted(tx, "CollectibleOffered", collectible=1_001, beneficiary=merchant, price=3 * DOLLAR)
    assert tuple(orders.offers(1_001)) == (merchant, 3 * DOLLAR)
    to_collect = rule.with_(destinations=(to("collectible", merchant, token=number_as_address(1_001)),))
    tokens = gift_token.balanceOf(payer)

    tx = convert(to_collect.conversion(4 * DOLLAR, number=1), to_collect.conversion(3 * DOLLAR, number=2))

    assert [told["amount"] for told in emitted(tx, "Converted")] == [3 * DOLLAR, 3 * DOLLAR]
    assert badges.balanceOf(payer, 1_001) == 2
    assert gift_token.balanceOf(merchant) == 6 * DOLLAR
    assert gift_token.balanceOf(payer) == tokens - 6 * DOLLAR


def test_a_collectible_that_is_not_offered_or_too_dear_is_not_had(rule, orders, convert, badges, gift_token, admin, settler, payer, merchant, stranger):
    badges.createCollectible(1_001, 0, {"from": admin})
    destination = to("collectible", merchant, token=number_as_address(1_001))
    to_collect = rule.with_(destinations=(destination,))
    with reverts_with("StandingOrders_NotOffered", 1_001, merchant):
        _alone(orders, to_collect.conversion(DOLLAR))
    orders.offer(1_001, stranger, DOLLAR, {"from": settler})
    with reverts_with("StandingOrders_NotOffered", 1_001, merchant):
        _alone(orders, to_collect.conversion(DOLLAR))
    orders.offer(1_001, merchant, DOLLAR, {"from": settler})
    with reverts_with("StandingOrders_TooLittlePaid", DOLLAR - 1, DOLLAR):
        _alone(orders, to_collect.conversion(DOLLAR - 1))
    orders.offer(1_001, merchant, 0, {"from": settler})
    with reverts_with("StandingOrders_NotOffered", 1_001, merchant):
        _alone(orders, to_collect.conversion(DOLLAR))
    assert badges.balanceOf(payer, 1_001) == 0


def test_a_collectible_is_given_for_the_payment_or_nothing_is_paid(rule, orders, badges, admin, settler, payer, merchant):
    badges.createCollectible(1_001, 0, {"from": admin})
    orders.offer(1_001, merchant, DOLLAR, {"from": settler})
    milestone = keccak(encode(["address", "uint64", "uint64"], [orders.address, 1, 5]))
    badges.award(payer, 1_001, milestone, {"from": settler})
    to_collect = rule.with_(destinations=(to("collectible", merchant, token=number_as_address(1_001)),))
    with reverts_with("StandingOrders_AwardedBefore", 1_001):
        _alone(orders, to_collect.conversion(DOLLAR, number=5))


def test_what_stays_in_the_wallet_is_not_converted(rule, orders, payer):
    stays = rule.with_(destinations=(to("wallet", payer),))
    with reverts_with("StandingOrders_UnknownKind", "wallet"):
        _alone(orders, stays.conversion(DOLLAR))


def test_one_that_fails_is_told_and_the_others_go_on(rule, convert, orders, gift_token, asset, payer, merchant):
    parts = rule.with_(destinations=(to("cash", merchant, 5_000), to("person", merchant, 5_000)))
    tokens, held = gift_token.balanceOf(payer), asset.balanceOf(merchant)
    too_much = 2**95

    tx = convert(
        parts.conversion(too_much, number=1),
        parts.conversion(DOLLAR, number=2),
        parts.conversion(DOLLAR, number=2),
        parts.conversion(2 * DOLLAR, number=3, destination=1),
    )

    assert [name for name, _ in refusals(tx)] == ["ERC20InsufficientBalance", "StandingOrders_AlreadyConverted"]
    assert [told["number"] for told in emitted(tx, "Converted")] == [2, 3]
    assert asset.balanceOf(merchant) == held + DOLLAR
    assert gift_token.balanceOf(payer) == tokens - 3 * DOLLAR
    assert not orders.converted(payer, 1, 1) and orders.converted(payer, 1, 2)


def test_one_that_failed_can_be_carried_out_later(rule, convert, gift_token, orders, payer, merchant):
    gift_token.approve(orders, 0, {"from": payer})
    to_give = rule.with_(destinations=(to("person", merchant),))
    assert [name for name, _ in refusals(convert(to_give.conversion(DOLLAR)))] == ["ERC20InsufficientAllowance"]
    gift_token.approve(orders, DOLLAR, {"from": payer})
    assert refusals(convert(to_give.conversion(DOLLAR))) == []
    assert gift_token.balanceOf(merchant) == DOLLAR


# -------------------------------------------------------------------- permits


def test_the_permit_is_used_in_the_same_transaction(rule, convert, gift_token, orders, keys, payer, merchant):
    gift_token.approve(orders, 0, {"from": payer})
    allowed = permit(gift_token, payer, keys[payer.address], orders, 5 * DOLLAR)
    to_give = rule.with_(destinations=(to("person", merchant),))

    tx = convert(to_give.conversion(DOLLAR, 1, permit=allowed), to_give.conversion(DOLLAR, 2, permit=allowed))

    assert refusals(tx) == []
    assert gift_token.allowance(payer, orders) == 3 * DOLLAR


def test_a_permit_that_somebody_else_has_sent_is_no_hindrance(rule, convert, gift_token, orders, keys, payer, merchant, stranger):
    allowed = permit(gift_token, payer, keys[payer.address], orders, DOLLAR)
    value, deadline, v, r, s = allowed
    gift_token.permit(payer, orders, value, deadline, v, r, s, {"from": stranger})
    to_give = rule.with_(destinations=(to("person", merchant),))
    assert refusals(convert(to_give.conversion(DOLLAR, permit=allowed))) == []


# ------------------------------------------------------------------ who may


def test_only_the_settler_converts_and_offers(rule, orders, stranger, admin):
    for other in (stranger, admin):
        with reverts_with("StandingOrders_CallerNotOperator", other):
            orders.convert([], {"from": other})
        with reverts_with("StandingOrders_CallerNotOperator", other):
            orders.offer(1_001, other, 1, {"from": other})


def test_only_itself_calls_for_one(rule, orders, settler, merchant):
    with reverts_with("StandingOrders_CallerNotSelf", settler):
        orders.convertOne(rule.conversion(DOLLAR), {"from": settler})


def test_nothing_is_converted_while_the_settlement_is_paused(rule, orders, settlement, settler):
    settlement.pause({"from": settler})
    with reverts_with("StandingOrders_Paused"):
        orders.convert([rule.conversion(DOLLAR)], {"from": settler})


def test_an_offer_needs_a_beneficiary(orders, settler):
    with reverts_with("StandingOrders_ZeroAddress"):
        orders.offer(1_001, ZERO_ADDRESS, 1, {"from": settler})


def test_it_needs_its_contracts_and_a_window(hub, admin):
    three = hub.settlement, hub.vault, hub.badges
    for missing in range(3):
        arguments = [ZERO_ADDRESS if n == missing else contract for n, contract in enumerate(three)]
        with reverts_with("StandingOrders_ZeroAddress"):
            StandingOrders.deploy(*arguments, ZERO_ADDRESS, 60, {"from": admin})
    with reverts_with("StandingOrders_ZeroAmount"):
        StandingOrders.deploy(*three, ZERO_ADDRESS, 0, {"from": admin})


# ------------------------------------------------------------------- by rules


def test_its_time_its_amount_and_its_recipient_have_to_be(rule, orders, merchant):
    with reverts_with("StandingOrders_Expired"):
        _alone(orders, rule.conversion(DOLLAR, deadline=now() - 1))
    with reverts_with("StandingOrders_ZeroAmount"):
        _alone(orders, rule.conversion(0))
    nobody = rule.with_(destinations=(to("cash", ZERO_ADDRESS),))
    with reverts_with("StandingOrders_ZeroAddress"):
        _alone(orders, nobody.conversion(DOLLAR))
    with reverts_with("StandingOrders_UnknownDestination", 1):
        _alone(orders, rule.conversion(DOLLAR, destination=1))


def test_with_too_little_gas_nothing_looks_as_if_it_had_failed(rule, orders, settler):
    with reverts_with("StandingOrders_NeedsMoreGas"):
        orders.convert([rule.conversion(DOLLAR)], {"from": settler, "gas": 1_000_000})


def test_a_contract_wallet_signs_by_its_owner(rule, convert, gift_token, orders, give_gifts, keys, payer, merchant):
    wallet = ContractWallet.deploy(payer, {"from": payer})
    give_gifts(wallet, amount=10 * DOLLAR)
    wallet.execute(gift_token, gift_token.approve.encode_input(orders, FOREVER), {"from": payer})
    its = rule.with_(payer=wallet.address, destinations=(to("person", merchant),))
    assert refusals(convert(its.conversion(DOLLAR))) == []
    wallet.setAnswer(1, {"from": payer})
    assert refusals(convert(its.conversion(DOLLAR, number=2))) == [("StandingOrders_InvalidSignature", (wallet.address.lower(),))]


def number_as_address(number: int) -> str:
    return f"0x{number:040x}"


def _alone(orders, conversion):
    """As the contract itself calls it, so that the error is seen itself."""
    orders.convertOne(conversion, {"from": accounts.at(orders.address, force=True)})
