// Modules' files → for each, what it imports, as the language itself reads it. To be run with --experimental-vm-modules.
import { readFileSync } from "node:fs";
import { SourceTextModule } from "node:vm";

const imports = (file) => new SourceTextModule(readFileSync(file, "utf8")).dependencySpecifiers;
console.log(JSON.stringify(process.argv.slice(2).map(imports)));
