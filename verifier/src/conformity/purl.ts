import { isPrintable } from '../sbom/printable.ts';
import { VerifierError } from '../verifier-error.ts';

/** A package URL in its decoded parts; the type is lower case, nothing else is normalised. */
export interface Purl {
  readonly type: string;
  /** Decoded segments joined by `/`; no segment holds a slash of its own. */
  readonly namespace: string | null;
  readonly name: string;
  readonly version: string | null;
  /** Lower-case names to decoded values; empty values are left out. */
  readonly qualifiers: ReadonlyMap<string, string>;
  readonly subpath: string | null;
}

const MAX_LENGTH = 4096;
const MAX_QUALIFIERS = 32;
/**
 * Types whose name is all of their path, so that a slash within a segment, which tools encode, separates as any other. Not
 * those whose namespace is the distribution: there `x%2Fbash` would become `bash`.
 */
const PATH_TYPES: ReadonlySet<string> = new Set([
  'npm',
  'golang',
  'composer',
  'swift',
  'github',
  'gitlab',
  'bitbucket',
]);
const TYPE = /^[a-z][a-z0-9.+-]*$/;
const QUALIFIER = /^[a-z][a-z0-9._-]*$/;

const refuse = (message: string) => new VerifierError('ERR_VERIFIER_SBOM', `A purl was refused: ${message}.`);

/**
 * Parses a package URL (ECMA-427, package-url specification): scheme, type, namespace, name, version, qualifiers,
 * subpath. Each part is percent-decoded once and brought to NFC.
 *
 * Refuses more than 4,096 characters, control and bidirectional formatting characters, bad percent-encoding, encoded
 * slashes within a segment but for the types whose name is a path, repeated qualifiers. An unencoded `:` or `+` is taken as
 * it stands, and an empty qualifier passed over, as tools write them.
 * Throws `VerifierError` ERR_VERIFIER_SBOM.
 */
export function parsePurl(text: string): Purl {
  if (text.length > MAX_LENGTH) throw refuse(`it is longer than ${MAX_LENGTH} characters`);
  if (!text.isWellFormed() || !isPrintable(text)) throw refuse('it holds characters that no purl has');
  const [beforeSubpath, subpath] = splitLast(text, '#');
  const [beforeQualifiers, qualifiers] = splitLast(beforeSubpath, '?');
  if (beforeQualifiers.slice(0, 4).toLowerCase() !== 'pkg:') throw refuse('it does not start with pkg:');
  const rest = beforeQualifiers.slice(4).replace(/^\/+/, '');
  const slash = rest.indexOf('/');
  const type = rest.slice(0, Math.max(slash, 0)).toLowerCase();
  if (!TYPE.test(type)) throw refuse('it has no type');
  const { namespace, name, version } = parseCoordinates(rest.slice(slash + 1), PATH_TYPES.has(type));
  return { type, namespace, name, version, qualifiers: parseQualifiers(qualifiers), subpath: parseSubpath(subpath) };
}

/** The canonical text: type lower case, parts percent-encoded but for `:`, qualifiers sorted by name. */
export function formatPurl(purl: Purl): string {
  const namespace = purl.namespace === null ? '' : `${purl.namespace.split('/').map(encode).join('/')}/`;
  const version = purl.version === null ? '' : `@${encode(purl.version)}`;
  const qualifiers = [...purl.qualifiers]
    .filter(([, value]) => value !== '')
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${encode(value)}`)
    .join('&');
  const subpath = purl.subpath === null ? '' : `#${purl.subpath.split('/').map(encode).join('/')}`;
  return `pkg:${purl.type}/${namespace}${encode(purl.name)}${version}${qualifiers === '' ? '' : `?${qualifiers}`}${subpath}`;
}

function parseCoordinates(text: string, isPath: boolean): Pick<Purl, 'namespace' | 'name' | 'version'> {
  // An unencoded npm scope begins with @ too, so only one behind the last slash starts the version.
  const at = text.lastIndexOf('@');
  const hasVersion = at > text.lastIndexOf('/') + 1;
  const path = hasVersion ? text.slice(0, at) : text;
  const segments = path
    .split('/')
    .filter((segment) => segment !== '')
    .flatMap((segment) => (isPath ? decode(segment).split('/').map(checkSegment) : decodeSegment(segment)));
  const name = segments.pop();
  if (name === undefined) throw refuse('it has no name');
  const version = hasVersion ? decode(text.slice(at + 1)) : '';
  return {
    namespace: segments.length === 0 ? null : segments.join('/'),
    name,
    version: version === '' ? null : version,
  };
}

function parseQualifiers(text: string | undefined): ReadonlyMap<string, string> {
  const qualifiers = new Map<string, string>();
  if (text === undefined || text === '') return qualifiers;
  const pairs = text.split('&', MAX_QUALIFIERS + 1);
  if (pairs.length > MAX_QUALIFIERS) throw refuse(`it has more than ${MAX_QUALIFIERS} qualifiers`);
  for (const pair of pairs.filter((each) => each !== '')) {
    const equals = pair.indexOf('=');
    const key = pair.slice(0, Math.max(equals, 0)).toLowerCase();
    if (!QUALIFIER.test(key)) throw refuse('it has a qualifier without a name');
    if (qualifiers.has(key)) throw refuse('it has a qualifier twice');
    qualifiers.set(key, decode(pair.slice(equals + 1)));
  }
  for (const [key, value] of qualifiers) if (value === '') qualifiers.delete(key);
  return qualifiers;
}

function parseSubpath(text: string | undefined): string | null {
  const segments = (text ?? '')
    .split('/')
    .filter((segment) => segment !== '')
    .map(decodeSegment);
  const kept = segments.filter((segment) => segment !== '.' && segment !== '..');
  return kept.length === 0 ? null : kept.join('/');
}

function decodeSegment(text: string): string {
  return checkSegment(decode(text));
}

/** An empty segment is refused and not passed over: it would make one name of `a//b` and `a/b`. */
function checkSegment(segment: string): string {
  if (segment === '' || segment.includes('/')) throw refuse('a segment is empty or holds a slash');
  return segment;
}

function decode(text: string): string {
  if (!text.includes('%')) return text.normalize('NFC');
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch (cause) {
    throw new VerifierError('ERR_VERIFIER_SBOM', 'A purl was refused: its percent-encoding is broken.', { cause });
  }
  if (!isPrintable(decoded)) throw refuse('it holds characters that no purl has');
  return decoded.normalize('NFC');
}

function encode(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%3A', ':');
}

function splitLast(text: string, separator: string): [string, string | undefined] {
  const at = text.lastIndexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
