import type { MessageInitShape } from '@bufbuild/protobuf';
import type { AttesterMessageSchema, Challenge, VerifierMessage } from '@holdfast/proto';
import { RoundOutcome } from '@holdfast/proto';
import { type ClaimsContent, createClaimsContent } from '../../../test/support/claims-fixture.ts';
import {
  createBareEvidence,
  createFullEvidence,
  type MadeRound,
  SoftwareAttester,
} from '../../../test/support/software-attester.ts';
import { SoftwareTpm } from '../../../test/support/software-tpm.ts';
import { listRawChecks, type RawCheck } from './token-verification.ts';
import type { BenchNode } from './verifier-core.ts';

type AttesterStep = MessageInitShape<typeof AttesterMessageSchema>['message'];
type VerifierStep = VerifierMessage['message'];

/** The way to a verifier, in process or through TLS. */
export interface Exchange {
  readonly peerSpki: string;
  exchange(message: AttesterStep): Promise<VerifierStep>;
}

/** Rounds that are ready to be sent, and the raw checks of their signatures. */
export interface PreparedRounds {
  readonly messages: readonly AttesterStep[];
  readonly checks: readonly RawCheck[];
}

/** What a round carries: nothing but its token, or a container that changed so that a new result is made. */
export type RoundKind = 'unchanged' | 'changed';

const CONTAINERS = 10;

export function createBenchNodes(count: number, prefix = 'bench'): BenchNode[] {
  return Array.from({ length: count }, (_, at) => ({ label: `${prefix}-${at}`, tpm: new SoftwareTpm() }));
}

/** One kube node with ten containers that talks to a verifier. Signing happens before what is measured. */
export class RoundSupply {
  readonly #node: BenchNode;
  readonly #way: Exchange;
  readonly #attester: SoftwareAttester;
  #nonce = '';
  #changes = 0;

  constructor(node: BenchNode, way: Exchange) {
    this.#node = node;
    this.#way = way;
    this.#attester = new SoftwareAttester(node.tpm, node.label, way.peerSpki);
  }

  /** Says hello and sends the first round with all that it names. */
  async open(): Promise<void> {
    const { label, tpm } = this.#node;
    const value = { kubeNode: label, ueid: tpm.ueid, agentVersion: '0.1.0' };
    const answer = await this.#way.exchange({ case: 'hello', value });
    if (answer.case !== 'challenge') throw new Error(`no challenge but ${answer.case}`);
    this.#takeNonce(answer.value);
    await this.send({ case: 'evidence', value: createFullEvidence(this.#make(this.#content())) });
  }

  /** Makes the next rounds of the chain. All answer the nonce that is held, which is good for a minute. */
  prepare(count: number, kind: RoundKind): PreparedRounds {
    const messages: AttesterStep[] = [];
    const checks: RawCheck[] = [];
    for (let at = 0; at < count; at += 1) {
      if (kind === 'changed') this.#changes += 1;
      const round = this.#make(this.#content());
      const value = kind === 'changed' ? createFullEvidence(round) : createBareEvidence(round.token);
      messages.push({ case: 'evidence', value });
      checks.push(...listRawChecks(round.token, this.#node.tpm));
    }
    return { messages, checks };
  }

  /** Sends one round; throws where it is not appraised. */
  async send(message: AttesterStep): Promise<void> {
    const answer = await this.#way.exchange(message);
    if (answer.case !== 'receipt') throw new Error(`no receipt but ${answer.case}`);
    const { outcome, code, detail, next } = answer.value;
    if (outcome !== RoundOutcome.APPRAISED || detail !== '') throw new Error(`refused: ${code} ${detail}`);
    this.#takeNonce(next);
  }

  #takeNonce(challenge: Challenge | undefined): void {
    if (challenge !== undefined) this.#nonce = challenge.nonce;
  }

  #make(content: ClaimsContent): MadeRound {
    const round = this.#attester.makeRound(this.#nonce, content);
    this.#attester.advance(round);
    return round;
  }

  #content(): ClaimsContent {
    const { label } = this.#node;
    const ids = Array.from({ length: CONTAINERS }, (_, at) => `${label}-container-${at}`);
    // A name is part of the result, so that another one makes a new result.
    const names = ids.map((id, at) => (at === 0 ? { id, name: `name-${this.#changes}` } : { id }));
    return createClaimsContent(label, names);
  }
}
