/**
 * JSON without whitespace and with members sorted by UTF-16 code units: one text for one value. Members that are
 * undefined are left out.
 */
export function encodeSortedJson(value: object): Buffer {
  const text = JSON.stringify(sortMembers(value));
  // In memory of its own: what is kept for long, or sent to another thread, takes all that it shares memory with along.
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text, 'utf8'));
  bytes.write(text, 'utf8');
  return bytes;
}

function sortMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortMembers);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sortMembers(member)]));
}
