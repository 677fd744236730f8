"""What a page asks for at once is what its script imports."""

import json
import subprocess
from pathlib import Path

from taesan.web import files

ROOT = Path(__file__).parents[2]
NPM = ROOT / "node_modules"
READER = ROOT / "tests" / "support" / "imports.mjs"


def _files(paths: set[str]) -> list[Path]:
    places = files.folders(NPM).items()
    return [
        next(folder / path.removeprefix(above + "/") for above, folder in places if path.startswith(above + "/"))
        for path in sorted(paths)
    ]


def test_imports_are_found_as_the_language_reads_them() -> None:
    own = {f"/static/{path.relative_to(files.STATIC)}" for path in files.STATIC.rglob("*.js")}
    modules = _files(own.union(*(files.imported(NPM, path) for path in own)))
    assert len(modules) > len(own) > 50
    command = ["node", "--no-warnings", "--experimental-vm-modules", str(READER), *map(str, modules)]
    read = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert [files.imports_in(path.read_text("utf-8")) for path in modules] == read


def test_all_that_a_script_imports_is_listed_once_with_what_that_imports() -> None:
    found = files.imported(NPM, "/static/wallet/home.js")
    assert len(found) == len(set(found))
    assert {"/static/lib/channel.js", "/static/noble/hashes/_md.js", "/static/lit/directive.js"} <= set(found)
    assert files.imported(Path("/nowhere"), "/static/lib/words.js") == ()
