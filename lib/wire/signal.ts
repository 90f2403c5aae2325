/** What is to be done when a signal fires, behind one listener for all: Node warns of more than ten. */
const ON_ABORT = new WeakMap<AbortSignal, Set<() => void>>();

function runAll({ target }: Event): void {
  ON_ABORT.get(target as AbortSignal)?.forEach((run) => run());
}

/** Calls `run` when a signal fires, at once if it already has; gives a way to call that off. */
export function onAbort(signal: AbortSignal, run: () => void): () => void {
  const one = () => run(); // The same function may be added twice.
  if (signal.aborted) one();
  const runs = ON_ABORT.get(signal) ?? new Set();
  if (runs.size === 0) signal.addEventListener("abort", runAll);
  ON_ABORT.set(signal, runs.add(one));
  return () => {
    if (runs.delete(one) && runs.size === 0) signal.removeEventListener("abort", runAll);
  };
}
