/** Names of the CycloneDX properties that Holdfast writes and reads. */
export const HOLDFAST_PROPERTIES = {
  layer: 'holdfast:layer',
  owner: 'holdfast:ownedBy',
  source: 'holdfast:sourceName',
  sourceVersion: 'holdfast:sourceVersion',
} as const;
