import type { Backend, Candidate } from "../routing/candidate.ts";
import { toModel } from "../models/roster.ts";
import { ChunkTranslator } from "../stream/chunk_translator.ts";
import { toDeclaredTools } from "../translate/tools.ts";
import type { MessagesRequest } from "../wire/anthropic.ts";
import type { NewId } from "../wire/ids.ts";
import { MessageReader } from "./message_reader.ts";
import { type AnswerReader, ChatReader } from "./answer_reader.ts";

/** What a reader needs beside the request. */
type ReaderOptions = { candidate: Candidate; inputTokens: number; newId: NewId };

/** How a host is asked in one of the two formats. */
export type Protocol = {
  toUrl(baseUrl: string): string;
  toHeaders(backend: Backend, client: Headers | undefined): Record<string, string | null | undefined>;
  createReader(request: MessagesRequest, options: ReaderOptions): AnswerReader;
};

/** The version of Anthropic's API when the client names none. */
const ANTHROPIC_VERSION = "2023-06-01";

/** Both formats. */
export const PROTOCOLS: Readonly<Record<NonNullable<Backend["format"]>, Protocol>> = {
  openai: {
    toUrl: (baseUrl) => `${baseUrl}/chat/completions`,
    toHeaders: ({ apiKey }) => ({ authorization: apiKey && `Bearer ${apiKey}` }),
    createReader(request, { candidate, inputTokens, newId }) {
      const { model, traits = toModel(model) } = candidate;
      const { stop_sequences: stopSequences = [] } = request;
      const { family } = traits;
      const tools = toDeclaredTools(request.tool_choice?.type === "none" ? [] : request.tools);
      return new ChatReader(
        new ChunkTranslator({ tools, model, family, stopSequences, inputTokens, newId }),
        candidate,
      );
    },
  },
  anthropic: {
    toUrl: (baseUrl) => `${baseUrl.replace(/\/v1$/, "")}/v1/messages`,
    toHeaders: ({ apiKey }, client) => ({
      // Anthropic takes the one, hosts that offer its format the other or both.
      "x-api-key": apiKey,
      "authorization": apiKey && `Bearer ${apiKey}`,
      "anthropic-version": client?.get("anthropic-version") ?? ANTHROPIC_VERSION,
      "anthropic-beta": client?.get("anthropic-beta"),
    }),
    createReader: (_request, { candidate, inputTokens }) => new MessageReader(candidate, inputTokens),
  },
};

/** The headers of a request to a host; what its configuration says goes before all others, an empty one removes. */
export function toUpstreamHeaders(
  backend: Backend,
  { stream, userAgent, client }: { stream: boolean; userAgent: string; client: Headers | undefined },
): Record<string, string> {
  const headers = {
    "content-type": "application/json",
    "accept": stream ? "text/event-stream" : "application/json",
    "user-agent": userAgent,
    ...PROTOCOLS[backend.format ?? "openai"].toHeaders(backend, client),
    ...Object.fromEntries(Object.entries(backend.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value])),
  };
  return Object.fromEntries(Object.entries(headers).filter((entry): entry is [string, string] => Boolean(entry[1])));
}
