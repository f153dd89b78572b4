import { type BytePath, joinBytePath, toBytePath } from '@holdfast/evidence/inventory';
import type { FoundPackage, InventoryBuilder } from '../inventory-builder.ts';
import type { OsDatabase } from '../os-package.ts';
import { formatPurl } from '../purl.ts';
import { MAX_TEXT_DATABASE_BYTES } from '../text-lines.ts';
import { type DebPackage, listDpkgOwnedPaths } from './dpkg-owners.ts';
import { parseControl, type Stanza } from './parse-control.ts';

const STATUS = toBytePath('/var/lib/dpkg/status');
/** Where images without dpkg keep one control file a package (distroless). */
const STATUS_DIRECTORY = toBytePath('/var/lib/dpkg/status.d');
const FIELDS = new Set(['package', 'status', 'version', 'architecture', 'source', 'multi-arch', 'conffiles']);
/** dpkg(1), package states. */
const STATES = new Set(
  'not-installed config-files half-installed unpacked half-configured triggers-awaited triggers-pending installed'.split(
    ' ',
  ),
);
const NAME = /^[a-z0-9][a-z0-9+.-]{0,127}$/i;
const VERSION = /^[A-Za-z0-9][A-Za-z0-9.+~:-]{0,255}$/;
const ARCHITECTURE = /^[a-z0-9][a-z0-9-]{0,63}$/;

/**
 * Reads the packages that dpkg has installed, and those of `status.d`.
 *
 * A paragraph counts as installed when the third word of its status is `installed`, or when it has no status (status.d).
 * Paragraphs that no dpkg could have written, and files whose count of `Package` lines is not the count of paragraphs,
 * are noted: the inventory is then incomplete. dpkg(1), deb822(5).
 */
export function readDpkg(builder: InventoryBuilder, osId: string | undefined): OsDatabase {
  const packages: DebPackage[] = [];
  const databases: BytePath[] = [];
  for (const path of [STATUS, ...listStatusDirectory(builder)]) {
    const bytes = builder.readDatabase('deb', path, { maxBytes: MAX_TEXT_DATABASE_BYTES });
    if (bytes === undefined) continue;
    databases.push(path);
    for (const found of readStatus(builder, path, bytes, osId)) packages.push(found);
  }
  return {
    databases,
    packages,
    listOwnedPaths: (sink) => listDpkgOwnedPaths(builder, packages, sink),
  };
}

function listStatusDirectory(builder: InventoryBuilder): BytePath[] {
  const names = builder.attempt(() => {
    const real = builder.view.resolve(STATUS_DIRECTORY);
    if (real === undefined) return [];
    // A directory there is nobody's database.
    return builder.view.list(real).filter((name) => builder.view.lstat(joinBytePath(real, name))?.type !== 'directory');
  });
  return (names ?? [])
    .filter((name) => !name.endsWith('.md5sums') && !name.endsWith('.list'))
    .map((name) => joinBytePath(STATUS_DIRECTORY, name));
}

function readStatus(builder: InventoryBuilder, path: BytePath, bytes: Buffer, osId: string | undefined): DebPackage[] {
  const { maxPackages, maxDocumentBytes } = builder.limits;
  const limits = { maxStanzas: maxPackages, maxChars: maxDocumentBytes };
  const { stanzas, packageLines, isCut } = parseControl(bytes, FIELDS, limits);
  if (isCut) builder.note('packages', path);
  else if (packageLines !== stanzas.filter((stanza) => stanza.has('package')).length) builder.note('stanzas', path);
  const packages: DebPackage[] = [];
  const seen = new Set<string>();
  for (const stanza of stanzas) {
    if (!hasState(stanza)) builder.note('malformed', path);
    if (!isInstalled(stanza)) continue;
    const found = toPackage(stanza, osId);
    if (found === undefined) {
      builder.note('malformed', path);
      continue;
    }
    const key = `${found.name}:${found.arch ?? ''}`;
    if (seen.has(key)) builder.note('duplicate', path);
    seen.add(key);
    packages.push({
      found,
      database: path,
      isMultiArchSame: stanza.get('multi-arch') === 'same',
      conffiles: stanza.get('conffiles') ?? '',
    });
  }
  return packages;
}

/** A word that dpkg does not write was cut, or is somebody else's. */
function hasState(stanza: Stanza): boolean {
  const status = stanza.get('status');
  return status === undefined || STATES.has(status.split(/\s+/)[2] ?? '');
}

function isInstalled(stanza: Stanza): boolean {
  const status = stanza.get('status');
  return status === undefined || status.split(/\s+/)[2] === 'installed';
}

function toPackage(stanza: Stanza, osId: string | undefined): FoundPackage | undefined {
  const name = stanza.get('package') ?? '';
  const version = stanza.get('version') ?? '';
  const arch = stanza.get('architecture') ?? '';
  if (!NAME.test(name) || !VERSION.test(version) || (arch !== '' && !ARCHITECTURE.test(arch))) return undefined;
  const namespace = osId === undefined ? [] : [osId];
  const purl = formatPurl({ type: 'deb', namespace, name, version, qualifiers: { arch } });
  const source = parseSource(stanza.get('source'), version);
  const more = { ...(arch === '' ? {} : { arch }), ...(source === undefined ? {} : { source }) };
  return { purl, type: 'deb', name, version, ...more };
}

/** `NAME` or `NAME (VERSION)`; left out when the source has the binary's own name and version. */
function parseSource(field: string | undefined, version: string): FoundPackage['source'] {
  const match = /^([^\s()]+)(?:\s*\(([^\s()]+)\))?$/.exec(field ?? '');
  const name = match?.[1];
  if (name === undefined || !NAME.test(name)) return undefined;
  const sourceVersion = match?.[2] ?? version;
  return VERSION.test(sourceVersion) ? { name, version: sourceVersion } : undefined;
}
