"""The pages' scripts without a browser: Node imports them under the addresses that the hub serves them by."""

import json
import os
import subprocess
from typing import Any

from taesan.web.files import folders
from tests.support.chain import ROOT

_FOLDERS = {f"{path}/": f"{folder.resolve().as_uri()}/" for path, folder in folders(ROOT / "node_modules").items()}
_HOOK = f"""
const folders = Object.entries({json.dumps(_FOLDERS)});
export function resolve(name, context, next) {{
  const found = folders.find(([prefix]) => name.startsWith(prefix));
  return found ? {{ url: name.replace(...found), format: "module", shortCircuit: true }} : next(name, context);
}}"""
_AROUND = """
import { register } from "node:module";
register("data:text/javascript," + encodeURIComponent(%s));
globalThis.document = { documentElement: { lang: "en" } };
const answer = await (async () => {%s})();
console.log(JSON.stringify(answer, (_name, value) => (typeof value === "bigint" ? String(value) : value)));
"""


def run_script(body: str, given: Any = None) -> Any:
    """What a function's body returns, as JSON has it, BigInts as strings. It may `await import("/static/…")`.

    :param given: what it finds as `given`. :raises AssertionError: it threw
    """
    script = _AROUND % (json.dumps(_HOOK), f"const given = {json.dumps(given)};\n{body}")
    done = subprocess.run(
        ["node", "--input-type=module"], input=script, capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
