/** A regular expression in source code, and what makes it take quadratic time. */
export interface SlowRegex {
  readonly text: string;
  readonly reason: 'unanchoredRun' | 'blanksBehindOptional' | 'blanksAcrossLines';
}

/** A literal where an expression can stand; code that divides does not have this form once it is formatted. */
const LITERAL =
  /(?<=[(=,:[!&|?{};\s])\/(?![*/\s])((?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([dgimsuvy]*)(?=[\s.,;)\]}])/g;
const RUN = /^\(*(?:\?:)?(?:\\.|\[(?:[^\]\\]|\\.)*\]|[^\\[(^$|?*+])(?:[+*]|\{\d+,\})\??(?!$)/;
const BLANKS_AT_END = /\?\)*\\s[*+]\$/;

/**
 * Finds regular expressions that look at a long run of characters again from each place of it: one that starts with a
 * run and is not held to the start of the text; blanks at the end behind something that takes blanks or nothing; blanks
 * behind the start of a line that go on over the next lines.
 */
export function listSlowRegexes(code: string): SlowRegex[] {
  return [...code.matchAll(LITERAL)].flatMap(([text, pattern = '', flags = '']): SlowRegex[] => {
    if (flags.includes('m') && /\^\(*(?:\?:)?\\s[*+]/.test(pattern)) return [{ text, reason: 'blanksAcrossLines' }];
    if (BLANKS_AT_END.test(pattern)) return [{ text, reason: 'blanksBehindOptional' }];
    const isHeld = flags.includes('y') || splitAlternatives(pattern).every((each) => !RUN.test(each));
    return isHeld ? [] : [{ text, reason: 'unanchoredRun' }];
  });
}

/** At the outermost level alone. */
function splitAlternatives(pattern: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const [token] of pattern.matchAll(/\\.|\[(?:[^\]\\]|\\.)*\]|[^\\[]/g)) {
    depth += token === '(' ? 1 : token === ')' ? -1 : 0;
    if (token === '|' && depth === 0) parts.push('');
    else parts.push(`${parts.pop() ?? ''}${token}`);
  }
  return parts;
}
