// Prints the path of the Chromium that the npm package @sparticuz/chromium carries, unpacked once and kept in
// node_modules/.cache. Beside it lie fonts/ and al2023/lib/ with the shared libraries (NSS, NSPR, expat) that a bare
// machine may lack.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const modules = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "node_modules");
const home = join(modules, "@sparticuz", "chromium");
if (!existsSync(home)) {
  console.error("node_modules/@sparticuz/chromium is missing: run `make setup`");
  process.exit(1);
}

const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
const cache = join(modules, ".cache", "taesan-chromium");
const kept = join(cache, version);

if (!existsSync(join(kept, "chromium"))) {
  // The package unpacks into the system's folder for temporary files and takes what it finds there for its own. A folder
  // of our own, renamed when it is whole, is safe from half-unpacked files and from other people's.
  mkdirSync(cache, { recursive: true });
  const unpacked = mkdtempSync(join(cache, "unpacking-"));
  process.env.TMPDIR = unpacked;
  process.env.AWS_LAMBDA_JS_RUNTIME = "nodejs22.x"; // its switch for unpacking the shared libraries too
  const { default: chromium } = await import("@sparticuz/chromium");
  await chromium.executablePath(join(home, "bin"));
  try {
    renameSync(unpacked, kept);
  } catch (error) {
    rmSync(unpacked, { recursive: true });
    if (!existsSync(join(kept, "chromium"))) throw error; // otherwise another process was first
  }
}

console.log(join(kept, "chromium"));
