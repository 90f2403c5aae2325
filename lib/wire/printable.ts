/**
 * A text without what moves the cursor, changes the terminal or turns the direction of writing: what others named may
 * be shown, but must not do anything. Line ends stay.
 */
export function toPrintable(text: string): string {
  return text.replace(/(?!\n)[\p{Cc}\p{Bidi_Control}]/gu, " ");
}
