import type {
  BootClaims,
  ContainerClaims,
  ContainersClaims,
  Drift,
  HoldfastClaims,
  HostClaims,
  ImaClaims,
  KernelClaims,
  TokenClaims,
} from '@holdfast/evidence';
import type { ApplicableBoot } from '../boot/appraise-boot-reference.ts';
import type { BootConclusion } from '../boot/boot-conclusion.ts';
import type { PackageComparison, UndecidedComparison } from '../conformity/comparison.ts';
import type { ImaConclusion } from '../ima/ima-conclusion.ts';
import type { ImaFileFacts } from '../ima/ima-file-facts.ts';
import type { JudgeKernel } from '../kernel/kernel-baseline.ts';
import type { PackageDelta } from './delta-inventories.ts';
import type { FindingCode } from './finding-code.ts';

/** Content that the evidence names by digest: there, not to be had, or refused by its parser. */
export type Resolved<T> =
  | { readonly state: 'ok'; readonly value: T }
  | { readonly state: 'missing' }
  | { readonly state: 'malformed'; readonly reason: string };

/** What the verified quotes say. */
export interface QuoteFacts {
  readonly resetCount: number;
  readonly restartCount: number;
  /** False when the TPM's clock may have gone back. */
  readonly safe: boolean;
  /** Whether the second quote covers a PCR 10 that was never extended. */
  readonly imaPcrIsZero: boolean;
}

/** What an inventory says beyond its packages, which are compared beforehand. */
export interface InventoryFacts {
  readonly complete: boolean;
  readonly limits: readonly string[];
  readonly packages: number;
  readonly databases: number;
}

/** A signed SBOM about the container's manifest, and how it compares with the lower layers. */
export interface SbomComparison {
  /** `sha256:…` of the envelope. */
  readonly digest: string;
  readonly keyId: string;
  readonly comparison: PackageComparison | UndecidedComparison;
}

/** All that the evidence says of one container. Documents are null where the claims name none. */
export interface ContainerEvidence {
  readonly claims: Resolved<ContainerClaims>;
  readonly inventory: Resolved<InventoryFacts> | null;
  readonly baseline: Resolved<InventoryFacts> | null;
  readonly drift: Resolved<Drift> | null;
  /** Baseline against merged view; null unless both are there. */
  readonly packageDelta: PackageDelta | null;
  /** Newest first; empty where there is no valid SBOM about the manifest, or nothing to compare it with. */
  readonly sboms: readonly SbomComparison[];
  /** Whether there is any valid SBOM about the manifest. */
  readonly hasSbom: boolean;
}

/** The claims of a token that an outcome depends on; others differ from round to round. */
export interface AppraisedClaims extends Pick<TokenClaims, 'iat'> {
  readonly holdfast: Pick<HoldfastClaims, 'agent' | 'pending' | 'lost'>;
}

/** All of verified evidence that an appraisal may look at. Whatever is added here must be compared in `isSameEvidence`. */
export interface AppraisedEvidence {
  /** Label under which the kube node is enrolled. */
  readonly kubeNode: string;
  readonly claims: AppraisedClaims;
  /** Null for a kube node that was enrolled without a TPM. */
  readonly quotes: QuoteFacts | null;
  /** When it came in, milliseconds since 1970 by the verifier's clock. */
  readonly receivedAtMs: number;
  /** Incidents that no operator acknowledged yet, and what the chain says of this round. */
  readonly chainFindings: readonly FindingCode[];
  readonly host: Resolved<HostClaims>;
  readonly boot: Resolved<BootClaims>;
  readonly ima: Resolved<ImaClaims>;
  readonly kernel: Resolved<KernelClaims>;
  /** Boot event log against quote; null without a TPM. */
  readonly bootLog: BootConclusion | null;
  /** Signed boot references for the kube node that count now, newest first. */
  readonly bootReferences: readonly ApplicableBoot[];
  /** IMA list against quote; null without a TPM. */
  readonly imaLog: ImaConclusion | null;
  /** Files that IMA measured, joined with claims; null where no list holds. */
  readonly imaFiles: ImaFileFacts | null;
  readonly containerIndex: Resolved<ContainersClaims>;
  /** By container id, as the index has them. */
  readonly containers: ReadonlyMap<string, ContainerEvidence>;
}

/** Evidence whose token, quotes, binding, nonce and chain were verified, with its claims-sets. */
export interface VerifiedEvidence extends AppraisedEvidence {
  readonly evidenceId: string;
  readonly claims: TokenClaims;
}

/** What vouches for the EK: pin and maker's certificates, the pin alone, no longer the pin, or an expired trust file. */
export type Endorsement = 'chain' | 'pinned' | 'withdrawn' | 'expired';

/** Parameters of the appraisal. */
export interface AppraisalPolicy {
  /** A container whose oldest unscanned change is older is not decided. */
  readonly maxPendingMs: number;
  /** Whether a kube node without a boot reference is questionable. */
  readonly isBootReferenceRequired?: boolean;
  /** Kube nodes that are machines without a container runtime: names, `prefix/*` or `*`. None unless given. */
  readonly machinesWithoutRuntime?: readonly string[];
  /** Bytes of JSON that a result may take, 4 MiB at the most and unless given: its message takes a little over twice that. */
  readonly maxResultBytes?: number;
  /** Judges the kernel's settings by a baseline. */
  readonly judgeKernel: JudgeKernel;
}
