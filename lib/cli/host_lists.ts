import { toStatePath } from "../config/folders.ts";
import { type ModelRow, ROSTER } from "../models/roster.ts";
import { DEFAULT_BACKEND } from "../routing/backends.ts";
import type { Backend } from "../routing/candidate.ts";
import type { Catalog } from "../routing/catalog.ts";
import { createStandIn } from "../stand_in/stand_in.ts";
import { createFileStore } from "../store/file_store.ts";
import { createMemoryStore } from "../store/memory_store.ts";
import type { Store } from "../store/store.ts";
import { toCall } from "../upstream/call.ts";
import { patientFetch } from "../upstream/patient_fetch.ts";
import { toUpstreamHeaders } from "../upstream/protocol.ts";
import { readLimited } from "../upstream/read_limited.ts";
import { USER_AGENT } from "../version.ts";
import { isJsonObject, parseJson } from "../wire/json.ts";
import type { Io } from "./io.ts";
import { toUnreachable } from "./reach.ts";

/** Milliseconds a host is given to list its models. */
const LIST_TIMEOUT = 15_000;
/** Bytes of a list: OpenRouter's, the longest, has one million. */
const MAX_LIST_BYTES = 16 * 1024 * 1024;

/** The ids that hosts listed, and when they did, by their address. */
function createListStore(io: Io): Store {
  const path = toStatePath(io, "hosts.json");
  return path ? createFileStore(path, io.tell) : createMemoryStore();
}

/** The models a host listed when it was last asked; nothing if it never was. */
export async function readHostList(io: Io, { baseUrl }: Backend): Promise<string[] | undefined> {
  const found = await createListStore(io).get(baseUrl);
  const { ids } = isJsonObject(found) ? found : {};
  const known = Array.isArray(ids) ? ids.filter((id) => typeof id === "string") : [];
  return known.length > 0 ? known : undefined;
}

/** Asks a host for its models, and keeps what it says; with `demo` the built-in one. */
export async function fetchHostList(io: Io, backend: Backend, demo = false): Promise<string[]> {
  const { baseUrl, format } = backend;
  const url = `${format === "anthropic" ? `${baseUrl.replace(/\/v1$/, "")}/v1` : baseUrl}/models`;
  const headers = toUpstreamHeaders(backend, { stream: false, userAgent: USER_AGENT, client: undefined });
  const ask = demo ? createStandIn().fetch : patientFetch;
  const signal = AbortSignal.timeout(LIST_TIMEOUT);
  const { status, ...answered } = await toCall(ask)(url, { headers, signal }).catch((cause) => {
    throw new Error(toUnreachable(baseUrl, cause), { cause });
  });
  const answer = parseJson(await readLimited(answered, MAX_LIST_BYTES));
  const rows = isJsonObject(answer) && Array.isArray(answer.data) ? answer.data : [];
  const ids = rows.filter(isJsonObject).map(({ id }) => id).filter((id) => typeof id === "string").sort();
  if (status !== 200 || ids.length === 0) throw new Error(`${url} lists no models (status ${status})`);
  if (!demo) await createListStore(io).set(baseUrl, { at: new Date().toISOString(), ids });
  return ids;
}

/** The models of the roster, and of the config file, that the default host should have. */
export function toHostRows({ backend, options: { models = [] } }: Catalog): ModelRow[] {
  const own = ROSTER.filter(({ host = DEFAULT_BACKEND }) => host === backend.name);
  return [...models, ...own].filter(({ id }, i, all) => all.findIndex((row) => row.id === id) === i);
}
