// Writes `.js` behind the relative imports of the declarations in `dist-package/types`, without which
// an application that resolves modules as Node does finds none of them.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const TYPES = new URL("dist-package/types/", import.meta.url);
const RELATIVE = /(\bfrom |\bimport\()(["'])(\.{1,2}\/[^"']+?)(\.tsx?)?\2/g;

for (const name of readdirSync(TYPES, { recursive: true })) {
  if (!name.endsWith(".d.ts")) continue;
  const file = new URL(name, TYPES);
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(RELATIVE, "$1$2$3.js$2"));
}
