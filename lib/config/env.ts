import { ConfigError } from "./errors.ts";

/** Environment variables as a plain record, so that tests need no process. */
export type Env = Readonly<Record<string, string | undefined>>;

/**
 * The variables Arbiter reads. The first name of a row is its own; the others are those of earlier
 * tools (Arbiter's bridge, nvd-claude-proxy, free-claude-code) and keep working.
 */
export const VARIABLES = {
  apiKey: ["NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"],
  baseUrl: ["NVIDIA_BASE_URL"],
  port: ["ARBITER_PORT", "BRIDGE_PORT", "PROXY_PORT"],
  model: ["ARBITER_MODEL", "NVIDIA_ELITE_MODEL", "NCP_DEFAULT_MODEL", "MODEL"],
  opus: ["ARBITER_MODEL_OPUS", "MODEL_OPUS"],
  sonnet: ["ARBITER_MODEL_SONNET", "MODEL_SONNET"],
  haiku: ["ARBITER_MODEL_HAIKU", "MODEL_HAIKU"],
  maxTokens: ["ARBITER_MAX_TOKENS", "NCP_DEFAULT_MAX_TOKENS"],
  pingSeconds: ["ARBITER_PING_SECONDS", "R2_PING_INTERVAL"],
  thinking: ["ARBITER_THINKING", "ENABLE_MODEL_THINKING"],
  maxBodyMb: ["MAX_REQUEST_BODY_MB"],
  timeoutSeconds: ["REQUEST_TIMEOUT_SECONDS"],
  logLevel: ["LOG_LEVEL"],
  skipCheck: ["SKIP_NIM_CHECK"],
  targetDir: ["TARGET_DIR"],
} as const;

/** A row of {@linkcode VARIABLES}. */
export type Variable = keyof typeof VARIABLES;

/** A variable's value and the name it was found under. */
export interface Found {
  name: string;
  value: string;
}

/** Reads variables from several places, the first place counting most. */
export class EnvReader {
  readonly #layers: readonly Env[];
  /** Sentences about variables that contradict each other. */
  readonly warnings: string[] = [];

  constructor(...layers: Env[]) {
    this.#layers = layers;
  }

  /** Finds a variable under any of its names; an empty one counts as absent. */
  find(variable: Variable): Found | undefined {
    for (const layer of this.#layers) {
      const found = VARIABLES[variable].flatMap((name) => {
        const value = layer[name]?.trim();
        return value ? [{ name, value }] : [];
      });
      const [first] = found;
      if (!first) continue;
      const other = found.find(({ value }) => value !== first.value);
      if (other) this.warnings.push(`${first.name} is used; ${other.name} says something else`);
      return first;
    }
    return undefined;
  }

  /** A whole number of at least `least`. */
  number(variable: Variable, least: number, most: number = Number.MAX_SAFE_INTEGER): number | undefined {
    const found = this.find(variable);
    return found && parseNumber(found.name, found.value, least, most);
  }

  /** A switch; `1 true yes on` and `0 false no off` are understood. */
  flag(variable: Variable): boolean | undefined {
    const found = this.find(variable);
    if (!found) return undefined;
    if (/^(?:1|true|yes|on)$/i.test(found.value)) return true;
    if (/^(?:0|false|no|off)$/i.test(found.value)) return false;
    throw new ConfigError(`Cannot use ${found.name}='${found.value}': expected on or off`);
  }
}

/**
 * Parses a whole number from a flag or variable called `name`.
 *
 * @throws {ConfigError} If it is none, or out of range.
 */
export function parseNumber(name: string, value: string, least: number, most: number): number {
  const number = /^\d+$/.test(value) ? Number(value) : NaN;
  if (number >= least && number <= most) return number;
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  throw new ConfigError(`Cannot use ${name}='${value}': expected a whole number ${range}`);
}
