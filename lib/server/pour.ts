import type { Writable } from "node:stream";
import { onAbort } from "../wire/signal.ts";

/**
 * Writes a body as it comes, not faster than it is taken, and leaves the end to the caller.
 *
 * @param gone Fires when nobody takes it any more.
 * @param toBytes Makes what is written of each chunk.
 */
export async function pour(
  body: ReadableStream<Uint8Array>,
  outgoing: Writable,
  gone: AbortSignal,
  toBytes: (chunk: Uint8Array) => Uint8Array = (chunk) => chunk,
): Promise<void> {
  let wake = () => {};
  outgoing.on("drain", () => wake());
  const reader = body.getReader();
  onAbort(gone, () => {
    void reader.cancel(gone.reason).catch(() => {});
    wake();
  });
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    if (outgoing.write(toBytes(read.value)) || outgoing.destroyed) continue;
    await new Promise<void>((resolve) => wake = resolve);
  }
}
