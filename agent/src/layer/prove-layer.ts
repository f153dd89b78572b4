/** Where the blob of a layer comes from: a file, or a stream that can be opened once. */
export type LayerBlob = { readonly path: string } | { open(): AsyncIterable<Uint8Array> };

export interface LayerProofRequest {
  readonly blob: LayerBlob;
  /** OCI or Docker media type of the layer; unknown ones are refused. */
  readonly mediaType: string;
  /** `sha256:…` of the blob, from the manifest. */
  readonly digest: string;
  /** `sha256:…` of the uncompressed tar, from the config. */
  readonly diffId: string;
  /** The unpacked layer: a lower directory of the overlay. */
  readonly directory: string;
  /** Differences named in the answer; the count stays exact. Default 100. */
  readonly maxDifferences?: number;
}

export type LayerDifferenceField =
  | 'extra'
  | 'missing'
  | 'type'
  | 'mode'
  | 'uid'
  | 'gid'
  | 'size'
  | 'target'
  | 'rdev'
  | 'sha256'
  | 'xattr'
  | 'opaque'
  | 'changed';

/** One difference; `expected` is what the layer's tar says, `actual` what lies in the directory. */
export interface LayerDifference {
  /** As `formatBytePath` writes it. */
  readonly path: string;
  readonly field: LayerDifferenceField;
  readonly expected: string | null;
  readonly actual: string | null;
}

export interface LayerProofResult {
  /** `content`: every entry of the directory equals the layer's tar, whose digests are those asked for. */
  readonly proof: 'content' | 'none';
  /** Empty for `content`. */
  readonly differences: readonly LayerDifference[];
  readonly differenceCount: number;
  /** Fingerprint of the directory as compared: equal to `fingerprintDirectory` as long as nothing changes. */
  readonly fingerprint: string;
  readonly entries: number;
  /** Of the uncompressed tar. */
  readonly bytes: number;
}

/**
 * Compares an unpacked layer with the blob that it should have come from.
 *
 * Throws `EvidenceError` when the blob is not what its digests say (ERR_EVIDENCE_DIGEST), is malformed or passes a
 * limit, and `RootfsError` when the directory cannot be read. A difference is a value.
 */
export declare function proveLayer(request: LayerProofRequest): Promise<LayerProofResult>;
