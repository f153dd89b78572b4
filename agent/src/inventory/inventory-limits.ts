import type { InventoryLimits } from './inventory-builder.ts';

/** What a scan may use up where its caller says nothing. */
export const DEFAULT_INVENTORY_LIMITS: InventoryLimits = {
  maxEntries: 2_000_000,
  maxDepth: 2048,
  maxPathBytes: 64 * 1024 * 1024,
  maxDatabaseBytes: 256 * 1024 * 1024,
  maxManifestBytes: 4 * 1024 * 1024,
  maxPackages: 100_000,
  maxDocumentBytes: 40 * 1024 * 1024,
  maxOwnedBytes: 128 * 1024 * 1024,
  maxHeldBytes: 192 * 1024 * 1024,
  deadlineMs: Number.POSITIVE_INFINITY,
};
