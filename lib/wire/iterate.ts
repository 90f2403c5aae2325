/** Makes an iterable of what `next` gives: in a stream of many small pieces, generators within generators cost the most. */
export function iterate<T>(next: () => Promise<IteratorResult<T, undefined>>): AsyncIterableIterator<T, undefined> {
  return { next, [Symbol.asyncIterator]: () => iterate(next) };
}
