import { ApiError } from "../wire/errors.ts";

/**
 * Reads a JSON body, measuring it while it comes: `content-length` may be absent or a lie.
 *
 * @throws {ApiError} `request_too_large` beyond `maxBytes`, `invalid_request_error` if it is not JSON.
 */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  const decoder = new TextDecoder();
  let [text, bytes] = ["", 0];
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) {
      const message = `Request exceeds the maximum size of ${Number((maxBytes / 1024 / 1024).toPrecision(2))} MiB`;
      throw new ApiError("request_too_large", message, { headers: { connection: "close" } });
    }
    text += decoder.decode(chunk, { stream: true });
  }
  try {
    return JSON.parse(text + decoder.decode());
  } catch (cause) {
    const message = `The request body is not valid JSON: ${(cause as Error).message}`;
    throw new ApiError("invalid_request_error", message, { cause });
  }
}
