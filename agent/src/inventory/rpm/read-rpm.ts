import { type BytePath, EvidenceError, joinBytePath, latin1ToBytePath, toBytePath } from '@holdfast/evidence/inventory';
import type { FoundPackage, InventoryBuilder } from '../inventory-builder.ts';
import type { OsDatabase, OsPackage, OwnerSink } from '../os-package.ts';
import { formatPurl } from '../purl.ts';
import { readBdbHash } from './bdb-hash.ts';
import { readNdb } from './ndb.ts';
import { malformedDatabase } from './page-budget.ts';
import { RpmOwner } from './rpm-files.ts';
import { parseRpmHeader, RPM_TAG, type RpmHeader } from './rpm-header.ts';
import { parseRpmManifest, type RpmIdentity } from './rpm-manifest.ts';
import { readSqliteTable } from './sqlite-table.ts';

/** Where distributions keep the database: the usual place, that of ostree, and that of newer ones. */
const DIRECTORIES = ['/var/lib/rpm', '/usr/share/rpm', '/usr/lib/sysimage/rpm'].map(toBytePath);
/** What stands in place of a database in images that were emptied of rpm. */
const MANIFEST = toBytePath('/var/lib/rpmmanifest/container-manifest-2');
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._+-]{0,255}$/;
const VERSION = /^[A-Za-z0-9._+~^]{1,255}$/;
const ARCHITECTURE = /^[A-Za-z0-9_]{1,64}$/;
const WAL_SUFFIX = '-wal';

interface RpmPackage extends OsPackage {
  readonly header: RpmHeader;
}

/** Headers of one database file; `beside` reads a file whose name has a further suffix. */
type Reader = (bytes: Buffer, beside: (suffix: string) => Buffer | undefined) => Iterable<Buffer>;

const FORMATS: readonly { readonly file: string; readonly read: Reader }[] = [
  { file: 'rpmdb.sqlite', read: (bytes, beside) => readSqliteBlobs(bytes, beside(WAL_SUFFIX)) },
  { file: 'Packages.db', read: readNdb },
  { file: 'Packages', read: readBdbHash },
];

/**
 * Reads the packages that rpm has installed, from its three formats at the three places where they may lie; one reached
 * twice counts once. Keys that rpm keeps as packages are left out. What is broken is noted, after what could be read.
 */
export function readRpm(builder: InventoryBuilder, osId: string | undefined): OsDatabase {
  const databases: BytePath[] = [];
  const packages: RpmPackage[] = [];
  const seen = new Set<BytePath>();
  for (const path of DIRECTORIES.flatMap((directory) => FORMATS.map(({ file }) => joinBytePath(directory, file)))) {
    const real = builder.attempt(() => builder.view.resolve(path));
    if (real !== undefined && seen.has(real)) continue;
    if (real !== undefined) seen.add(real);
    const bytes = builder.readDatabase('rpm', path);
    if (bytes === undefined) continue;
    databases.push(path);
    readPackages(builder, path, bytes, osId, packages);
  }
  const listed = readManifest(builder, osId);
  return {
    databases: [...databases, ...(listed === undefined ? [] : [MANIFEST])],
    packages: [...packages, ...(listed ?? [])].map(({ found, database }): OsPackage => ({ found, database })),
    listOwnedPaths: (sink) => {
      for (const { found, header, database } of packages) tellFiles(builder, found.purl, header, database, sink);
    },
  };
}

/** Packages of the manifest own no paths: it names no files. Undefined where there is none. */
function readManifest(builder: InventoryBuilder, osId: string | undefined): OsPackage[] | undefined {
  const bytes = builder.readDatabase('rpm', MANIFEST);
  if (bytes === undefined) return undefined;
  const packages: OsPackage[] = [];
  for (const identity of parseRpmManifest(bytes.toString('latin1'))) {
    noteMalformed(builder, MANIFEST, () => {
      if (identity === undefined) throw malformedDatabase('a line that names no package');
      packages.push({ found: toPackage(identity, osId), database: MANIFEST });
    });
  }
  return packages;
}

function readPackages(
  builder: InventoryBuilder,
  path: BytePath,
  bytes: Buffer,
  osId: string | undefined,
  packages: RpmPackage[],
): void {
  // Listed by its own digest: what it holds is part of the answer.
  const beside = (suffix: string) =>
    builder.readDatabase('rpm', latin1ToBytePath(`${path}${suffix}`), { mayBeEmpty: true });
  const format = FORMATS.find(({ file }) => path.endsWith(`/${file}`));
  noteMalformed(builder, path, () => {
    for (const blob of format?.read(bytes, beside) ?? []) {
      noteMalformed(builder, path, () => {
        const header = parseRpmHeader(blob);
        if (isKey(header)) return;
        packages.push({ found: toPackage(readIdentity(header), osId), database: path, header });
      });
    }
  });
}

function noteMalformed(builder: InventoryBuilder, path: BytePath, step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    builder.note('malformed', path);
  }
}

function* readSqliteBlobs(bytes: Buffer, wal: Buffer | undefined): Generator<Buffer> {
  for (const [, blob] of readSqliteTable(bytes, wal, 'Packages')) {
    if (!Buffer.isBuffer(blob)) throw malformedDatabase('a package that is no blob');
    yield blob;
  }
}

function tellFiles(builder: InventoryBuilder, purl: string, header: RpmHeader, database: BytePath, sink: OwnerSink) {
  noteMalformed(builder, database, () =>
    new RpmOwner(purl, header, () => builder.note('malformed', database)).tell(sink),
  );
}

/** Imported keys have neither architecture nor files; anything else that calls itself so is a package. */
function isKey(header: RpmHeader): boolean {
  const isNamedSo = header.text(RPM_TAG.name) === 'gpg-pubkey';
  return isNamedSo && header.text(RPM_TAG.arch) === undefined && header.texts(RPM_TAG.baseNames).length === 0;
}

function readIdentity(header: RpmHeader): RpmIdentity {
  return {
    name: header.text(RPM_TAG.name) ?? '',
    version: header.text(RPM_TAG.version) ?? '',
    release: header.text(RPM_TAG.release) ?? '',
    arch: header.text(RPM_TAG.arch) ?? '',
    epoch: header.numbers(RPM_TAG.epoch)[0] ?? 0,
    sourceRpm: header.text(RPM_TAG.sourceRpm) ?? '',
  };
}

function toPackage(identity: RpmIdentity, osId: string | undefined): FoundPackage {
  const { name, version, release, arch, epoch } = identity;
  const isWhole = NAME.test(name) && VERSION.test(version) && VERSION.test(release);
  if (!isWhole || (arch !== '' && !ARCHITECTURE.test(arch))) throw malformedDatabase('a package without a name');
  const full = `${version}-${release}`;
  const qualifiers = { arch, epoch: epoch === 0 ? undefined : String(epoch) };
  const namespace = osId === undefined ? [] : [osId];
  const source = parseSourceRpm(identity.sourceRpm);
  return {
    purl: formatPurl({ type: 'rpm', namespace, name, version: full, qualifiers }),
    type: 'rpm',
    name,
    version: full,
    ...(arch === '' ? {} : { arch }),
    ...(source === undefined ? {} : { source }),
  };
}

/** `NAME-VERSION-RELEASE.src.rpm`. */
function parseSourceRpm(file: string): FoundPackage['source'] {
  const match = /^(.+)-([^-]+-[^-]+)\.(?:no)?src\.rpm$/.exec(file);
  const [, name = '', version = ''] = match ?? [];
  return NAME.test(name) && version.split('-').every((part) => VERSION.test(part)) ? { name, version } : undefined;
}
