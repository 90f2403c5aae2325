/** A mistake in how the program was started or configured; its message says what to do. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}
