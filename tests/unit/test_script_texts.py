"""Each text that the pages' scripts show is found, and has its Korean; each script is well-formed."""

import subprocess

from taesan.web import words
from tests.support.korean import assert_told_in_korean


def test_calls_are_read_as_the_scripts_have_them() -> None:
    source = """_("One \\"two\\""); _( "three %(n)s", { n }); count("%(count)s cent", "%(count)s cents", 2); html`${_("in a template")}`; say_("no")"""
    assert words.texts_in(source) == ['One "two"', "three %(n)s", "in a template", "%(count)s cent", "%(count)s cents"]


def test_each_text_stands_in_its_call_where_it_can_be_found() -> None:
    unseen = {}
    for path in words.STATIC.rglob("*.js"):
        source = path.read_text("utf-8")
        calls = len(words.ANY_CALL.findall(source))
        found = len(words.FOUND_CALL.findall(source))
        if path.name != "words.js" and calls != found:
            unseen[path.name] = (calls, found)
    assert unseen == {}


def test_each_text_has_its_korean() -> None:
    texts = {text for path in words.STATIC.rglob("*.js") for text in words.texts_in(path.read_text("utf-8"))}
    assert len(texts) > 30
    assert_told_in_korean(texts)


def test_scripts_are_well_formed() -> None:
    for path in words.STATIC.rglob("*.js"):
        done = subprocess.run(
            ["node", "--input-type=module", "--check"], input=path.read_bytes(), capture_output=True, check=False
        )
        assert done.returncode == 0, f"{path.name}: {done.stderr.decode()}"
