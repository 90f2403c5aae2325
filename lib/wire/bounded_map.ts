/** A map of so many entries at most: the one that was set longest ago goes first. */
export class BoundedMap<K, V> extends Map<K, V> {
  readonly #most: number;

  constructor(most: number) {
    super();
    this.#most = most;
  }

  override set(key: K, value: V): this {
    this.delete(key);
    super.set(key, value);
    const [oldest] = this.keys();
    if (this.size > this.#most) this.delete(oldest!);
    return this;
  }

  /** The value of a key, made if there is none; it is the last to go. */
  recall(key: K, make: (key: K) => V): V {
    const value = this.get(key) ?? make(key);
    this.set(key, value);
    return value;
  }
}
