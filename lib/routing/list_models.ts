import { type Model, ROSTER } from "../models/roster.ts";
import type { JsonObject } from "../wire/anthropic.ts";
import type { Candidate } from "./candidate.ts";
import { type Catalog, toCandidate } from "./catalog.ts";
import { toPickerId } from "./picker.ts";
import { findReference, toLabel } from "./reference.ts";

/** A model in a list of models: Anthropic's fields, and OpenAI's. */
export type ListedModel = JsonObject & { id: string };

/** Nobody publishes when open models were released. */
const EPOCH = "1970-01-01T00:00:00Z";

function toLimit(tokens: number): number | null {
  return tokens < Infinity ? tokens : null;
}

function toListed(id: string, display_name: string, { backend, traits }: Candidate & { traits: Model }): ListedModel {
  return {
    type: "model",
    id,
    display_name,
    created_at: EPOCH,
    max_input_tokens: toLimit(traits.context),
    max_tokens: toLimit(traits.maxOutput),
    object: "model",
    created: 0,
    owned_by: backend.name,
  };
}

/**
 * Lists models as `GET /v1/models` answers; at a host that lacks its key none could be asked.
 *
 * @param picker Whether ids are made such that Claude Code shows them; then each model that can do without thinking is
 * listed once more, without.
 */
export function listModels(catalog: Catalog, picker: boolean): ListedModel[] {
  return [...catalog.listed].filter(([, { backend }]) => !backend.lacks).flatMap(([name, target]) => {
    const candidate = toCandidate(target, catalog);
    if (!picker) return [toListed(name, name, candidate)];
    const { reasoning, family: { alwaysThinks, thinking } } = candidate.traits;
    const canRest = reasoning && !alwaysThinks && (thinking || target.backend.thinkingSwitch);
    const rested = canRest ? [toListed(toPickerId(name, false), `${name} (no thinking)`, candidate)] : [];
    return [toListed(toPickerId(name, true), name, candidate), ...rested];
  });
}

/** Finds what `GET /v1/models/{id}` answers: any name of a model will do that is listed or in the roster. */
export function findModel(id: string, catalog: Catalog): ListedModel | undefined {
  const { listed } = catalog;
  const target = listed.get(id) ?? findReference(id, catalog);
  const known = target && (listed.has(toLabel(target, catalog)) || ROSTER.some((row) => row.id === target.model));
  return known ? toListed(id, target.model, toCandidate(target, catalog)) : undefined;
}
