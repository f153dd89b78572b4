/**
 * JSON without whitespace and with members sorted by UTF-16 code units: one text for one value. Members that are
 * undefined are left out.
 */
export function encodeSortedJson(value: object): Buffer {
  return Buffer.from(JSON.stringify(sortMembers(value)), 'utf8');
}

function sortMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortMembers);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sortMembers(member)]));
}
