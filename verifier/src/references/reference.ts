import type { BootReference } from '@holdfast/evidence';
import type { SbomDocument } from '../sbom/sbom.ts';
import type { KeyRefusal, TrustEnvironment } from '../trust/trust.ts';
import type { AgentBuild } from './agent-files.ts';

/** Why a reference was refused: stable, one row each in docs/protocol.md. */
export type ReferenceReason =
  | KeyRefusal
  | 'MALFORMED'
  | 'LIMIT'
  | 'PAYLOAD_TYPE'
  | 'BAD_SIGNATURE'
  | 'PREDICATE_TYPE'
  | 'SBOM_INSUFFICIENT';

/**
 * A subject as signed: matched by digest alone; `name` is what a key's scope is matched against. That of a boot reference
 * names kube nodes, and is matched by name instead.
 */
export interface ReferenceSubject {
  readonly name: string;
  /** Algorithm to lower-case hex. */
  readonly digest: Readonly<Record<string, string>>;
}

/** What a SLSA provenance says of the build; verified for origin only. */
export interface ProvenanceFacts {
  readonly version: 'v1' | 'v0.2';
  readonly builderId: string;
  readonly buildType: string;
  readonly invocationId?: string;
  readonly startedOn?: string;
  readonly finishedOn?: string;
  readonly externalParameters: Readonly<Record<string, unknown>>;
  readonly resolvedDependencies: readonly {
    readonly uri?: string;
    readonly digest: Readonly<Record<string, string>>;
  }[];
}

declare const verifiedReference: unique symbol;

interface ReferenceBase {
  readonly [verifiedReference]: true;
  /** `sha256:…` of the envelope file as it was given. */
  readonly digest: string;
  /** `sha256:…` of the signed statement: equal for two envelopes about the same thing. */
  readonly statementDigest: string;
  readonly container: 'dsse' | 'sigstore-bundle';
  /** `v0.1` is accepted from older tools and is to be reported. */
  readonly statementVersion: 'v1' | 'v0.1';
  readonly predicateType: string;
  readonly subjects: readonly ReferenceSubject[];
  readonly keyId: string;
}

/**
 * A statement whose signature, key and form were verified by `verifyReference`; nothing else can make one.
 * It does not say that the statement is about a given image: ask `findSubject`.
 */
export type VerifiedReference =
  | (ReferenceBase & { readonly kind: 'sbom'; readonly sbom: SbomDocument })
  | (ReferenceBase & { readonly kind: 'provenance'; readonly provenance: ProvenanceFacts })
  | (ReferenceBase & { readonly kind: 'boot'; readonly boot: BootReference })
  | (ReferenceBase & { readonly kind: 'agent'; readonly agent: AgentBuild });

/** Under what circumstances a reference is judged. */
export interface ReferenceContext {
  readonly environment: TrustEnvironment;
  /** Milliseconds since 1970. */
  readonly now: number;
}
