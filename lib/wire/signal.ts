/** Calls `run` when a signal fires, at once if it already has; gives a way to call that off. */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  if (signal.aborted) run();
  signal.addEventListener("abort", run);
  return () => signal.removeEventListener("abort", run);
}
