import type { ContentBlockParam, JsonObject, MessageContent } from "../wire/anthropic.ts";
import type { ChatPart } from "../wire/openai.ts";

/** What content translation has to know: whether the model sees images, and where to tell of losses. */
export type ContentOptions = { vision: boolean; warn: (warning: string) => void };

const NO_IMAGE = "[An image stood here. This model cannot see images: ask for a description, or inspect the file " +
  "with a tool.]";

/** The beginning of an address at which hosts find an image. */
const IMAGE_ADDRESS = /^(?:https?:\/\/\S|data:image\/[\w.+-]+;base64,[\w+/])/;

function toImagePart({ type, media_type, data, url }: JsonObject, { vision, warn }: ContentOptions): ChatPart {
  const address = type === "base64" ? `data:${media_type};base64,${data}` : url;
  if (vision && IMAGE_ADDRESS.test(String(address))) return { type: "image_url", image_url: { url: String(address) } };
  warn("Cannot show an image to the model: replaced by a note");
  return { type: "text", text: NO_IMAGE };
}

function toDocumentParts(block: ContentBlockParam & { type: "document" }, options: ContentOptions): ChatPart[] {
  const { title, context } = block;
  const { type, media_type, data, url, content } = block.source;
  if (Array.isArray(content)) return [...toTextParts(title, context), ...toPartsOf(content, options)];
  const plain = type === "text" ? data : content;
  if (typeof plain === "string") return toTextParts(title, context, plain);
  options.warn(`Cannot show a document of type '${media_type ?? type}': replaced by a note`);
  const name = [title, url].filter((part) => typeof part === "string").map((part) => ` "${part}"`).join(" from");
  const size = typeof data === "string" ? `, ${Math.ceil(data.length * 3 / 4 / 1024)} kB` : "";
  const note = `[A document${name} (${media_type ?? type}${size}) was attached here. It cannot be shown to ` +
    "this model. To read it, run a tool on the file, such as `pdftotext -layout FILE -` or Python's pypdf.]";
  return toTextParts(context, note);
}

/** One text of lines, as far as there are any. */
function toTextParts(...lines: (string | null | undefined)[]): ChatPart[] {
  const text = lines.filter(Boolean).join("\n");
  return text === "" ? [] : [{ type: "text", text }];
}

function toParts(block: ContentBlockParam, options: ContentOptions): ChatPart[] {
  if (block.type === "text") return toTextParts(block.text);
  if (block.type === "image") return [toImagePart(block.source, options)];
  if (block.type === "document") return toDocumentParts(block, options);
  if (block.type === "tool_reference") return toTextParts(`The tool ${block.tool_name} is loaded now.`);
  // Blocks of server tools, search results and whatever comes next: better shown than lost.
  const { type, ...fields } = block as object as JsonObject;
  options.warn(`Cannot translate a block of type '${type}': passed as text`);
  return toTextParts(`[${type}] ${typeof fields.text === "string" ? fields.text : JSON.stringify(fields)}`);
}

/** Translates content that may be a plain string, absent, or blocks; tool results are not its concern. */
export function toPartsOf(content: MessageContent | undefined, options: ContentOptions): ChatPart[] {
  if (typeof content === "string") return toTextParts(content);
  return content?.flatMap((block) => toParts(block, options)) ?? [];
}

/** Joins the text of parts with blank lines between. */
export function toText(parts: ChatPart[]): string {
  return parts.flatMap((part) => part.type === "text" ? [part.text] : []).join("\n\n");
}

/** The shortest form of parts: hosts take a plain string everywhere, a list in few places. */
export function toContent(parts: ChatPart[]): string | ChatPart[] {
  return parts.every((part) => part.type === "text") ? toText(parts) : parts;
}
