import {
  type ClaimsSet,
  type ContainerClaims,
  type ContainersClaims,
  type Drift,
  decodeSubmoduleDigest,
  EvidenceError,
  type Inventory,
  parseClaimsSet,
  parseDrift,
  parseInventory,
  type SubmoduleName,
  type TokenClaims,
} from '@holdfast/evidence';
import type { ContainerEvidence, InventoryFacts, Resolved, VerifiedEvidence } from '../appraisal/appraisal-input.ts';
import { deltaInventories, type PackageDelta } from '../appraisal/delta-inventories.ts';
import { type BootLog, readBootLog } from '../boot/boot-log.ts';
import { comparePrepared } from '../conformity/compare-packages.ts';
import type { PackageComparison, UndecidedComparison } from '../conformity/comparison.ts';
import { listInventory, type PreparedPackages, preparePackages } from '../conformity/prepared-packages.ts';
import type { SbomReference } from '../reference-book/reference-book.ts';
import { VerifierError } from '../verifier-error.ts';
import { createWeightedCache } from '../weighted-cache.ts';

/** Content that one kube node gave, by digest. */
export interface ContentSource {
  has(digest: string): boolean;
  read(digest: string): Buffer | undefined;
}

/** What the evidence names and the verifier does not have. */
export interface MissingContent {
  readonly digest: string;
  /** Size as the claims say, 0 where they do not. */
  readonly bytes: number;
  /** True for the boot event log, which is asked for as a log. */
  readonly isBootLog?: true;
}

type ResolvedSets = Pick<VerifiedEvidence, 'host' | 'boot' | 'ima' | 'kernel' | 'containerIndex' | 'containers'>;

/** The same object as before for as long as evidence names the same content and the same SBOMs count. */
export interface ResolvedEvidence {
  readonly sets: ResolvedSets;
  /** Null where the claims name none. Not yet compared with a quote. */
  readonly bootLog: Resolved<BootLog> | null;
  /** Every digest that the evidence reaches. */
  readonly referenced: ReadonlySet<string>;
  /** Empty when all of it is there. */
  readonly missing: readonly MissingContent[];
}

export interface EvidenceResolver {
  /** Follows the digests from the token's claims as far as the source goes. */
  resolve(claims: TokenClaims, source: ContentSource): ResolvedEvidence;
}

/** Valid SBOMs about an image manifest, newest first. */
export type FindSboms = (manifest: string) => readonly SbomReference[];

const MIB = 1024 * 1024;

/**
 * Creates a resolver. Parsed content and comparisons are kept by digest, and used only where the kube node itself gave
 * the content: what one kube node has, another cannot refer to.
 */
export function createEvidenceResolver(findSboms: FindSboms): EvidenceResolver {
  const caches = createCaches();
  return {
    resolve: (claims, source) => {
      const key = SUBMODULES.map((name) => claims.submods[name][1][1]).join(' ');
      const known = caches.rounds.find(key);
      if (known !== undefined && stillHolds(known, source, findSboms)) return known.evidence;
      const walk = new EvidenceWalk(source, caches, findSboms);
      const sets = walk.resolveToken(claims);
      const bootLog = walk.resolveBootLog(sets.boot);
      const evidence = { sets, bootLog, referenced: walk.referenced, missing: walk.missing };
      if (walk.missing.length === 0) caches.rounds.put(key, walk.remember(evidence));
      return evidence;
    },
  };
}

function createCaches() {
  return {
    sets: createWeightedCache<Resolved<ClaimsSet>>(64 * MIB),
    bootLogs: createWeightedCache<Resolved<BootLog>>(64 * MIB),
    inventories: createWeightedCache<Resolved<Inventory>>(64 * MIB),
    facts: createWeightedCache<Resolved<InventoryFacts>>(8 * MIB),
    drifts: createWeightedCache<Resolved<Drift>>(64 * MIB),
    deltas: createWeightedCache<PackageDelta>(16 * MIB),
    baselines: createWeightedCache<PreparedPackages>(64 * MIB),
    sboms: createWeightedCache<PreparedPackages>(64 * MIB),
    comparisons: createWeightedCache<PackageComparison | UndecidedComparison>(16 * MIB),
    containers: createWeightedCache<KnownContainer>(32 * MIB),
    rounds: createWeightedCache<KnownRound>(64 * MIB),
    weights: new WeakMap<object, number>(),
  };
}

/** A container that was resolved in full, and what has to hold for it to be the same again. */
interface KnownContainer {
  resolved: { evidence: ContainerEvidence; documents: readonly string[]; sboms: string } | undefined;
}

/** Evidence that was resolved in full. */
interface KnownRound {
  readonly evidence: ResolvedEvidence;
  /** Names of the SBOMs that counted, by manifest. */
  readonly sboms: readonly (readonly [manifest: string, names: string])[];
}

/** Whether the kube node has every document itself, and the same SBOMs count now: keys expire and are revoked. */
function stillHolds({ evidence, sboms }: KnownRound, source: ContentSource, findSboms: FindSboms): boolean {
  for (const digest of evidence.referenced) {
    if (!source.has(digest)) return false;
  }
  return sboms.every(([manifest, names]) => nameSboms(findSboms(manifest)) === names);
}

const SUBMODULES = ['host', 'boot', 'ima', 'kernel', 'containers'] as const satisfies readonly SubmoduleName[];

/** Parsed JSON takes about this many times its text. */
const EXPANSION = 4;
/** An entry of a comparison that found nothing. */
const SMALL = 512;
/** A digest in a set. */
const TINY = 128;

class EvidenceWalk {
  readonly referenced = new Set<string>();
  readonly missing: MissingContent[] = [];
  readonly #source: ContentSource;
  readonly #caches: ReturnType<typeof createCaches>;
  readonly #findSboms: FindSboms;
  /** By manifest: looked up once for all containers of an image. */
  readonly #sboms = new Map<string, readonly SbomReference[]>();

  constructor(source: ContentSource, caches: ReturnType<typeof createCaches>, findSboms: FindSboms) {
    this.#source = source;
    this.#caches = caches;
    this.#findSboms = findSboms;
  }

  resolveToken(claims: TokenClaims): ResolvedSets {
    const digestOf = (name: SubmoduleName) => decodeSubmoduleDigest(claims.submods, name).toString('hex');
    const containerIndex = narrow(this.#resolveSet(digestOf('containers'), 'containers'), 'containers');
    return {
      host: narrow(this.#resolveSet(digestOf('host'), 'host'), 'host'),
      boot: narrow(this.#resolveSet(digestOf('boot'), 'boot'), 'boot'),
      ima: narrow(this.#resolveSet(digestOf('ima'), 'ima'), 'ima'),
      kernel: narrow(this.#resolveSet(digestOf('kernel'), 'kernel'), 'kernel'),
      containerIndex,
      containers: this.#resolveContainers(containerIndex),
    };
  }

  resolveBootLog(boot: ResolvedSets['boot']): Resolved<BootLog> | null {
    if (boot.state !== 'ok' || boot.value.eventLog === null) return null;
    const { eventLog, eventLogBytes } = boot.value;
    if (!this.#isThere(eventLog, eventLogBytes, true)) return { state: 'missing' };
    return this.#caches.bootLogs.get(eventLog, () => this.#parse(eventLog, readBootLog));
  }

  /** Containers are kept as such; this holds on to the other sets and to the log. */
  remember(evidence: ResolvedEvidence): { value: KnownRound; weight: number } {
    const { host, boot, ima, kernel, containerIndex, containers } = evidence.sets;
    const parsed = [host, boot, ima, kernel, containerIndex, ...(evidence.bootLog === null ? [] : [evidence.bootLog])];
    const own = SMALL + TINY * (evidence.referenced.size + containers.size);
    return {
      value: { evidence, sboms: [...this.#sboms].map(([manifest, found]) => [manifest, nameSboms(found)]) },
      weight: parsed.reduce((sum, each) => sum + (this.#caches.weights.get(each) ?? 0), own),
    };
  }

  #resolveContainers(index: Resolved<ContainersClaims>): Map<string, ContainerEvidence> {
    if (index.state !== 'ok') return new Map();
    const entries = Object.entries(index.value.containers);
    return new Map(entries.map(([id, digest]) => [id, this.#recallContainer(id, digest)]));
  }

  /**
   * The container as it was resolved before, where the kube node still has every document and the same SBOMs count. Both
   * are looked at each time.
   */
  #recallContainer(id: string, digest: string): ContainerEvidence {
    const known = this.#caches.containers.get(`${digest} ${id}`, () => ({
      value: { resolved: undefined },
      weight: SMALL,
    }));
    const { resolved } = known;
    if (resolved?.documents.every((document) => this.#source.has(document))) {
      const { claims } = resolved.evidence;
      const sboms = claims.state === 'ok' ? nameSboms(this.#sbomsOf(claims.value)) : '';
      if (sboms === resolved.sboms) {
        for (const document of resolved.documents) this.referenced.add(document);
        return resolved.evidence;
      }
    }
    const evidence = this.#resolveContainer(id, digest);
    if (evidence.claims.state === 'ok') {
      const { inventory, baseline, drift } = evidence.claims.value;
      const documents = [digest, ...[inventory, baseline, drift].flatMap((ref) => ref?.sha256 ?? [])];
      // Only what was all there may be recalled; two containers can lack the same document, which is then named once.
      if (documents.every((document) => this.#source.has(document)))
        known.resolved = { evidence, documents, sboms: nameSboms(this.#sbomsOf(evidence.claims.value)) };
    }
    return evidence;
  }

  #resolveContainer(id: string, digest: string): ContainerEvidence {
    const claims = narrow(this.#resolveSet(digest, 'container', id), 'container');
    if (claims.state !== 'ok') {
      return {
        claims,
        inventory: null,
        baseline: null,
        drift: null,
        packageDelta: null,
        sboms: [],
        hasSbom: false,
      };
    }
    const { inventory, baseline, drift } = claims.value;
    const sboms = this.#sbomsOf(claims.value);
    return {
      claims,
      inventory: inventory && this.#resolveFacts(inventory.sha256, inventory.bytes),
      baseline: baseline && this.#resolveFacts(baseline.sha256, baseline.bytes),
      drift: drift && this.#resolveDrift(drift.sha256, drift.bytes),
      packageDelta: inventory && baseline && this.#delta(baseline.sha256, inventory.sha256),
      sboms: baseline === null ? [] : sboms.flatMap((sbom) => this.#compare(sbom, baseline.sha256)),
      hasSbom: sboms.length > 0,
    };
  }

  #sbomsOf(claims: ContainerClaims): readonly SbomReference[] {
    const { manifest } = claims.image;
    if (manifest === null) return [];
    const found = this.#sboms.get(manifest) ?? this.#findSboms(manifest);
    this.#sboms.set(manifest, found);
    return found;
  }

  #resolveSet(digest: string, type: ClaimsSet['type'], id?: string): Resolved<ClaimsSet> {
    if (!this.#isThere(digest, 0)) return { state: 'missing' };
    return this.#caches.sets.get(JSON.stringify([type, id ?? null, digest]), () =>
      this.#parse(digest, (bytes) => parseClaimsSet(bytes, type, id)),
    );
  }

  #resolveFacts(digest: string, bytes: number): Resolved<InventoryFacts> {
    if (!this.#isThere(digest, bytes)) return { state: 'missing' };
    return this.#caches.facts.get(digest, () => {
      const inventory = this.#inventory(digest);
      if (inventory.state !== 'ok') return { value: inventory, weight: SMALL };
      const { complete, limits, packages, databases } = inventory.value;
      const facts = { complete, limits, packages: packages.length, databases: databases.length };
      return { value: { state: 'ok', value: facts }, weight: SMALL };
    });
  }

  #resolveDrift(digest: string, bytes: number): Resolved<Drift> {
    if (!this.#isThere(digest, bytes)) return { state: 'missing' };
    return this.#caches.drifts.get(digest, () => this.#parse(digest, parseDrift));
  }

  #delta(baseline: string, merged: string): PackageDelta | null {
    if (!this.#source.has(baseline) || !this.#source.has(merged)) return null;
    if (this.#facts(baseline) === undefined || this.#facts(merged) === undefined) return null;
    return this.#caches.deltas.get(`${baseline}:${merged}`, () => {
      const [from, to] = [this.#inventory(baseline), this.#inventory(merged)];
      if (from.state !== 'ok' || to.state !== 'ok') throw new TypeError('both inventories were parsed before');
      const value = deltaInventories(from.value, to.value);
      return { value, weight: SMALL * (1 + value.added.length + value.changed.length + value.removed.length) };
    });
  }

  #compare(sbom: SbomReference, baseline: string): ContainerEvidence['sboms'][number][] {
    if (!this.#source.has(baseline) || this.#facts(baseline) === undefined) return [];
    const comparison = this.#caches.comparisons.get(`${sbom.digest}:${baseline}`, () => {
      const value = comparePrepared(this.#prepareSbom(sbom), this.#prepareBaseline(baseline));
      const rows = value.decided ? value.unexpected.length + value.missing.length + value.explained.length : 0;
      return { value, weight: SMALL * (1 + rows) };
    });
    return [{ digest: sbom.digest, keyId: sbom.keyId, comparison }];
  }

  #prepareSbom({ digest, sbom }: SbomReference): PreparedPackages {
    return this.#caches.sboms.get(digest, () => {
      return { value: preparePackages({ packages: sbom.packages }), weight: SMALL * (1 + sbom.packages.length) };
    });
  }

  #prepareBaseline(digest: string): PreparedPackages {
    return this.#caches.baselines.get(digest, () => {
      const inventory = this.#inventory(digest);
      if (inventory.state !== 'ok') throw new TypeError('the inventory was parsed before');
      const value = preparePackages(listInventory(inventory.value));
      return { value, weight: SMALL * (1 + inventory.value.packages.length) };
    });
  }

  #facts(digest: string): InventoryFacts | undefined {
    const facts = this.#resolveFacts(digest, 0);
    return facts.state === 'ok' ? facts.value : undefined;
  }

  #inventory(digest: string): Resolved<Inventory> {
    return this.#caches.inventories.get(digest, () => this.#parse(digest, parseInventory));
  }

  #isThere(digest: string, bytes: number, isBootLog = false): boolean {
    const isNew = !this.referenced.has(digest);
    this.referenced.add(digest);
    const isThere = this.#source.has(digest);
    if (!isThere && isNew) this.missing.push({ digest, bytes, ...(isBootLog ? { isBootLog } : {}) });
    return isThere;
  }

  #parse<T>(digest: string, parse: (bytes: Buffer) => T): { value: Resolved<T>; weight: number } {
    const bytes = this.#source.read(digest);
    if (bytes === undefined) throw new VerifierError('ERR_VERIFIER_STORE', 'content that was stored is gone');
    const weight = bytes.length * EXPANSION + SMALL;
    try {
      const value: Resolved<T> = { state: 'ok', value: parse(bytes) };
      this.#caches.weights.set(value, weight);
      return { value, weight };
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      return { value: { state: 'malformed', reason: error.message }, weight: SMALL };
    }
  }
}

function nameSboms(sboms: readonly SbomReference[]): string {
  return sboms.map(({ digest }) => digest).join(' ');
}

function narrow<T extends ClaimsSet['type']>(
  set: Resolved<ClaimsSet>,
  type: T,
): Resolved<Extract<ClaimsSet, { type: T }>> {
  return isOfType(set, type) ? set : { state: 'malformed', reason: `not of type ${type}` };
}

function isOfType<T extends ClaimsSet['type']>(
  set: Resolved<ClaimsSet>,
  type: T,
): set is Resolved<Extract<ClaimsSet, { type: T }>> {
  return set.state !== 'ok' || set.value.type === type;
}
