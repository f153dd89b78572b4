/**
 * The pure core that Attester and Verifier share: formats, parsers, binding. No I/O, no clock, no randomness.
 *
 * @packageDocumentation
 */
export * from './byte-path.ts';
export * from './claims/claims-set.ts';
export * from './drift/drift.ts';
export * from './evidence-error.ts';
export * from './inventory/inventory.ts';
