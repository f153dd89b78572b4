import type { FoundPackage } from '../inventory-builder.ts';
import { asPackageText } from '../language/manifest-text.ts';
import { formatPurl } from '../purl.ts';
import { parseJavaFileName } from './java-file-name.ts';

/** Best first. */
const VERSION_HEADERS = ['implementation-version', 'bundle-version', 'specification-version'];

/** Coordinates of a Java archive. */
interface MavenPackage {
  readonly group: string;
  readonly artifact: string;
  readonly version: string;
}

/** `pom.properties` as Maven writes it into an archive: lines of `groupId=`, `artifactId=`, `version=`. */
export function parsePomProperties(bytes: Buffer): FoundPackage[] {
  const values = new Map<string, string>();
  for (const line of bytes.toString('latin1').split(/\r?\n/)) {
    const [, key = '', value = ''] = /^\s*(groupId|artifactId|version)\s*[=:](.*)$/s.exec(line) ?? [];
    if (key !== '' && !values.has(key)) values.set(key, value.trim());
  }
  const [group, artifact] = [asPackageText(values.get('groupId')), asPackageText(values.get('artifactId'))];
  const version = asPackageText(values.get('version'));
  if (group === undefined || artifact === undefined || version === undefined) return [];
  return [toPackage({ group, artifact, version })];
}

/**
 * Coordinates of an archive without `pom.properties`, from its manifest and its own name: of each the first that can be
 * one, the file's name before what the manifest says for people to read. Maven's group stands in neither: where nothing
 * tells it, the artifact stands in for it, as other tools of the trade do.
 */
export function guessFromManifest(manifest: Buffer | undefined, fileName: string): FoundPackage[] {
  const headers = parseManifest(manifest?.toString('utf8') ?? '');
  const versions = VERSION_HEADERS.flatMap((header) => headers.get(header) ?? []);
  const file = parseJavaFileName(fileName, versions);
  const symbolic = headers.get('bundle-symbolicname')?.split(';')[0]?.trim();
  const artifact = findText(file.artifact, headers.get('implementation-title'), file.bare);
  const version = findText(file.version, ...versions);
  if (artifact === undefined || version === undefined) return [];
  const group = asPackageText(headers.get('implementation-vendor-id')) ?? guessGroup(symbolic, artifact) ?? artifact;
  return [toPackage({ group, artifact, version })];
}

function findText(...candidates: readonly (string | undefined)[]): string | undefined {
  return candidates.map(asPackageText).find((text) => text !== undefined && text !== '');
}

/** A bundle is mostly named after group and artifact. */
function guessGroup(symbolic: string | undefined, artifact: string): string | undefined {
  if (symbolic?.endsWith(`.${artifact}`) === true) return asPackageText(symbolic.slice(0, -artifact.length - 1));
  return undefined;
}

/** The main section: `Name: value` up to the first empty line, long values going on behind a blank. JAR specification. */
function parseManifest(text: string): Map<string, string> {
  const headers = new Map<string, string>();
  let last: string | undefined;
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (line === '') break;
    if (line.startsWith(' ') && last !== undefined) {
      headers.set(last, `${headers.get(last) ?? ''}${line.slice(1)}`);
      continue;
    }
    const colon = line.indexOf(':');
    last = colon > 0 ? line.slice(0, colon).toLowerCase() : undefined;
    if (last !== undefined) headers.set(last, line.slice(colon + 1).trim());
  }
  return headers;
}

function toPackage({ group, artifact, version }: MavenPackage): FoundPackage {
  const purl = formatPurl({ type: 'maven', namespace: [group], name: artifact, version });
  return { purl, type: 'maven', name: `${group}:${artifact}`, version };
}
