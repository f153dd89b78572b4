import type { FileBytes } from '../file-bytes.ts';
import type { FoundPackage } from '../inventory-builder.ts';
import { readCargoAuditable } from './cargo-auditable.ts';
import { readElfLayout } from './elf-layout.ts';
import { readGoBuildInfo } from './go-build-info.ts';
import { listGoModules } from './list-go-modules.ts';

/** No program of Go or of Rust with its standard library is smaller. */
export const MIN_BINARY_BYTES = 32 * 1024;

/**
 * Reads the packages that compilers wrote into a program or shared object: Go modules, Rust crates. `onMalformed` is told
 * of lists that are there and cannot be read. Throws what `file` throws and nothing else.
 */
export function readBinaryPackages(file: FileBytes, onMalformed: () => void): FoundPackage[] {
  const elf = readElfLayout(file);
  if (elf === undefined) return [];
  const info = readGoBuildInfo(file, elf);
  const crates = readCargoAuditable(file, elf);
  if (crates?.isReadable === false) onMalformed();
  return [...(info === undefined ? [] : listGoModules(info)), ...(crates?.packages ?? [])];
}
