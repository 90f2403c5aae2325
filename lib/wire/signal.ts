/** Calls `run` when a signal fires, at once if it already has; gives a way to call that off. */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  if (signal.aborted) run();
  signal.addEventListener("abort", run);
  return () => signal.removeEventListener("abort", run);
}

/** What a promise gives, unless a signal fires before; then it rejects with the signal's reason. */
export function abortable<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(forget);
  });
}
