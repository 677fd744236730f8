"""Names that banks and strangers chose, in a file for a spreadsheet."""

import pytest

from taesan.insights.cells import cell
from tests.support.bank_files import contents, sample


@pytest.mark.parametrize("text", ["=1+1", "+82", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1"])
def test_what_begins_as_a_formula_is_none(text: str) -> None:
    assert cell(text) == "'" + text


@pytest.mark.parametrize("text", ["", "Blue Door", "블루도어", "a=b", "'=1", "7-eleven", " =1"])
def test_other_texts_stay(text: str) -> None:
    assert cell(text) == text


def test_no_name_of_a_statement_is_a_formula() -> None:
    names = [line.name for line in contents(sample("us_card.csv")).lines]
    assert any(name.startswith("=") for name in names)
    assert not any(cell(name).startswith("=") for name in names)
