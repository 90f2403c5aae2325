/**
 * Run by bare.test.ts in a process of its own: takes away what only some runtimes have, then
 * imports the module and lets it answer. Prints what it found as JSON.
 */

/** Globals that a browser, a worker or an edge runtime does not have. */
const BARE_GLOBALS = ["process", "Deno", "Bun", "Buffer", "require", "setImmediate"];

const scope = globalThis as Record<string, unknown>;
const print = console.log;

for (const name of BARE_GLOBALS) {
  const value = scope[name];
  // Node's own web classes are made of these globals: they alone still see them.
  const get = () => /\bnode:internal\b/.test(new Error().stack?.split("\n")[2] ?? "") ? value : undefined;
  Reflect.defineProperty(scope, name, { get, configurable: true });
}

/** What a module might do while it is imported. */
const done: string[] = [];
const originals = new Map<string, unknown>();
for (const name of ["fetch", "setTimeout", "setInterval", "queueMicrotask", "addEventListener"]) {
  const original = scope[name] as (...args: unknown[]) => unknown;
  originals.set(name, original);
  scope[name] = (...args: unknown[]) => {
    done.push(name);
    return original.apply(globalThis, args);
  };
}
for (const name of ["log", "info", "warn", "error", "debug"] as const) console[name] = () => void done.push(name);
const { randomUUID } = crypto;
const { random } = Math;
crypto.randomUUID = () => (done.push("randomUUID"), randomUUID.call(crypto));
Math.random = () => (done.push("random"), random());

const before = new Set(Object.getOwnPropertyNames(globalThis));
const url = new URL(`../../mod${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
const { createArbiter, createStandIn } = await import(url.href) as typeof import("../../mod.ts");
const added = Object.getOwnPropertyNames(globalThis).filter((name) => !before.has(name));
const doneByImport = done.splice(0);
const standIn = createStandIn({
  models: { m: () => ({ steps: [{ text: "Hello" }], usage: { prompt_tokens: 5, completion_tokens: 2 } }) },
});
const arbiter = createArbiter({ baseUrl: "http://stand-in/v1", model: "m", fetch: standIn.fetch });
const doneByMaking = done.splice(0);
for (const [name, original] of originals) scope[name] = original;

async function ask(fields: object): Promise<[number, string]> {
  const response = await arbiter.fetch(
    new Request("http://localhost/v1/messages", {
      method: "POST",
      body: JSON.stringify({ model: "m", max_tokens: 9, messages: [{ role: "user", content: "Hi" }], ...fields }),
    }),
  );
  return [response.status, await response.text()];
}

const health = await arbiter.fetch(new Request("http://localhost/health"));
const report = {
  left: BARE_GLOBALS.filter((name) => scope[name] !== undefined),
  added,
  done: doneByImport,
  made: doneByMaking,
  health: health.status,
  whole: await ask({}),
  streamed: await ask({ stream: true }),
};
print(JSON.stringify(report));
