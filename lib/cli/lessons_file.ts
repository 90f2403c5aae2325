import { toStateFile } from "../config/folders.ts";
import { createFileStore } from "../store/file_store.ts";
import { createMemoryStore } from "../store/memory_store.ts";
import type { Store } from "../store/store.ts";
import { LearnedFacts } from "../upstream/learned.ts";
import { systemClock } from "../wire/clock.ts";
import type { Io } from "./io.ts";

/** Makes the store of what models have taught: a file, or memory where nobody knows where files of a user belong. */
export function createLessonStore(io: Io, warn: (warning: string) => void): Store {
  const path = toStateFile("lessons.json", io);
  return path ? createFileStore(path, warn) : createMemoryStore();
}

/** Reads what models have taught. */
export async function readLessons(io: Io): Promise<LearnedFacts> {
  const learned = new LearnedFacts(createLessonStore(io, io.tell), systemClock);
  await learned.load();
  return learned;
}
