/** Characters that could hide in a terminal or change the reading order; no package name has them. */
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u;

/** Whether a text has neither control nor bidirectional formatting characters. */
export function isPrintable(text: string): boolean {
  return !UNPRINTABLE.test(text);
}
