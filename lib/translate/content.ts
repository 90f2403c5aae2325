import type { ContentBlockParam, JsonObject } from "../wire/anthropic.ts";
import { isJsonObject } from "../wire/messages_request.ts";
import type { ChatPart } from "../wire/openai.ts";

/** Takes a sentence about something that was lost in translation. */
export type Warn = (warning: string) => void;

/** What content translation has to know about the model. */
export interface ContentOptions {
  /** Whether the model sees images. */
  vision: boolean;
  warn: Warn;
}

const NO_IMAGE = "[An image stood here. This model cannot see images: ask for a description, or " +
  "inspect the file with a tool.]";

function toImagePart(source: JsonObject, { vision, warn }: ContentOptions): ChatPart {
  const { type, media_type, data, url } = source;
  if (!vision) {
    warn("Cannot show an image to the model: replaced by a note");
    return { type: "text", text: NO_IMAGE };
  }
  if (type === "base64") {
    return { type: "image_url", image_url: { url: `data:${media_type};base64,${data}` } };
  }
  if (typeof url === "string") return { type: "image_url", image_url: { url } };
  warn(`Cannot show an image with a source of type '${type}': replaced by a note`);
  return { type: "text", text: NO_IMAGE };
}

function toDocumentParts(block: ContentBlockParam & { type: "document" }, options: ContentOptions): ChatPart[] {
  const { type, media_type, data, url, content } = block.source;
  const name = block.title ? `The document "${block.title}"` : "A document";
  const context = block.context ? `${block.context}\n` : "";
  const text = (value: string): ChatPart[] => [{ type: "text", text: context + value }];
  if (type === "text" && typeof data === "string") return text(data);
  if (type === "content" && typeof content === "string") return text(content);
  if (type === "content" && Array.isArray(content)) return toParts(content, options);
  options.warn(`Cannot show a document of type '${media_type ?? type}': replaced by a note`);
  const size = typeof data === "string" ? `, ${Math.ceil(data.length * 3 / 4 / 1024)} kB` : "";
  const place = typeof url === "string" ? ` from ${url}` : "";
  return text(
    `[${name}${place} (${media_type ?? "unknown type"}${size}) was attached here. It cannot be ` +
      "shown to this model. To read it, run a tool on the file, for example " +
      "`pdftotext -layout FILE -` or Python's pypdf.]",
  );
}

/** Translates the blocks of a user message or a tool result; tool results are not its concern. */
export function toParts(blocks: ContentBlockParam[], options: ContentOptions): ChatPart[] {
  return blocks.flatMap((block): ChatPart[] => {
    switch (block.type) {
      case "text":
        return block.text === "" ? [] : [{ type: "text", text: block.text }];
      case "image":
        return [toImagePart(block.source, options)];
      case "document":
        return toDocumentParts(block, options);
      case "tool_reference":
        return [{ type: "text", text: `The tool ${block.tool_name} is loaded now.` }];
      default: {
        // Blocks of server tools, search results and whatever comes next: better shown than lost.
        const { type, ...fields } = block as object as JsonObject;
        options.warn(`Cannot translate a block of type '${type}': passed as text`);
        const text = typeof fields.text === "string" ? fields.text : JSON.stringify(fields);
        return [{ type: "text", text: `[${type}] ${text}` }];
      }
    }
  });
}

/** Joins the text of parts with blank lines between. */
export function toText(parts: ChatPart[]): string {
  return parts.flatMap((part) => part.type === "text" ? [part.text] : []).join("\n\n");
}

/** The shortest form of parts: hosts take a plain string everywhere, a list in few places. */
export function toContent(parts: ChatPart[]): string | ChatPart[] {
  return parts.every((part) => part.type === "text") ? toText(parts) : parts;
}

/** The parts of content that may be a plain string. */
export function toPartsOf(
  content: string | ContentBlockParam[] | null | undefined,
  options: ContentOptions,
): ChatPart[] {
  if (typeof content === "string") return content === "" ? [] : [{ type: "text", text: content }];
  return Array.isArray(content) ? toParts(content.filter(isJsonObject) as typeof content, options) : [];
}
