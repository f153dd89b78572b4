import {
  decodeBase64url,
  EvidenceError,
  parseAttest,
  parseBundle,
  parseStrictJson,
  parseToken,
  type TokenQuote,
  type UnverifiedToken,
} from '@holdfast/evidence';
import { EXIT, undecided } from '../cli-error.ts';
import type { Command } from '../command.ts';
import { formatTime } from '../format-time.ts';
import { readInputFile } from '../input-file.ts';
import { printable, type Terminal } from '../terminal.ts';

const MAX_BYTES = 64 << 20;
/** As deep as a claims-set is, and more. */
const SET_LIMITS = { maxBytes: MAX_BYTES, maxDepth: 32, maxKeys: 1_000_000 };

export const inspectToken: Command = {
  name: 'inspect token',
  summary: 'what an evidence token or bundle says, unverified',
  positionals: 'FILE',
  arity: [1, 1],
  options: {},
  run: async ({ positionals, terminal }) => {
    const path = positionals[0] ?? '';
    const bytes = await readInputFile(path, MAX_BYTES);
    const { token, sets } = parseFile(path, bytes);
    const view = viewToken(token, sets);
    terminal.printJson(view);
    terminal.print(formatToken(token, terminal));
    return EXIT.good;
  },
};

function parseFile(path: string, bytes: Buffer): { token: UnverifiedToken; sets: ReadonlyMap<string, Uint8Array> } {
  try {
    if (bytes.toString('latin1', 0, 64).trimStart().startsWith('[')) return parseBundle(bytes);
    return { token: parseToken(bytes.toString('latin1').trim()), sets: new Map() };
  } catch (error) {
    if (error instanceof EvidenceError) throw undecided(`${path} is no evidence token: ${error.message}`, error);
    throw error;
  }
}

/** Everything that stands in a token, decoded. The caller says that it is unverified. */
export function viewToken(token: UnverifiedToken, sets: ReadonlyMap<string, Uint8Array>): object {
  return {
    verified: false,
    evidenceId: token.evidenceId,
    header: token.header,
    claims: token.claims,
    quotes: (token.header.tpm ?? []).map(viewQuote),
    claimsSets: Object.fromEntries([...sets].map(([name, bytes]) => [name, viewSet(bytes)])),
  };
}

function viewQuote(quote: TokenQuote) {
  return readOrExplain(() => {
    const attest = parseAttest(decodeBase64url(quote.attest));
    const { clockInfo, firmwareVersion, qualifiedSigner, extraData } = attest;
    return {
      type: attest.type,
      qualifiedSigner: qualifiedSigner.toString('hex'),
      extraData: extraData.toString('hex'),
      clockInfo: { ...clockInfo, clock: String(clockInfo.clock) },
      firmwareVersion: firmwareVersion.toString(16).padStart(16, '0'),
      ...(attest.type === 'quote' ? { selection: attest.selection, pcrDigest: attest.pcrDigest.toString('hex') } : {}),
    };
  });
}

/** The digest in the token says whose bytes they are, not that they can be read. */
function viewSet(bytes: Uint8Array): unknown {
  return readOrExplain(() => parseStrictJson(bytes, SET_LIMITS));
}

/** What cannot be read is shown as that, so that the rest can be. */
function readOrExplain<T>(read: () => T): T | { malformed: string } {
  try {
    return read();
  } catch (error) {
    if (error instanceof EvidenceError) return { malformed: error.message };
    throw error;
  }
}

export function formatToken(token: UnverifiedToken, terminal: Terminal): string {
  const { claims, header } = token;
  const { holdfast } = claims;
  const quotes = (header.tpm ?? []).map(viewQuote);
  const unread = quotes.flatMap((quote, at) => ('malformed' in quote ? [`${at + 1}: ${quote.malformed}`] : []));
  return [
    terminal.paint('yellow', 'UNVERIFIED: this is what the token says, not what is true (holdfast verify)'),
    `evidence id  ${token.evidenceId}`,
    `kube node    ${printable(holdfast.kubeNode)}`,
    `ueid         ${claims.ueid}`,
    `kid          ${header.kid}`,
    `issued       ${formatTime(claims.iat * 1000)} by the node's clock`,
    `chain        ${holdfast.chain} seq ${holdfast.seq ?? 'none (snapshot)'}`,
    `software     ${printable(claims.swname)} ${printable(claims.swversion[0])}`,
    `quotes       ${quotes.length}`,
    ...unread.map((reason) => terminal.paint('red', `malformed    quote ${reason}`)),
    `claims-sets  ${Object.keys(claims.submods).join(', ')}`,
  ].join('\n');
}
