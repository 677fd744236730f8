"""The wallet's scripts read and write the words of rules as the grammar does: what is signed must be just these."""

import base64
import json
import subprocess

from taesan.jars.grammar import parse_fires, parse_gather, parse_only
from taesan.web.files import STATIC

GATHERS = [
    "round up to 1 USD",
    "round up to 0.50 USD x2, at most 5 USD a day",
    "round up to 0.10 USD x2 to x5 by tier, 3.5% of the price, fixed 0.05 USD, cashback, top-ups, at most 2.50 USD a day, at most 50 USD a month",
    "round up to 500 KRW x10, fixed 100 KRW",
    "0.25% of the price",
    "100% of the price, top-ups",
    "gateway",
    "cashback",
]
FIRES = [
    "every 100 payments",
    "every 5 USD",
    "every 1 payments, every 0.50 USD, weekly on monday at Asia/Seoul, when I say so",
    "monthly on day 31 at Asia/Seoul",
    "when I say so",
]
ONLIES = ["", "category coffee", "merchant mer_6f0c2a9b1d3e4f5061728394, category 커피, category tea & cake"]

_SCRIPT = """
import { readFires, readGather, readOnly, writeFires, writeGather, writeOnly } from %(rule)s;
const { gathers, fires, onlies } = %(texts)s;
console.log(JSON.stringify([
  gathers.map((text) => writeGather(readGather(text))), fires.map((text) => writeFires(readFires(text))), onlies.map((text) => writeOnly(readOnly(text))),
]));
"""


def test_what_is_read_is_written_again_word_for_word() -> None:
    for text in GATHERS:
        assert str(parse_gather(text)) == text
    for text in FIRES:
        assert str(parse_fires(text)) == text
    for text in ONLIES:
        assert str(parse_only(text)) == text
    texts = {"gathers": GATHERS, "fires": FIRES, "onlies": ONLIES}
    source = base64.b64encode((STATIC / "lib" / "rule.js").read_bytes()).decode()
    script = _SCRIPT % {"rule": json.dumps(f"data:text/javascript;base64,{source}"), "texts": json.dumps(texts)}
    done = subprocess.run(["node", "--input-type=module"], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [GATHERS, FIRES, ONLIES]
