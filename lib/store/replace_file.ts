/** What {@linkcode replaceFile} needs of `node:fs/promises`, so that a full disk can be tried without one. */
export type FileWriter = Pick<typeof import("node:fs/promises"), "mkdir" | "writeFile" | "rename" | "rm" | "realpath">;

/**
 * Writes a file that only its owner may read. It is written whole beside its place and then put there, so that nobody
 * ever reads half of it, also when several do so at once; a link is followed. What fails leaves everything as it was.
 */
export async function replaceFile(path: string, text: string, writer?: FileWriter): Promise<void> {
  const { mkdir, writeFile, rename, rm, realpath } = writer ?? await import("node:fs/promises");
  const { dirname } = await import("node:path");
  const target = await realpath(path).catch(() => path);
  const part = `${target}.${crypto.randomUUID()}`;
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  try {
    await writeFile(part, text, { mode: 0o600 });
    await rename(part, target);
  } catch (thrown) {
    await rm(part, { force: true }).catch(() => {});
    throw thrown;
  }
}
