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
  const known: KnownPcrs = { values: new Map(), explained: new Map() };
  return {
    readFacts: () => deps.keys.use((keys) => Promise.resolve(toFacts(keys, deps.keys))),
    seal: (makePayload) =>
      deps.keys.use(async (keys) => {
        const payload = makePayload(toFacts(keys, deps.keys));
        const tpm = await quotePair(keys, payload, deps.listLoggedPcrs(), known);
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
  known: KnownPcrs,
): Promise<[TokenQuote, TokenQuote]> {
  const [boot, ima] = QUOTE_SELECTIONS;
  const request = { keys, qualifyingData: computeQualifyingData(payload), logged, known };
  const [first, second] = await keys.device.quoteEach({ ...authorize(request), selections: [boot, ima] });
  return [await explain(request, boot, first), await explain(request, ima, second)];
}

interface QuoteRequest {
  keys: LoadedKeys;
  qualifyingData: Buffer;
  logged: ReadonlySet<number>;
  /** Made current here. */
  known: KnownPcrs;
}

/** PCR values as last read, and the digest (of the quote's hash) that they give for a selection. */
interface KnownPcrs {
  readonly values: Map<number, Buffer>;
  readonly explained: Map<Buffer, Buffer>;
}

function authorize({ keys, qualifyingData }: QuoteRequest) {
  return { key: keys.ak, authValue: keys.akAuth, authorization: ROUND_AUTHORIZATION, qualifyingData } as const;
}

/** Quotes anew, a few times, where a PCR moved between reading and quoting. */
async function explain(
  request: QuoteRequest,
  selection: Buffer,
  first: { attest: Buffer; signature: Buffer } | undefined,
): Promise<TokenQuote> {
  const { keys, logged, known } = request;
  let quote = first;
  for (let attempt = 1; ; attempt += 1) {
    const { attest, signature } = quote ?? (await keys.device.quote({ ...authorize(request), selection }));
    quote = undefined;
    const parsed = parseAttest(attest);
    if (parsed.type !== 'quote') throw new AgentError('ERR_AGENT_TPM', 'the TPM gave no quote');
    const told = parsed.selection.flatMap(({ pcrs }) => pcrs).filter((pcr) => !logged.has(pcr));
    // What is told must explain the quote.
    const isExplained = told.length === 0 || (await explainDigest(keys, parsed, selection, known));
    if (isExplained || attempt === MAX_ATTEMPTS) {
      return {
        ak: keys.identity.akName.toString('base64url'),
        attest: attest.toString('base64url'),
        sig: signature.toString('base64url'),
        pcrs: tellPcrs(told, known.values),
      };
    }
  }
}

async function explainDigest(
  keys: LoadedKeys,
  { selection: banks, pcrDigest: digest }: QuoteAttest,
  selection: Buffer,
  { values, explained }: KnownPcrs,
): Promise<boolean> {
  if (explained.get(selection)?.equals(digest) === true) return true;
  const pcrs = banks.flatMap((bank) => bank.pcrs);
  for (const [pcr, value] of await readPcrs(keys.device, pcrs)) {
    if (values.get(pcr)?.equals(value) === false) explained.clear();
    values.set(pcr, value);
  }
  const read = composePcrDigest(banks, { sha256: values });
  explained.set(selection, read);
  return read.equals(digest);
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
