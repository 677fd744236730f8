"""What the wallet's scripts work out by themselves, before anything is asked or signed."""

from tests.support.modules import run_script

_MISSING = """
const { missingFor } = await import("/static/lib/holdings.js");
return given.map(([amount, asset, test_dollars]) => missingFor(BigInt(amount), { asset, test_dollars }, 6));
"""


def test_a_deposit_of_more_than_the_wallet_has_is_told_before_it_is_signed() -> None:
    told = run_script(_MISSING, [["5000000", "5000000", "0"], ["5000001", "5000000", "0"], ["1", "0", "20000000"]])
    assert told == [
        None,
        "You have $5.00 in your wallet.",
        'You have $0.00 in your wallet. "Get test dollars" on the wallet\'s first page brings you more.',
    ]


_CALLED = """
const { titlesOf } = await import("/static/lib/sample.js");
const shop = { merchant_id: "mer_a", goods: [{ id: "item-pebble", title: "Granite pebble" }] };
const asked = [["mer_a", "item-pebble"], ["mer_b", "item-pebble"], ["mer_a", "order 7"], ["mer_a", null]];
return [shop, null].map((one) => asked.map((of) => titlesOf(one)(...of)));
"""


def test_a_sample_good_is_called_by_its_title_and_nothing_else_is() -> None:
    told = run_script(_CALLED)
    assert told == [
        ["Granite pebble", "item-pebble", "order 7", None],
        ["item-pebble", "item-pebble", "order 7", None],
    ]


_TOLD = """
const { destination, fresh, termsOf, toldOf } = await import("/static/wallet/rules/draft.js");
const here = { currency: "USD", exponent: 6, payer: "0x" + "11".repeat(20), offered: [] };
return given.map(([change, share, left]) => {
  const { faults } = termsOf({ ...fresh("Asia/Seoul"), ...change, destinations: [destination("wallet", share)] }, here);
  return Object.keys(toldOf(faults, new Set(left))).sort();
});
"""


def test_what_is_wrong_in_a_rules_field_is_told_of_just_that_field_once_she_has_left_it() -> None:
    cases: list[tuple[object, list[str]]] = [
        (({"value": "-1", "times": "abc"}, "100", []), []),
        (({"value": "-1", "times": "abc"}, "100", ["value"]), ["value"]),
        (({"value": "", "times": "abc"}, "100", ["times", "value"]), ["times", "value"]),
        (({"hasShare": True, "share": "150"}, "100", ["share"]), ["share"]),
        (({}, "150", ["share-0"]), ["share-0"]),
        (({}, "", ["share-0"]), ["share-0"]),
        (({}, "40", ["share-0"]), ["destinations"]),
    ]
    assert run_script(_TOLD, [given for given, _ in cases]) == [told for _, told in cases]
