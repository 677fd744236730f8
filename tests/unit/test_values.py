"""Amounts, addresses and hex as they come in, and exact splits."""

import pytest
from eth_utils.address import to_checksum_address
from pydantic import TypeAdapter, ValidationError

from taesan.core import values
from taesan.core.ids import new_id
from taesan.core.values import MAX_AMOUNT, AmountIn, AmountOut, Money, Shape, parse_address, parse_amount, parse_hex

ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@pytest.mark.parametrize(("text", "amount"), [("0", 0), ("1", 1), ("230000", 230_000), (str(MAX_AMOUNT), MAX_AMOUNT)])
def test_amounts_are_decimal_strings(text: str, amount: int) -> None:
    assert parse_amount(text) == amount


@pytest.mark.parametrize(
    "wrong",
    [
        1,
        1.0,
        True,
        None,
        [],
        "",
        " 1",
        "1 ",
        "1\n",
        "+1",
        "-1",
        "-0",
        "01",
        "00",
        "1.0",
        "1,000",
        "1e3",
        "0x10",
        "1_000",
        "١",  # Arabic-Indic one: int() would take it
        "１",  # full-width one
        "NaN",
        "Infinity",
    ],
)
def test_whatever_else_is_no_amount(wrong: object) -> None:
    with pytest.raises(ValueError, match="decimal digits"):
        parse_amount(wrong)


@pytest.mark.parametrize("wrong", [str(MAX_AMOUNT + 1), "9" * 19, "9" * 100])
def test_more_than_fits_is_no_amount(wrong: str) -> None:
    with pytest.raises(ValueError, match=f"at most {MAX_AMOUNT}"):
        parse_amount(wrong)


def test_an_amount_is_a_string_on_both_sides_of_http() -> None:
    class Both(Shape):
        into: AmountIn
        out: AmountOut

    both = Both.model_validate_json('{"into": "5", "out": 7}')
    assert (both.into, both.out) == (5, 7)
    assert both.model_dump(mode="json")["out"] == "7"
    schema = TypeAdapter(AmountOut).json_schema()
    assert schema["type"] == "string"


@pytest.mark.parametrize("number", ["5", "5.0", "5e0", "true", "null"])
def test_a_json_number_is_no_amount(number: str) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate_json(f'{{"value": {number}, "asset": "USD"}}')


@pytest.mark.parametrize("text", [ADDRESS, ADDRESS.lower(), "0x" + ADDRESS[2:].upper()])
def test_addresses_come_out_with_their_checksum(text: str) -> None:
    assert parse_address(text) == ADDRESS == to_checksum_address(text)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "0x",
        ADDRESS[2:],
        ADDRESS[:-1],
        ADDRESS + "0",
        ADDRESS + "\n",
        ADDRESS.replace("7", "g"),
        "0X" + ADDRESS[2:],
        ADDRESS.swapcase().replace("0X", "0x"),  # each letter of the checksum wrong
        "0x70997970c51812dc3A010C7d01b50e0d17dc79C8",  # one letter of the checksum wrong
    ],
)
def test_whatever_else_is_no_address(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"0x and 40|EIP-55"):
        parse_address(wrong)


def test_hex_is_lower_case_and_of_its_length() -> None:
    assert parse_hex("0x") == "0x"
    assert parse_hex("0xABcd") == "0xabcd"
    assert parse_hex("0xabcd", 2) == "0xabcd"


@pytest.mark.parametrize(
    ("wrong", "length"), [("abcd", 2), ("0xabc", None), ("0xgg", 1), ("0xab", 2), ("0xabcdef", 2), ("0xab ", None)]
)
def test_whatever_else_is_no_hex(wrong: str, length: int | None) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_hex(wrong, length)


def test_bytes_and_hex_are_two_writings_of_the_same() -> None:
    assert values.bytes_of("0xabcd") == bytes([0xAB, 0xCD]) == values.bytes_of("abcd")
    assert values.hex_of(bytes([0xAB, 0xCD])) == "0xabcd"


def test_shapes_refuse_fields_that_they_do_not_know() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Money.model_validate({"value": "1", "asset": "USD", "curency": "USD"})


def test_ids_tell_what_they_are_of_and_never_repeat() -> None:
    ids = {new_id("pay") for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(id_.startswith("pay_") and len(id_) == 36 for id_ in ids)


def test_a_split_gives_the_remainder_to_the_largest_remainders() -> None:
    assert values.split_exactly(100, [1, 1, 1]) == [34, 33, 33]
    assert values.split_exactly(101, [1, 1, 1]) == [34, 34, 33]
    assert values.split_exactly(10, [0, 3, 7]) == [0, 3, 7]
    assert values.split_exactly(0, [1, 2]) == [0, 0]
    assert values.split_exactly(1, [1, 2]) == [0, 1]


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [2, -1]])
def test_weights_that_make_no_whole_are_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        values.split_exactly(10, weights)
