import { create } from '@bufbuild/protobuf';
import { type AttesterMessage, type Blob, type VerifierMessage, VerifierMessageSchema } from '@holdfast/proto';
import type { MessagePort } from '../server/message-port.ts';
import { VerifierError } from '../verifier-error.ts';
import type { AskForContent } from './accept-round.ts';
import type { MissingContent } from './resolve-evidence.ts';

const SUPPLY_TIMEOUT_MS = 30_000;
/** Digests in one Need, and Needs for one answer of the resolver: bounds for both sides. */
const MAX_DIGESTS = 1024;

/**
 * Asks the Attester in portions whose answers fit into one message, as far as the claims tell sizes. Throws
 * `VerifierError` ERR_VERIFIER_DEADLINE when no answer comes in 30 s, ERR_VERIFIER_ORDER when something else does.
 */
export function askForContent(
  port: MessagePort<AttesterMessage, VerifierMessage>,
  maxMessageBytes: number,
): AskForContent {
  return async (evidenceId, missing) => {
    const blobs: Blob[] = [];
    for (const portion of splitMissing(missing, maxMessageBytes / 2)) {
      blobs.push(...(await askOnce(port, evidenceId, portion)));
    }
    return blobs;
  };
}

function splitMissing(missing: readonly MissingContent[], maxBytes: number): MissingContent[][] {
  const portions: MissingContent[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const item of missing) {
    const last = portions.at(-1);
    if (last === undefined || bytes + item.bytes > maxBytes || last.length >= MAX_DIGESTS) {
      portions.push([item]);
      bytes = item.bytes;
    } else {
      last.push(item);
      bytes += item.bytes;
    }
  }
  return portions;
}

async function askOnce(
  port: MessagePort<AttesterMessage, VerifierMessage>,
  evidenceId: string,
  portion: readonly MissingContent[],
): Promise<Blob[]> {
  const id = Buffer.from(evidenceId, 'hex');
  const value = { evidenceId: id, digests: portion.map(({ digest }) => Buffer.from(digest, 'hex')), logs: [] };
  await port.send(create(VerifierMessageSchema, { message: { case: 'need', value } }));
  const answer = await port.receive(SUPPLY_TIMEOUT_MS);
  if (answer === 'timeout') throw new VerifierError('ERR_VERIFIER_DEADLINE', 'what was asked for did not come in time');
  if (answer?.message.case !== 'supply' || !id.equals(answer.message.value.evidenceId)) {
    throw new VerifierError('ERR_VERIFIER_SUPPLY', 'an answer to what was asked for was expected here');
  }
  return answer.message.value.blobs;
}
