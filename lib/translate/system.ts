import type { MessagesRequest } from "../wire/anthropic.ts";
import { toPartsOf, toText, type Warn } from "./content.ts";

/** Claude Code's first system block: accounting for Anthropic, different in each conversation. */
const BILLING = "x-anthropic-billing-header:";

/** Joins the system blocks into one text, without the block meant for Anthropic's accounting. */
export function toSystemText(system: MessagesRequest["system"], warn: Warn): string {
  const parts = toPartsOf(system, { vision: false, warn });
  return toText(parts.filter((part) => part.type === "text" && !part.text.startsWith(BILLING)));
}

/** Wraps a system message from the middle of a conversation: most templates allow it only in front. */
export function toReminder(text: string): string {
  return `<system-reminder>\n${text}\n</system-reminder>`;
}
