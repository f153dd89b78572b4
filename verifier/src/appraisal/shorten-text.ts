import { hash } from 'node:crypto';

/** Characters of a text that a result has of it. */
const MAX_CHARS = 512;

/**
 * A text as a result has it. A longer one than 512 characters is cut to those and ends with its length and its SHA-256,
 * which makes it longer than every text that is whole: nobody can write the one to be taken for the other.
 */
export function shortenText(text: string): string {
  if (text.length <= MAX_CHARS) return text;
  return `${text.slice(0, MAX_CHARS).toWellFormed()}... (${text.length} characters, SHA-256 ${hash('sha256', text)})`;
}
