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

/** A body's reader; Deno's own way of reading costs five times as much for each chunk that a host sends. */
function toByteReader(body: ReadableStream<Uint8Array>): () => Promise<ReadableStreamReadResult<Uint8Array>> {
  if ("Deno" in globalThis) {
    try {
      const reader = body.getReader({ mode: "byob" });
      let buffer = new ArrayBuffer(READ_SIZE);
      return async () => {
        const read = await reader.read(new Uint8Array(buffer));
        if (read.value) buffer = read.value.buffer;
        return read;
      };
    } catch {
      // A stream that a program has made.
    }
  }
  const reader = body.getReader();
  return () => reader.read();
}

/** Makes calls with a `fetch`. */
export function toCall(fetch: typeof globalThis.fetch): Call {
  return async (url, options) => {
    const { status, headers, body } = await fetch(url, { ...options, redirect: "manual" });
    const read = body ? toByteReader(body) : () => Promise.resolve({ value: undefined });
    return {
      status,
      headers,
      read: async () => (await read()).value,
      cancel: () => void body?.cancel().catch(() => {}),
    };
  };
}
