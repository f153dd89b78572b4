export interface PurlParts {
  readonly type: string;
  /** Segments; none for types without namespace. */
  readonly namespace?: readonly string[];
  readonly name: string;
  readonly version?: string | undefined;
  /** Empty and undefined values are left out. */
  readonly qualifiers?: Readonly<Record<string, string | undefined>>;
}

/**
 * Writes a package URL: parts percent-encoded as UTF-8 (all but letters, digits and `.-_~:`), qualifiers sorted by name.
 * ECMA-427, "package-url specification", sections on components and character encoding.
 */
export function formatPurl({ type, namespace = [], name, version, qualifiers = {} }: PurlParts): string {
  const path = [type, ...namespace.filter((segment) => segment !== ''), name].map(encode).join('/');
  const query = Object.entries(qualifiers)
    .filter((pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${encode(value)}`)
    .join('&');
  return `pkg:${path}${version === undefined ? '' : `@${encode(version)}`}${query === '' ? '' : `?${query}`}`;
}

const PLAIN = /^[\w.~:-]*$/;

function encode(text: string): string {
  if (PLAIN.test(text)) return text;
  return encodeURIComponent(text.toWellFormed())
    .replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%3A', ':');
}
