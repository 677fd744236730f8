"""Each text that the pages' scripts show is found, and has its Korean; each script is well-formed."""

import subprocess
from pathlib import Path

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
    assert _malformed(*words.STATIC.rglob("*.js")) == ""


def test_a_script_that_is_not_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("import { b } from './b.js';")
    (tmp_path / "b.js").write_text("export const b = ;")
    assert "b.js: SyntaxError: Unexpected token" in _malformed(tmp_path / "a.js", tmp_path / "b.js")


def _malformed(*scripts: Path) -> str:
    """What Node says of each that it cannot read as a module. They are not run, and what they import is not looked for."""
    read = """
        const { readFileSync } = require("node:fs"), { SourceTextModule } = require("node:vm");
        for (const path of process.argv.slice(1))
            try { new SourceTextModule(readFileSync(path, "utf-8")) }
            catch (error) { console.log(`${path}: ${error}`) }
    """
    command = ["node", "--no-warnings", "--experimental-vm-modules", "--eval", read, *map(str, scripts)]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout
