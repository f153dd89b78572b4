import type { LayerProof } from '@holdfast/evidence';
import type { LayerDifference } from '../layer/proof/layer-difference.ts';
import { readScanFailure, type Scanner } from '../scan/create-scanner.ts';
import type { LayerDigest, ProofBlob, ProofReply } from '../scan/scan-protocol.ts';

/** A layer directory of a running container, and the blob it should have come from. */
export interface ProvableLayer {
  readonly directory: string;
  readonly diffId: string;
  /** Directories of the layers below, the nearest first. */
  readonly lowers: readonly string[];
  readonly blob: ProofBlob | null;
  /** The container that brought it: its layers wait behind those of others once they took long. */
  readonly group: string;
}

/** What is known of a layer directory. */
export interface ProvenLayer {
  readonly proof: LayerProof;
  /** Named where there is no proof for another reason than a missing blob. */
  readonly limits: readonly string[];
  /** What differs between directory and tar, where something does. */
  readonly differing?: readonly LayerDifference[];
}

interface Row {
  readonly layer: ProvableLayer;
  digest: LayerDigest | null;
  proven: ProvenLayer;
  /** Counts changes of the directory since it was first seen. */
  generation: number;
  isQueued: boolean;
  /** Something moved after the look that is queued or under way was asked for. */
  isAskedAgain: boolean;
  scrubbedAtMs: number;
}

const PENDING: ProvenLayer = { proof: 'none', limits: ['proofPending'] };
const MAX_LIMIT_CHARS = 256;

export interface LayerProofsDeps {
  readonly scanner: Pick<Scanner, 'prove'>;
  readonly clock: { monotonicMs(): number };
  /** Told of a directory whose proof changed; `isMoved` when its content may have, so that scans of it are void. */
  onChange(directory: string, isMoved: boolean): void;
}

/**
 * Holds the proof of every layer directory in use: compared with its blob once, then looked at again when something
 * moved in it, when asked to check, and byte for byte once in each scrub period.
 */
export class LayerProofs {
  readonly #deps: LayerProofsDeps;
  readonly #rows = new Map<string, Row>();

  constructor(deps: LayerProofsDeps) {
    this.#deps = deps;
  }

  /** Starts the proof of a layer that is not known, or is known for another image or without its blob. */
  ensure(layer: ProvableLayer): void {
    const known = this.#rows.get(layer.directory);
    const isSame = known?.layer.diffId === layer.diffId && (known.layer.blob !== null || layer.blob === null);
    if (isSame) return;
    const generation = known === undefined ? 0 : known.generation + 1;
    const row: Row = {
      layer,
      digest: null,
      proven: PENDING,
      generation,
      isQueued: false,
      isAskedAgain: false,
      scrubbedAtMs: 0,
    };
    this.#rows.set(layer.directory, row);
    this.#prove(row, false);
  }

  read(directory: string): ProvenLayer {
    return this.#rows.get(directory)?.proven ?? PENDING;
  }

  generationOf(directory: string): number {
    return this.#rows.get(directory)?.generation ?? 0;
  }

  /** Looks at the times of a directory again; where they moved, at its content. */
  check(directory: string): void {
    const row = this.#rows.get(directory);
    if (row === undefined) return;
    row.isAskedAgain = row.isQueued;
    this.#prove(row, false);
  }

  /** Looks at every directory; byte for byte at those whose last such look is longer ago than `scrubMs`. */
  checkAll(scrubMs: number): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const row of this.#rows.values()) this.#prove(row, nowMs - row.scrubbedAtMs > scrubMs);
  }

  /** Forgets every directory but those in use. */
  keepOnly(inUse: ReadonlySet<string>): void {
    for (const directory of this.#rows.keys()) if (!inUse.has(directory)) this.#rows.delete(directory);
  }

  #prove(row: Row, scrub: boolean): void {
    if (row.isQueued) return;
    row.isQueued = true;
    const { directory, diffId, lowers, blob, group } = row.layer;
    void this.#deps.scanner
      .prove({ directory, diffId, lowers, blob, known: row.digest, scrub }, group)
      .then((reply) => this.#settle(row, reply, scrub))
      .catch((error: unknown) => this.#fail(row, readScanFailure(error) ?? 'error'))
      .finally(() => {
        row.isQueued = false;
        if (row.isAskedAgain && this.#rows.get(directory) === row) this.check(directory);
      });
  }

  #settle(row: Row, reply: ProofReply, scrub: boolean): void {
    if (this.#rows.get(row.layer.directory) !== row) return;
    const wasSeen = row.digest !== null;
    if (scrub || reply.proof === 'content' || reply.proof === 'tarSplit')
      row.scrubbedAtMs = this.#deps.clock.monotonicMs();
    row.digest = reply.digest;
    if (reply.proof === 'known') return;
    const named = new Set(reply.differing.map(({ path }) => `layerContent:${path}`.slice(0, MAX_LIMIT_CHARS)));
    const limits = [...named, ...(reply.limit === undefined ? [] : [reply.limit])];
    const differing = reply.differing.length === 0 ? {} : { differing: reply.differing };
    row.proven = { proof: reply.proof, limits, ...differing };
    if (wasSeen) row.generation += 1;
    this.#deps.onChange(row.layer.directory, wasSeen);
    if (wasSeen) this.#checkAbove(row.layer.directory);
  }

  /** Proofs that rest on a directory that moved. */
  #checkAbove(moved: string): void {
    for (const { layer, digest } of this.#rows.values()) {
      if (digest?.implied !== undefined && layer.lowers.includes(moved)) this.check(layer.directory);
    }
  }

  #fail(row: Row, reason: string): void {
    if (this.#rows.get(row.layer.directory) !== row || reason === 'closed') return;
    row.digest = null;
    row.proven = { proof: 'none', limits: [`layerProof:${reason}`.slice(0, MAX_LIMIT_CHARS)] };
    this.#deps.onChange(row.layer.directory, true);
  }
}
