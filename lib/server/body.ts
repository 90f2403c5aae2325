import { ApiError } from "../wire/errors.ts";

function toTooLarge(maxBytes: number): ApiError {
  const limit = `${Math.floor(maxBytes / 1024 / 1024)} MiB`;
  return new ApiError("request_too_large", `Request exceeds the maximum size of ${limit}`, {
    headers: { connection: "close" },
  });
}

/**
 * Reads a JSON body, measuring it while it comes: `content-length` may be absent or a lie.
 *
 * @throws {ApiError} `request_too_large` beyond `maxBytes`, `invalid_request_error` if it is not JSON.
 */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw toTooLarge(maxBytes);
  const decoder = new TextDecoder();
  const reader = request.body?.getReader();
  let [text, bytes] = ["", 0];
  for (;;) {
    const read = await reader?.read();
    if (!read || read.done) break;
    bytes += read.value.byteLength;
    if (bytes > maxBytes) {
      reader?.cancel().catch(() => {});
      throw toTooLarge(maxBytes);
    }
    text += decoder.decode(read.value, { stream: true });
  }
  text += decoder.decode();
  try {
    return JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    throw new ApiError("invalid_request_error", `The request body is not valid JSON${why}`, { cause });
  }
}
