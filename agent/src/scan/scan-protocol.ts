import type { ImpliedDigest } from '../layer/proof/implied-directory.ts';
import type { LayerDifference } from '../layer/proof/layer-difference.ts';
import type { OverlayLower } from '../overlay/overlay-view.ts';
import type { LookRequest, PeekReply, PeekRequest } from '../process/look-protocol.ts';
import type { LookOutcome } from '../process/process-looker.ts';

/** What one scan of one container is to do. Paths are absolute, bytes as latin1. */
export interface ScanRequest {
  readonly kind: 'scan';
  /** Of the container: what is remembered between its scans hangs on it. */
  readonly key: string;
  /** Names the lower layers as last checked: equal keys mean equal layers. */
  readonly lowerKey: string;
  /** Bottom first. */
  readonly lowers: readonly OverlayLower[];
  /** Null where the container has no writable layer that can be read. */
  readonly upper: string | null;
  /** Where the runtime mounts something, in the container. */
  readonly mountPoints: readonly string[];
  /** False where the caller has the inventory of these lower layers already. */
  readonly wantsBaseline: boolean;
  /** `inventoryDigest` of the drift for which the caller has the merged inventory already. */
  readonly inventoryOf: string | null;
  /** Paths on the upper directory whose bytes may move without their times: begin with a slash. */
  readonly restless: readonly string[];
  /** SHA-256 of the drift document that the caller has of the last reply; null where it has none. */
  readonly driftOf: string | null;
  /**
   * Where something changed since the last scan of this container: paths relative to the upper directory, each ended by NUL,
   * since one text passes between threads far sooner than many; null where that is
   * not known and everything is to be walked.
   */
  readonly changed: string | null;
  readonly budgetMs: number;
  /** `small` where it runs in a thread, which must not come near its largest heap. */
  readonly bounds: 'small' | 'full';
}

/** A document and whether it is whole. */
export interface ScannedDocument {
  readonly bytes: Uint8Array;
  readonly limits: readonly string[];
}

export interface ScannedDrift extends ScannedDocument {
  /** Of the document, hex. */
  readonly sha256: string;
  readonly relevantDigest: string;
  readonly inventoryDigest: string | null;
  /** Everything was walked; else only what changed was looked at, and counts are those of the last walk. */
  readonly isWhole: boolean;
  readonly counts: { readonly relevant: number; readonly other: number };
  /** Time that the walk took, in milliseconds. */
  readonly tookMs: number;
}

export interface ScanReply {
  readonly kind: 'scanned';
  /** Absent where the caller has it already. */
  readonly baseline: ScannedDocument | undefined;
  /** `baseline`: nothing in the upper directory can move it. `known`: the caller has it already. */
  readonly inventory: ScannedDocument | 'baseline' | 'known';
  readonly drift: ScannedDrift;
  /** Those of the mount points at which the image has something. */
  readonly covered: readonly string[];
}

/** The caller has all of it already. */
export interface QuietReply {
  readonly kind: 'quiet';
  readonly isWhole: boolean;
  readonly tookMs: number;
}

/** Forgets what is remembered of a container. */
export interface ForgetRequest {
  readonly kind: 'forget';
  readonly key: string;
}

/** Compares one unpacked layer with its blob, unless it is as it was when that was done last. */
export interface ProofRequest {
  readonly kind: 'proof';
  readonly directory: string;
  readonly diffId: string;
  /** Directories of the layers below, the nearest first. */
  readonly lowers: readonly string[];
  /** Null where no manifest names the blob or the runtime has it no more. */
  readonly blob: ProofBlob | null;
  /** Digests at the last proof: while they hold, nothing is compared. */
  readonly known: LayerDigest | null;
  /** Read the content again rather than trust what the kernel says of times. */
  readonly scrub: boolean;
}

/** What a layer directory was like. */
export interface LayerDigest {
  readonly fingerprint: string;
  /** Null where no proof read the content. */
  readonly content: string | null;
  /** What the proof rested on in the layers below; absent where nothing was compared. */
  readonly implied?: ImpliedDigest | undefined;
}

export interface ProofBlob {
  readonly digest: string;
  readonly mediaType: string;
  /** Where the blob lies, how to ask the runtime for it, or what tar-split kept in its place. */
  readonly from:
    | { readonly path: string }
    | { readonly address: string; readonly namespace: string }
    | { readonly tarSplit: string };
}

export interface ProofReply {
  /** `known`: the digests still hold. */
  readonly proof: 'content' | 'tarSplit' | 'none' | 'firstUse' | 'known';
  readonly digest: LayerDigest;
  /** What differs, at most a few. */
  readonly differing: readonly LayerDifference[];
  /** Why there is no proof, where it is not a difference. */
  readonly limit: string | undefined;
}

export type WorkerRequest = ScanRequest | ForgetRequest | ProofRequest | LookRequest | PeekRequest;

export type WorkerReply = ScanReply | QuietReply | ProofReply | LookOutcome | PeekReply;

/** What a worker answers to the request of the same number. */
export type WorkerAnswer =
  | { readonly id: number; readonly reply: WorkerReply | null }
  | { readonly id: number; readonly failure: { readonly code: string; readonly message: string } };
