type Fetch = typeof fetch;
type AgentConstructor = new (options: object) => unknown;

let patient: Promise<Fetch> | undefined;

async function create(): Promise<Fetch> {
  // Node gives up on a response after 300 s without headers or without a piece of the body, and a
  // model may think longer. Its dispatcher, which can be told to wait, exists after the first fetch.
  await fetch("data:,").catch(() => {});
  const globals = globalThis as Record<symbol, { constructor: AgentConstructor } | undefined>;
  const symbols = [2, 1].map((n) => Symbol.for(`undici.globalDispatcher.${n}`));
  const Agent = symbols.map((symbol) => globals[symbol]).find((found) => found)?.constructor;
  if (!Agent) return fetch;
  const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 });
  return (input, init) => fetch(input, { ...init, dispatcher } as object);
}

/** The runtime's `fetch` without time limits of its own; deadlines are set by those who call it. */
export const patientFetch: Fetch = async (input, init) => {
  patient ??= create();
  return (await patient)(input, init);
};
