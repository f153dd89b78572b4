/**
 * The part of this package that an inventory needs, as an entry point of its own: a command that lists a directory is done
 * before all the rest would be loaded.
 *
 * @packageDocumentation
 */
export {
  type BytePath,
  bytePathToBuffer,
  formatBytePath,
  joinBytePath,
  latin1ToBytePath,
  toBytePath,
} from '../byte-path.ts';
export { EvidenceError, type EvidenceErrorCode } from '../evidence-error.ts';
export type { Inventory, InventoryPackage } from './inventory.ts';
