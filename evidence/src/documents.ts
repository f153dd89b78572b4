/**
 * The part of this package that scans need, as an entry point of its own: each thread that loads a module holds it once more.
 *
 * @packageDocumentation
 */
export * from './byte-path.ts';
export type { ContainerClaims, LayerProof } from './claims/claims-set.ts';
export type * from './claims/running-claims.ts';
export * from './drift/drift.ts';
export { encodeDrift, parseDrift } from './drift/parse-drift.ts';
export { EvidenceError, type EvidenceErrorCode } from './evidence-error.ts';
export type { Inventory, InventoryPackage } from './inventory/inventory.ts';
export { encodeInventory } from './inventory/parse-inventory.ts';
