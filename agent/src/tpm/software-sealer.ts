import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { assembleToken, computeKid, computeUeidWithoutTpm, encodeHeader, exportSigningJwk } from '@holdfast/evidence';
import { AgentError } from '../agent-error.ts';
import type { StateDirectory } from '../state/state-directory.ts';
import type { SealingFacts, TokenSealer } from './token-sealer.ts';
import { hasTpmKeys } from './tpm-key-ring.ts';

const FILE = 'software-key.pem';
const MAX_FILE_BYTES = 4_096;

/**
 * Seals with a key in a file and without quotes, for `tpm: none`. Such tokens have no `tpm` header and no `bootcount`: they
 * prove nothing of the machine, and whoever copies the file is this agent.
 *
 * Throws `AgentError` ERR_AGENT_CONFIG where the state directory belongs to an agent with a TPM: an identity that had one
 * never speaks without it. ERR_AGENT_KEYS when the key file is damaged.
 */
export async function createSoftwareSealer(state: StateDirectory): Promise<TokenSealer> {
  if (await hasTpmKeys(state)) {
    throw new AgentError(
      'ERR_AGENT_CONFIG',
      'the state directory belongs to an agent with a TPM: use another one for tpm "none"',
    );
  }
  const key = await loadKey(state);
  const jwk = exportSigningJwk(createPublicKey(key));
  const kid = computeKid(jwk);
  const facts: SealingFacts = { kid, jwk, ueid: computeUeidWithoutTpm(kid), owner: kid };
  return {
    readFacts: () => Promise.resolve(facts),
    seal: (makePayload) => {
      const payload = makePayload(facts);
      const header = encodeHeader({ kid });
      const signature = sign('sha256', Buffer.from(`${header}.${payload}`), { key, dsaEncoding: 'ieee-p1363' });
      return Promise.resolve(assembleToken({ header, payload, signature }));
    },
  };
}

async function loadKey(state: StateDirectory): Promise<KeyObject> {
  const pem = await state.read(FILE, MAX_FILE_BYTES);
  if (pem !== undefined) return parseKey(pem);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await state.replace(FILE, Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })));
  return privateKey;
}

function parseKey(pem: Buffer): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new AgentError('ERR_AGENT_KEYS', 'the software key file is damaged: move it away', { cause });
  }
}
