/** Error answers as NVIDIA's hosted API and the servers behind it write them. */
import type { ScriptedAnswer } from "../../lib/stand_in/script.ts";

function toProblem(status: number, title: string, detail: string): ScriptedAnswer {
  return { status, body: { type: "about:blank", status, title, detail } };
}

const message = "ResourceExhausted: Worker local total request limit reached (16/16)";

/** The error of a full worker pool, which also comes inside a stream. */
export const BUSY = { error: { message, type: "Service Unavailable", code: 503 } };

export const FAULTS = {
  degraded: toProblem(400, "Bad Request", "Function id 'f0': DEGRADED function cannot be invoked"),
  unsupported: toProblem(400, "Bad Request", "Validation: Unsupported parameter(s): `x`"),
  unauthorized: toProblem(401, "Unauthorized", "Authentication failed"),
  forbidden: toProblem(403, "Forbidden", "Authorization failed"),
  unavailable: toProblem(404, "Not Found", "Function 'f0': Not found for account 'a0'"),
  unknown: { status: 404, body: "404 page not found" },
  gone: toProblem(410, "Gone", "The model 'm' has reached its end of life on 2026-05-14T00:00:00Z"),
  rateLimited: { status: 429, body: { status: 429, title: "Too Many Requests" } },
  broken: { status: 500, body: { error: "Inference connection error" } },
  gateway: { status: 502, body: "<html><head><title>502 Bad Gateway</title></head></html>" },
  busy: { status: 503, body: BUSY },
  slow: { status: 504, body: "" },
} satisfies Record<string, ScriptedAnswer>;
