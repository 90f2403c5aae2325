/** An address or a path without the slashes at its end; a pattern for that would be quadratic in slashes elsewhere. */
export function withoutEndSlashes(text: string): string {
  let end = text.length;
  while (text.endsWith("/", end)) end--;
  return text.slice(0, end);
}
