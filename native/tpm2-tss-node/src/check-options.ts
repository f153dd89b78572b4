const MAX_BUFFER = 65_535;

/** Smallest number of single-letter edits, capped: only used to name a likely spelling. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [row, letter] of a.split('').entries()) {
    const current = [row + 1];
    for (const [column, other] of b.split('').entries()) {
      const substitution = (previous[column] ?? 0) + (letter === other ? 0 : 1);
      current.push(Math.min(substitution, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous.at(-1) ?? 0;
}

/**
 * Refuses anything but a plain object whose keys are all known, naming the misspelt one and the likely spelling.
 * @throws TypeError
 */
export function checkOptions(options: unknown, known: readonly string[], call: string): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options) || ArrayBuffer.isView(options)) {
    throw new TypeError(`${call} takes an object with ${known.join(', ')}`);
  }
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const likely = known.find((name) => editDistance(name.toLowerCase(), key.toLowerCase()) <= 2);
    const hint = likely === undefined ? `it takes ${known.join(', ')}` : `did you mean "${likely}"?`;
    throw new TypeError(`${call} knows no option "${key}": ${hint}`);
  }
}

/** Refuses anything but bytes of the given length range. @throws TypeError */
export function checkBytes(value: unknown, name: string, { min = 0, max = MAX_BUFFER } = {}): asserts value is Buffer {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${name} must be a Buffer`);
  if (value.length < min || value.length > max) {
    throw new TypeError(`${name} must have ${min} to ${max} bytes, not ${value.length}`);
  }
}

/** Refuses anything but a whole number in the range. @throws TypeError */
export function checkInteger(value: unknown, name: string, min: number, max: number): asserts value is number {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw new TypeError(`${name} must be a whole number`);
  if (value < min || value > max) throw new TypeError(`${name} must be from ${min} to ${max}, not ${value}`);
}

/** Refuses anything but one of the words. @throws TypeError */
export function checkWord(value: unknown, name: string, words: readonly string[]): void {
  if (typeof value === 'string' && words.includes(value)) return;
  throw new TypeError(`${name} must be one of ${words.join(', ')}`);
}

/** Refuses anything but true, false or nothing. @throws TypeError */
export function checkFlag(value: unknown, name: string): void {
  if (value !== undefined && typeof value !== 'boolean') throw new TypeError(`${name} must be true or false`);
}
