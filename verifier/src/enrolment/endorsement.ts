import { parsePublic, publicToKeyObject } from '@holdfast/evidence';
import type { Endorsement } from '../appraisal/appraisal-input.ts';
import type { EnrolledNode } from '../store/enrolment-store.ts';
import type { Trust } from '../trust/trust.ts';
import { VerifierError } from '../verifier-error.ts';
import type { AdmittedEk } from './admit-ek.ts';
import { type EkChain, verifyEkChain } from './verify-ek-chain.ts';

/** What there is to judge: Name (hex), TPMT_PUBLIC and certificates of an EK. */
export type EndorsedEk = Pick<EnrolledNode, 'ekName' | 'ekPublic'> & { readonly ekCertificates: readonly Uint8Array[] };

/** Says who vouches for the EK of an enrolled kube node, by the trust file and the clock as they are now. */
export type JudgeEndorsement = (node: EnrolledNode) => Endorsement;

interface Remembered {
  readonly trust: Trust;
  readonly untilMs: number;
  readonly chain: EkChain | undefined;
}

/** How long a chain that does not hold is believed not to: it may be one that is not valid yet. */
const RETRY_MS = 60_000;

/**
 * Creates the judge of endorsements, which each round and each appraisal asks: the EK is no longer pinned, or is pinned
 * only together with a chain that does not hold; the trust file has expired; a chain of EK certificates holds to a root;
 * the pin alone. Chains are verified once for each trust file, and again when a certificate in one ends.
 */
export function createEndorsementJudge(deps: { trust: () => Trust; now: () => number }): JudgeEndorsement {
  const memory = new WeakMap<EnrolledNode, Remembered>();
  const findChain = (node: EnrolledNode, trust: Trust, nowMs: number): EkChain | undefined => {
    const known = memory.get(node);
    if (known?.trust === trust && nowMs <= known.untilMs) return known.chain;
    const chain = tryChain(node, trust, nowMs);
    memory.set(node, { trust, chain, untilMs: chain?.notAfterMs ?? nowMs + RETRY_MS });
    return chain;
  };
  return (node) => {
    const [trust, nowMs] = [deps.trust(), deps.now()];
    return judge(node.ekName, trust, nowMs, () => findChain(node, trust, nowMs) !== undefined);
  };
}

/** As a judge says it, of an EK that is nowhere enrolled; nothing is remembered. */
export function judgeEndorsement(ek: EndorsedEk, trust: Trust, nowMs: number): Endorsement {
  return judge(ek.ekName, trust, nowMs, () => tryChain(ek, trust, nowMs) !== undefined);
}

function judge(ekName: string, trust: Trust, nowMs: number, hasChain: () => boolean): Endorsement {
  const pin = findPin(trust, ekName);
  if (pin === undefined) return 'withdrawn';
  const isChained = pin.endorsement !== 'pin' && hasChain();
  if (pin.endorsement === 'chain' && !isChained) return 'withdrawn';
  if (nowMs >= trust.expiresMs) return 'expired';
  return isChained ? 'chain' : 'pinned';
}

/** By trust file, of which each round asks more than once. */
const pinsOf = new WeakMap<Trust, ReadonlyMap<string, Trust['eks'][number]>>();

function findPin(trust: Trust, ekName: string): Trust['eks'][number] | undefined {
  // The first row of a name counts, as it does for whoever reads the file.
  const pins = pinsOf.get(trust) ?? new Map(trust.eks.map((row) => [row.ekName, row] as const).toReversed());
  pinsOf.set(trust, pins);
  return pins.get(ekName);
}

function tryChain({ ekPublic, ekCertificates }: EndorsedEk, trust: Trust, nowMs: number): EkChain | undefined {
  if (ekCertificates.length === 0 || trust.ekRoots.length === 0) return undefined;
  try {
    return verifyChain(ekCertificates, publicToKeyObject(parsePublic(ekPublic)), trust, nowMs);
  } catch (error) {
    if (error instanceof VerifierError) return undefined;
    throw error;
  }
}

/**
 * Checks the EK certificates of an enrolment as its pin asks (see `EkPin`); where there are no roots, or none is sent
 * and none is asked for, the pin counts alone. Throws `VerifierError` as `verifyEkChain` does.
 */
export function checkEkCertificates(
  ek: Pick<AdmittedEk, 'ekPublic' | 'pin'>,
  certificates: readonly Uint8Array[],
  trust: Trust,
  nowMs: number,
): void {
  const { endorsement } = ek.pin;
  if (endorsement === 'pin' || trust.ekRoots.length === 0) return;
  if (endorsement !== 'chain' && certificates.length === 0) return;
  verifyChain(certificates, publicToKeyObject(ek.ekPublic), trust, nowMs);
}

function verifyChain(
  certificates: readonly Uint8Array[],
  ekKey: ReturnType<typeof publicToKeyObject>,
  trust: Trust,
  nowMs: number,
): EkChain {
  return verifyEkChain({ certificates, ekKey, roots: trust.ekRoots, intermediates: trust.ekIntermediates, nowMs });
}
