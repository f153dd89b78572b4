/** A name as in image references: no spaces, no control characters, no wildcard. */
const NAME = /^[A-Za-z0-9._:/@%+?=&-]{1,511}$/;

/** Whether a scope entry has one of the three forms: an exact name, `prefix/*`, or `*`. */
export function isScopePattern(pattern: string): boolean {
  if (pattern === '*') return true;
  return NAME.test(pattern.endsWith('/*') ? pattern.slice(0, -2) : pattern);
}

/**
 * Whether a signed subject name lies in a scope. Compared exactly, letter by letter: `org/*` covers `org/app` and
 * `org/team/app`, neither `org` nor `org-evil/app`; a name with empty, `.` or `..` parts lies in no prefix.
 */
export function isInScope(name: string, scope: readonly string[]): boolean {
  return scope.some((pattern) => {
    if (pattern === '*' || pattern === name) return true;
    if (!pattern.endsWith('/*') || !name.startsWith(pattern.slice(0, -1))) return false;
    return name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  });
}
