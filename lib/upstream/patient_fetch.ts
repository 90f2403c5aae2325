import type { Fetch } from "../wire/fetch.ts";

let patient: Promise<Fetch> | undefined;

async function create(): Promise<Fetch> {
  // Node gives up on a response after 300 s without headers or without a piece of the body, and a
  // model may think longer. Its dispatcher, which can be told to wait, exists after the first fetch.
  await fetch("data:,").catch(() => {});
  const globals = globalThis as Record<symbol, { constructor: new (options: object) => unknown } | undefined>;
  const [modern, old] = [2, 1].map((n) => globals[Symbol.for(`undici.globalDispatcher.${n}`)]);
  const Agent = (modern ?? old)?.constructor;
  if (!Agent) return fetch;
  const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 });
  return (input, init) => fetch(input, { ...init, dispatcher } as object);
}

/** The runtime's `fetch` without time limits of its own; deadlines are set by those who call it. */
export const patientFetch: Fetch = async (input, init) => await (await (patient ??= create()))(input, init);

/** Why a call failed: Node has that in the cause, or for each address of a name, Deno behind the address. */
export function toCallFailure(thrown: unknown): string {
  type Failure = { message?: string; cause?: unknown; errors?: unknown[] };
  const { message = String(thrown), cause, errors = [] } = thrown as Failure;
  const inner = cause ?? errors[0];
  if (inner instanceof Error) return toCallFailure(inner) || message;
  return message.replace(/^error sending request for url \(\S*\): /, "").replace(/^client error \(\w+\): /, "");
}
