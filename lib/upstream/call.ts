import type { Fetch } from "../wire/fetch.ts";

/** What is asked of a host. */
export type CallOptions = {
  method?: "GET" | "POST";
  headers: Readonly<Record<string, string>>;
  body?: string;
  signal: AbortSignal;
};

/** What a host answers; its body comes piece by piece, each of which is good until the next, and nothing at the end. */
export type CallAnswer = {
  status: number;
  headers: Pick<Headers, "get">;
  read(): Promise<Uint8Array | undefined>;
  /** Lets go of what has not been read. */
  cancel(): void;
};

/**
 * Calls a host; where that wants to send the call elsewhere, its answer is that: whoever followed would take the
 * conversation, and some of the headers, to anybody.
 */
export type Call = (url: string, options: CallOptions) => Promise<CallAnswer>;

/** Bytes that are read at once. */
const READ_SIZE = 65_536;

type BodyReader = Pick<CallAnswer, "read" | "cancel">;

const NO_BODY: BodyReader = { read: () => Promise.resolve(undefined), cancel() {} };

/** Deno's own way of reading costs five times as much as this for each chunk that a host sends. */
function toBlockReader(body: ReadableStream<Uint8Array>): BodyReader {
  const reader = body.getReader({ mode: "byob" });
  let buffer = new ArrayBuffer(READ_SIZE);
  return {
    async read() {
      const { value, done } = await reader.read(new Uint8Array(buffer));
      if (value) buffer = value.buffer;
      return done ? undefined : value; // At the end there is an empty one.
    },
    cancel: () => void reader.cancel().catch(() => {}),
  };
}

function toBodyReader(body: ReadableStream<Uint8Array>): BodyReader {
  if ("Deno" in globalThis) {
    try {
      return toBlockReader(body);
    } catch {
      // A stream that a program has made.
    }
  }
  const reader = body.getReader();
  return { read: async () => (await reader.read()).value, cancel: () => void reader.cancel().catch(() => {}) };
}

/** Makes calls with a `fetch`. */
export function toCall(fetch: Fetch): Call {
  return async (url, options) => {
    const { status, headers, body } = await fetch(url, { ...options, redirect: "manual" });
    return { status, headers, ...body ? toBodyReader(body) : NO_BODY };
  };
}
