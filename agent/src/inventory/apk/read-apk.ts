import { type BytePath, toBytePath } from '@holdfast/evidence/inventory';
import type { FoundPackage, InventoryBuilder } from '../inventory-builder.ts';
import type { FileDigest, OsDatabase, OsPackage, OwnerSink } from '../os-package.ts';
import { formatPurl } from '../purl.ts';
import { MAX_TEXT_DATABASE_BYTES } from '../text-lines.ts';
import { type ApkRecord, parseApk } from './parse-apk.ts';

/** apk-tools 2 and, since the merge of /usr, 3. */
const DATABASES = ['/lib/apk/db/installed', '/usr/lib/apk/db/installed'].map(toBytePath);
const NAME = /^[A-Za-z0-9._][A-Za-z0-9._+-]{0,127}$/;
const VERSION = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}$/;
const ARCHITECTURE = /^[A-Za-z0-9_-]{1,64}$/;

/** Reads the packages that apk has installed, at both places where its database may lie; one reached twice counts once. */
export function readApk(builder: InventoryBuilder, osId: string | undefined): OsDatabase {
  const databases: BytePath[] = [];
  const packages: (OsPackage & { readonly record: ApkRecord })[] = [];
  const seen = new Set<BytePath>();
  for (const path of DATABASES) {
    const real = builder.attempt(() => builder.view.resolve(path));
    if (real !== undefined && seen.has(real)) continue;
    if (real !== undefined) seen.add(real);
    const bytes = builder.readDatabase('apk', path, { maxBytes: MAX_TEXT_DATABASE_BYTES });
    if (bytes === undefined) continue;
    databases.push(path);
    const { maxPackages, maxDocumentBytes } = builder.limits;
    const { records, isCut } = parseApk(bytes, { maxRecords: maxPackages, maxChars: maxDocumentBytes });
    if (isCut) builder.note('packages', path);
    for (const record of records) {
      const found = toPackage(record, osId);
      if (found === undefined) builder.note('malformed', path);
      else packages.push({ found, database: path, record });
    }
  }
  return {
    databases,
    packages: packages.map(({ found, database }): OsPackage => ({ found, database })),
    listOwnedPaths: (sink) => {
      for (const { found, record } of packages) ownFiles(found.purl, record, sink);
    },
  };
}

function ownFiles(purl: string, record: ApkRecord, sink: OwnerSink): void {
  let digests: Map<string, string> | undefined;
  const owner = {
    purl,
    digestOf(path: string): FileDigest | undefined {
      digests ??= new Map(record.files.flatMap((file) => (file.sha1 ? [[`/${file.path}`, file.sha1] as const] : [])));
      const hex = digests.get(path);
      return hex === undefined ? undefined : { algorithm: 'sha1', hex };
    },
  };
  for (const { path } of record.files) sink.own(`/${path}`, owner);
}

function toPackage({ fields }: ApkRecord, osId: string | undefined): FoundPackage | undefined {
  const name = fields.get('P') ?? '';
  const version = fields.get('V') ?? '';
  const arch = fields.get('A') ?? '';
  if (!NAME.test(name) || !VERSION.test(version) || (arch !== '' && !ARCHITECTURE.test(arch))) return undefined;
  const namespace = osId === undefined ? [] : [osId];
  const purl = formatPurl({ type: 'apk', namespace, name, version, qualifiers: { arch } });
  const origin = fields.get('o') ?? '';
  const source = NAME.test(origin) && origin !== name ? { source: { name: origin, version } } : {};
  return { purl, type: 'apk', name, version, ...(arch === '' ? {} : { arch }), ...source };
}
