import type { RequestKind } from "./request_kind.ts";

/** How urgent a request is: the main loop before subagents, before what the user does not wait for. */
export type Priority = "main" | "subagent" | "background";

/** How urgent each kind is: the user waits for a check of a command and for a compaction, a turn for searches and pages. */
export const PRIORITIES: Readonly<Record<RequestKind, Priority>> = {
  main: "main",
  compaction: "main",
  safety: "main",
  web_search: "main",
  web_page: "main",
  subagent: "subagent",
  title: "background",
  quota: "background",
  suggestion: "background",
  file_paths: "background",
  command_prefix: "background",
  auxiliary: "background",
};
