import {
  decodeBase64url,
  EvidenceError,
  parseAttest,
  parseBundle,
  parseToken,
  type TokenQuote,
  type UnverifiedToken,
} from '@holdfast/evidence';
import { EXIT, undecided } from '../cli-error.ts';
import type { Command } from '../command.ts';
import { readInputFile } from '../input-file.ts';
import { printable, type Terminal } from '../terminal.ts';

const MAX_BYTES = 64 << 20;

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
    claimsSets: Object.fromEntries([...sets].map(([name, bytes]) => [name, parseSet(bytes)])),
  };
}

function viewQuote(quote: TokenQuote): object {
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
}

function parseSet(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return null;
  }
}

export function formatToken(token: UnverifiedToken, terminal: Terminal): string {
  const { claims, header } = token;
  const { holdfast } = claims;
  return [
    terminal.paint('yellow', 'UNVERIFIED: this is what the token says, not what is true (holdfast verify)'),
    `evidence id  ${token.evidenceId}`,
    `kube node    ${printable(holdfast.kubeNode)}`,
    `ueid         ${claims.ueid}`,
    `kid          ${header.kid}`,
    `issued       ${new Date(claims.iat * 1000).toISOString()} by the node's clock`,
    `chain        ${holdfast.chain} seq ${holdfast.seq ?? 'none (snapshot)'}`,
    `software     ${printable(claims.swname)} ${printable(claims.swversion[0])}`,
    `quotes       ${header.tpm?.length ?? 0}`,
    `claims-sets  ${Object.keys(claims.submods).join(', ')}`,
  ].join('\n');
}
