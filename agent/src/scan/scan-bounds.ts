import type { UpperLimits } from '../drift/upper-source.ts';
import type { InventoryLimits } from '../inventory/inventory-builder.ts';
import { DEFAULT_INVENTORY_LIMITS } from '../inventory/inventory-limits.ts';

/** What one scan may hold in memory. */
export interface ScanBounds {
  readonly upper: UpperLimits;
  readonly inventory: Omit<InventoryLimits, 'deadlineMs'>;
  /** Names in one directory of an image. */
  readonly maxNames: number;
  /** Entries of upper directories that are remembered between scans, of all containers. */
  readonly maxRemembered: number;
}

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

/**
 * `small` is for a thread: all that bytes of a container can make it hold stays well below its heap, which V8 does not
 * guard against one large step. Most containers are within it. `full` is for a process, which may be ended by its heap.
 */
export const SCAN_BOUNDS: Readonly<Record<'small' | 'full', ScanBounds>> = {
  small: {
    upper: { maxEntries: 50_000, maxDepth: 2_048, maxFileBytes: GIB, maxPathBytes: 16 * MIB },
    inventory: {
      ...DEFAULT_INVENTORY_LIMITS,
      maxDatabaseBytes: 8 * MIB,
      maxPackages: 20_000,
      maxDocumentBytes: 8 * MIB,
      maxOwnedBytes: 64 * MIB,
      maxHeldBytes: 16 * MIB,
      maxPathBytes: 16 * MIB,
    },
    maxNames: 50_000,
    maxRemembered: 100_000,
  },
  full: {
    upper: { maxEntries: 500_000, maxDepth: 2_048, maxFileBytes: 8 * GIB, maxPathBytes: 64 * MIB },
    inventory: DEFAULT_INVENTORY_LIMITS,
    maxNames: 500_000,
    maxRemembered: 200_000,
  },
};

/** Limits by which a scan with small bounds is not what one with full bounds would be. */
const OF_SIZE = /^(?:time|entries|fileBytes|pathBytes|packages|ownedPaths|archive)\b/;

/** Whether a scan with full bounds and more time may see more. */
export function isBoundBySize(limits: readonly string[]): boolean {
  return limits.some((limit) => OF_SIZE.test(limit));
}
