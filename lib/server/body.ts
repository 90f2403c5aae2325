import { ApiError } from "../wire/errors.ts";
import { parseJson } from "../wire/json.ts";

/**
 * Reads a JSON body and how many bytes it has, measuring it while it comes: `content-length` may be absent or a lie.
 *
 * @throws {ApiError} `request_too_large` beyond `maxBytes`, `invalid_request_error` if it is not JSON.
 */
export async function readJson(request: Request, maxBytes: number): Promise<{ body: unknown; size: number }> {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true }); // Deno's takes marks from each chunk.
  let [text, size] = ["", 0];
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.byteLength;
      if (size > maxBytes) {
        const message = `Request exceeds the maximum size of ${Number((maxBytes / 1024 / 1024).toPrecision(4))} MiB`;
        throw new ApiError("request_too_large", message, { headers: { connection: "close" } });
      }
      text += decoder.decode(chunk, { stream: true });
    }
  } catch (cause) {
    if (cause instanceof ApiError) throw cause;
    throw new ApiError("invalid_request_error", "The request body broke off", { cause });
  }
  text += decoder.decode();
  const body = parseJson(text.replace(/^\uFEFF/, ""));
  if (body === undefined) {
    throw new ApiError("invalid_request_error", "The request body is not valid JSON, or nested more than 500 deep");
  }
  return { body, size };
}
