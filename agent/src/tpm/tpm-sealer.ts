import { createHash } from 'node:crypto';
import {
  assembleToken,
  composePcrDigest,
  computeQualifyingData,
  encodeHeader,
  parseAttest,
  parseSignature,
  QUOTE_SELECTIONS,
  type QuoteAttest,
  type TokenQuote,
  toRawSignature,
} from '@holdfast/evidence';
import { AgentError } from '../agent-error.ts';
import { readPcrs } from './pcr-reader.ts';
import type { SealingFacts, TokenSealer } from './token-sealer.ts';
import type { LoadedKeys, TpmKeyRing } from './tpm-key-ring.ts';

const MAX_ATTEMPTS = 3;
/** Why not HMAC: docs/decisions/0004-round-authorization.md. Enrolment keeps HMAC. */
const ROUND_AUTHORIZATION = 'password';

export interface TpmSealerDeps {
  keys: TpmKeyRing;
  /** PCRs that a log explains: their values are never the agent's to tell. */
  listLoggedPcrs(): ReadonlySet<number>;
}

/**
 * Seals with the TPM (design §4.2): two quotes over the payload, their header, a signature by the TPM-resident key: three
 * commands a token, and PCR values are read only when those that were known no longer explain a quote.
 */
export function createTpmSealer(deps: TpmSealerDeps): TokenSealer {
  const values = new Map<number, Buffer>();
  return {
    readFacts: () => deps.keys.use((keys) => Promise.resolve(toFacts(keys, deps.keys))),
    seal: (makePayload) =>
      deps.keys.use(async (keys) => {
        const payload = makePayload(toFacts(keys, deps.keys));
        const tpm = await quotePair(keys, payload, deps.listLoggedPcrs(), values);
        return await signToken(keys, encodeHeader({ kid: keys.identity.kid, tpm }), payload);
      }),
  };
}

function toFacts({ identity, resetCount }: LoadedKeys, { retiredKid }: TpmKeyRing): SealingFacts {
  const { kid, jwk, ueid, ekName } = identity;
  const owner = ekName.toString('hex');
  const retired = retiredKid === undefined ? {} : { retiredKid };
  return { kid, ...retired, jwk, ueid, bootCount: resetCount, owner, keys: identity };
}

async function quotePair(
  keys: LoadedKeys,
  payload: string,
  logged: ReadonlySet<number>,
  values: Map<number, Buffer>,
): Promise<[TokenQuote, TokenQuote]> {
  const [boot, ima] = QUOTE_SELECTIONS;
  const request = { keys, qualifyingData: computeQualifyingData(payload), logged, values };
  return [await quoteOnce(request, boot), await quoteOnce(request, ima)];
}

interface QuoteRequest {
  keys: LoadedKeys;
  qualifyingData: Buffer;
  logged: ReadonlySet<number>;
  /** PCR values as last read; made current here. */
  values: Map<number, Buffer>;
}

async function quoteOnce(request: QuoteRequest, selection: Buffer): Promise<TokenQuote> {
  const { keys, qualifyingData, logged, values } = request;
  const authorization = { authValue: keys.akAuth, authorization: ROUND_AUTHORIZATION } as const;
  const options = { key: keys.ak, ...authorization, qualifyingData, selection };
  for (let attempt = 1; ; attempt += 1) {
    const { attest, signature } = await keys.device.quote(options);
    const parsed = parseAttest(attest);
    if (parsed.type !== 'quote') throw new AgentError('ERR_AGENT_TPM', 'the TPM gave no quote');
    const told = parsed.selection.flatMap(({ pcrs }) => pcrs).filter((pcr) => !logged.has(pcr));
    // What is told must explain the quote: a PCR may move between reading and quoting.
    const isExplained = told.length === 0 || (await explainDigest(keys, parsed, values));
    if (isExplained || attempt === MAX_ATTEMPTS) {
      return {
        ak: keys.identity.akName.toString('base64url'),
        attest: attest.toString('base64url'),
        sig: signature.toString('base64url'),
        pcrs: tellPcrs(told, values),
      };
    }
  }
}

async function explainDigest(keys: LoadedKeys, quote: QuoteAttest, values: Map<number, Buffer>): Promise<boolean> {
  const { selection: banks, pcrDigest: digest } = quote;
  const pcrs = banks.flatMap((bank) => bank.pcrs);
  const isKnown = pcrs.every((pcr) => values.has(pcr));
  if (isKnown && composePcrDigest(banks, { sha256: values }).equals(digest)) return true;
  for (const [pcr, value] of await readPcrs(keys.device, pcrs)) values.set(pcr, value);
  return composePcrDigest(banks, { sha256: values }).equals(digest);
}

/** A PCR that no log explains and that is not told is zero: fifteen of them would be a third of the token. */
function tellPcrs(pcrs: readonly number[], values: ReadonlyMap<number, Buffer>): TokenQuote['pcrs'] {
  const entries = pcrs.flatMap((pcr) => {
    const value = values.get(pcr);
    return value?.some((byte) => byte !== 0) ? [[String(pcr), value.toString('hex')]] : [];
  });
  return entries.length === 0 ? {} : { sha256: Object.fromEntries(entries) };
}

async function signToken(keys: LoadedKeys, header: string, payload: string): Promise<string> {
  const digest = createHash('sha256').update(`${header}.${payload}`).digest();
  const authorization = { authValue: keys.signingAuth, authorization: ROUND_AUTHORIZATION } as const;
  const { signature } = await keys.device.sign({ key: keys.signing, ...authorization, digest });
  return assembleToken({ header, payload, signature: toRawSignature(parseSignature(signature)) });
}
