import { inflateSync } from 'node:zlib';
import type { FileBytes } from '../file-bytes.ts';
import type { FoundPackage } from '../inventory-builder.ts';
import { asObject, asPackageText, parseJsonObject } from '../language/manifest-text.ts';
import { formatPurl } from '../purl.ts';
import type { ElfLayout } from './elf-layout.ts';

const SECTION = '.dep-v0';
/** cargo-auditable's own bounds of its data, packed and unpacked. */
const MAX_PACKED_BYTES = 1024 * 1024;
const MAX_JSON_BYTES = 8 * 1024 * 1024;

/** What a section of a program holds. */
export interface CargoAudit {
  readonly packages: readonly FoundPackage[];
  /** False where there is such a section and it cannot be read. */
  readonly isReadable: boolean;
}

/**
 * Reads the crates that cargo-auditable wrote into a program: JSON, deflated with a zlib header, in the section
 * `.dep-v0`. Crates that only built it (`kind: build`) are left out. Undefined where there is no such section.
 */
export function readCargoAuditable(file: FileBytes, elf: ElfLayout): CargoAudit | undefined {
  const section = elf.findSection(SECTION);
  if (section === undefined) return undefined;
  const json = section.size > MAX_PACKED_BYTES ? undefined : inflate(file.read(section.offset, section.size));
  const list = json === undefined ? undefined : parseJsonObject(json)?.['packages'];
  if (!Array.isArray(list)) return { packages: [], isReadable: false };
  return { packages: list.flatMap(toPackage), isReadable: true };
}

function inflate(packed: Buffer): Buffer | undefined {
  try {
    return inflateSync(packed, { maxOutputLength: MAX_JSON_BYTES });
  } catch {
    // What zlib says of foreign bytes is one of many errors without a kind of their own.
    return undefined;
  }
}

function toPackage(item: unknown): FoundPackage[] {
  const crate = asObject(item);
  const name = asPackageText(crate?.['name']);
  const version = asPackageText(crate?.['version']);
  if (name === undefined || version === undefined || crate?.['kind'] === 'build') return [];
  return [{ purl: formatPurl({ type: 'cargo', name, version }), type: 'cargo', name, version }];
}
