import { create } from '@bufbuild/protobuf';
import {
  type AttesterMessage,
  type Blob,
  LogKind,
  type Supply,
  type VerifierMessage,
  VerifierMessageSchema,
} from '@holdfast/proto';
import type { ImaSegment } from '../ima/ima-progress.ts';
import type { MessagePort } from '../server/message-port.ts';
import { VerifierError } from '../verifier-error.ts';
import { splitLogs } from './parse-round.ts';
import type { MissingContent } from './resolve-evidence.ts';

/** Asks the Attester for what a round lacks; what it does not give is not to be had. */
export interface Ask {
  content(evidenceId: string, missing: readonly MissingContent[]): Promise<readonly Pick<Blob, 'content'>[]>;
  /** Entries of the IMA list from this index on. */
  imaSegment(evidenceId: string, offset: number): Promise<ImaSegment | undefined>;
  /** What the operating system measured after the boot. */
  userspaceLog(evidenceId: string): Promise<Buffer | undefined>;
}

type Port = MessagePort<AttesterMessage, VerifierMessage>;

export interface AskDeps {
  /** Largest message that the Attester may send. */
  readonly maxMessageBytes: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const SUPPLY_TIMEOUT_MS = 30_000;
/** Claims may name as many contents as they like, so that the time for each answer alone bounds nothing. */
const ROUND_TIMEOUT_MS = 120_000;
/** Digests in one Need, and Needs for one answer of the resolver: bounds for both sides. */
const MAX_DIGESTS = 1024;

/**
 * Asks the Attester, for one round, in portions whose answers fit into one message, as far as the claims tell sizes. Throws
 * `VerifierError` ERR_VERIFIER_DEADLINE when an answer does not come in 30 s, or all of them together in 120 s;
 * ERR_VERIFIER_SUPPLY when something else does.
 */
export function createAsk(port: Port, { maxMessageBytes, now }: AskDeps): Ask {
  const deadlineMs = now() + ROUND_TIMEOUT_MS;
  const askOnce = async (evidenceId: string, needs: Needs): Promise<Supply> =>
    await exchange(port, evidenceId, needs, () => Math.min(SUPPLY_TIMEOUT_MS, deadlineMs - now()));
  return {
    content: async (evidenceId, missing) => {
      const blobs: Pick<Blob, 'content'>[] = [];
      for (const portion of splitMissing(missing, maxMessageBytes / 2)) {
        const supply = await askOnce(evidenceId, listNeeds(portion));
        blobs.push(...supply.blobs, ...splitLogs(supply.logs).bootLogs);
      }
      return blobs;
    },
    imaSegment: async (evidenceId, offset) => {
      const logs = [{ kind: LogKind.IMA, offset: BigInt(offset) }];
      return splitLogs((await askOnce(evidenceId, { digests: [], logs })).logs).imaSegments[0];
    },
    userspaceLog: async (evidenceId) => {
      const logs = [{ kind: LogKind.USERSPACE, offset: 0n }];
      return splitLogs((await askOnce(evidenceId, { digests: [], logs })).logs).userspaceLog;
    },
  };
}

interface Needs {
  readonly digests: Buffer[];
  readonly logs: { kind: LogKind; offset: bigint }[];
}

function listNeeds(portion: readonly MissingContent[]): Needs {
  const logs = portion.filter(({ isBootLog }) => isBootLog === true);
  return {
    digests: portion.filter((item) => !logs.includes(item)).map(({ digest }) => Buffer.from(digest, 'hex')),
    logs: logs.map(() => ({ kind: LogKind.BOOT, offset: 0n })),
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

async function exchange(port: Port, evidenceId: string, needs: Needs, leftMs: () => number): Promise<Supply> {
  const id = Buffer.from(evidenceId, 'hex');
  const value = { evidenceId: id, ...needs };
  await port.send(create(VerifierMessageSchema, { message: { case: 'need', value } }));
  const timeoutMs = leftMs();
  const answer = timeoutMs > 0 ? await port.receive(timeoutMs) : 'timeout';
  if (answer === 'timeout') throw new VerifierError('ERR_VERIFIER_DEADLINE', 'what was asked for did not come in time');
  if (answer?.message.case !== 'supply' || !id.equals(answer.message.value.evidenceId)) {
    throw new VerifierError('ERR_VERIFIER_SUPPLY', 'an answer to what was asked for was expected here');
  }
  return answer.message.value;
}
