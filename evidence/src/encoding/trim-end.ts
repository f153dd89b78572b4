/**
 * The text without any of `characters` at its end, in time linear in its length. A regular expression such as `/ +$/`
 * looks at each run of them again from every place in it, and takes hours for text that an attacker wrote.
 */
export function trimEndOf(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}
