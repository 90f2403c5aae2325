/**
 * Joins the modules of lib/ into mod.ts: one typed, readable file that can be copied alone. Also
 * carries the version, whose home is package.json, into lib/version.ts and jsr.json, puts the files
 * of the dashboard together, and writes the JSON Schema of the config file where editors find it.
 *
 *     bun scripts/amalgamate.ts            writes them
 *     bun scripts/amalgamate.ts --check    fails when one of them is out of date
 *
 * What keeps this short: formatted code starts every top-level statement in the first column, and
 * lib/ renames nothing (`as`), imports no namespaces and nothing that is not its own. Names are
 * checked; everything else is left to the type check of mod.ts and to the tests that import it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";

const root = new URL("../", import.meta.url);
const entry = new URL("lib/mod.ts", root).href;
const checking = process.argv.includes("--check");

const FROM = /^(import|export) (type )?\{([^}]*)\} from "([^"]+)";\n/gm;
const LEFT =
  /^(?:import|export) (?:.* from )?".*|^export (?:default|[{*]).*|\bimport\("\.[^)]*\)|^export const [^\w].*/m;
const NAME = /^(export )?(?:abstract |async )*(?:function\*? ?|class |const |let |type |interface |enum )(\w+)/gm;

const seen = new Set<string>();
const owners = new Map<string, string>();
const types = new Map<string, Set<string>>();
const exported = new Set<string>();
const parts: string[] = [];
let [head, tail] = ["", ""];

function fail(message: string): never {
  console.error(`amalgamate: ${message}`);
  process.exit(1);
}

function read(path: string): string {
  return readFileSync(new URL(path, root), "utf8").replaceAll("\r\n", "\n");
}

function update(path: string, text: string): void {
  if (read(path) === text) return;
  if (checking) fail(`${path} is out of date: npm run build`);
  writeFileSync(new URL(path, root), text);
}

function own(name: string, path: string): void {
  const other = owners.get(name);
  if (other && other !== path) fail(`${name} is declared in ${other} and in ${path}`);
  if (name in globalThis && !path.startsWith("node:")) {
    fail(`${path}: ${name} hides the global ${name} from the other modules`);
  }
  owners.set(name, path);
}

function visit(url: string): void {
  if (seen.has(url)) return;
  seen.add(url);
  const path = url.slice(root.href.length);
  const source = read(path);
  const first = source.search(NAME);
  const text = source.replace(FROM, (line, keyword, type = "", list, from, offset) => {
    if (first >= 0 && offset > first) fail(`${path}: move to the top: ${line}`);
    const names: string[] = list.split(",").map((name: string) => name.trim()).filter(Boolean);
    if (names.some((name) => name.includes(" as "))) fail(`${path}: no "as", please`);
    if (!from.startsWith(".")) {
      if (!type) fail(`${path}: import ${from} inside the function that needs it`);
      const set = types.get(from) ?? new Set();
      for (const name of names) {
        set.add(name);
        own(name, from);
      }
      types.set(from, set);
      return "";
    }
    if (keyword === "export" && url !== entry) fail(`${path}: only lib/mod.ts re-exports`);
    if (keyword === "export") names.forEach((name) => exported.add(name.replace("type ", "")));
    visit(new URL(from, url).href);
    return "";
  });
  const odd = LEFT.exec(text);
  if (odd) fail(`${path}: cannot join \`${odd[0]}\``);
  for (const [, , name = ""] of text.matchAll(NAME)) own(name, path);
  if (url === entry) [head, tail] = [text.slice(0, text.indexOf("*/") + 2), text];
  else parts.push(`// ${path} ${"-".repeat(90 - path.length)}\n${text.trim()}`);
}

const { version } = JSON.parse(read("package.json"));
update("lib/version.ts", read("lib/version.ts").replace(/"[^"]*"/, `"${version}"`));
update("jsr.json", read("jsr.json").replace(/("version": )"[^"]*"/, `$1"${version}"`));

// Behind a blank, no line of the page looks like a statement of mod.ts.
const part = (name: string): string => read(`lib/server/dashboard/${name}`).replace(/^ *(?=\S)/gm, " ");
const page = part("page.html")
  .replace(/^ *<link .*href="(page.css)">/m, (_, name) => `<style>\n${part(name)}</style>`)
  .replace(/^ *<script src="(page.js)">/m, (_, name) => `<script>\n${part(name)}`);
update(
  "lib/server/dashboard_page.ts",
  `/** The dashboard, made by scripts/amalgamate.ts from the files in lib/server/dashboard/. */
export const DASHBOARD_PAGE = \`${page.replace(/[\\`]|\$(?=\{)/g, "\\$&")}\`;
`,
);

visit(entry);
tail = tail.slice(head.length).trim();
for (const name of exported) if (!owners.has(name)) fail(`no module declares ${name}`);
const body = [...parts, `// lib/mod.ts ${"-".repeat(80)}\n${tail}`].join("\n").replace(
  NAME,
  (line, word, name) => word && !exported.has(name) ? line.slice(word.length) : line,
);
const lines = [...types].sort(([a], [b]) => a < b ? -1 : 1).map(([from, names]) =>
  `import type { ${[...names].sort().join(", ")} } from "${from}";`
);
update(
  "mod.ts",
  `${head}

// Written by scripts/amalgamate.ts from lib/: edit there, not here.

${lines.join("\n")}

${body}
`,
);

const { CONFIG_SCHEMA } = await import("../lib/config/config_schema.ts");
update("arbiter.schema.json", `${JSON.stringify(CONFIG_SCHEMA, null, 2)}\n`);
