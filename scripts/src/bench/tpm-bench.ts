import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { encodeAkTemplate, QUOTE_SELECTIONS } from '@holdfast/evidence';
import { ekTemplate, openTpm, type Tpm, type TpmObject } from 'tpm2-tss-node';
import { startSwtpm } from '../../../test/support/swtpm.ts';
import { runTool } from '../world/run-tool.ts';
import type { BenchContext } from './bench-context.ts';
import { atLeast, atMost, type Figure, note } from './figure.ts';
import { interleave, measureAsyncRate, median, medianRatio } from './sampling.ts';
import { measureVerification } from './token-verification.ts';

/** A persistent AK: both sides name it by handle, so neither has to load it. */
const AK_HANDLE = 0x81010042;
const SELECTION = `sha256:${[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15].join(',')}`;

/**
 * Quotes of one persistent ECDSA P-256 AK with an auth value on one software TPM: by the binding over an open context, and
 * by spawning tpm2_quote with the same key, selection, data and password. swtpm takes one connection at a time, so each
 * repetition opens its own, outside the measured time.
 */
export async function benchTpm(context: BenchContext): Promise<Figure[]> {
  const swtpm = await startSwtpm({ ekCertificates: false });
  context.defer(() => swtpm.close());
  const auth = randomBytes(32);
  await withTpm(swtpm.tcti, (tpm) => persistAk(tpm, auth));
  const qualifyingData = createHash('sha256').update('bench').digest();
  const request = { tcti: swtpm.tcti, auth, qualifyingData, directory: context.directory };
  const quotes = context.isQuick ? 100 : 400;
  context.say('quotes: binding against spawned tpm2_quote');
  const rates = await interleave(
    {
      binding: () => quoteByBinding(request, quotes, 'password'),
      hmac: () => quoteByBinding(request, quotes / 4, 'hmac'),
      spawned: () => quoteBySpawning(request, context.isQuick ? 5 : 20),
    },
    context.isQuick ? 5 : 9,
  );
  context.say('event-loop delay while quotes run');
  const delays = await measureDelay(request, context.isQuick ? 1500 : 5000);
  context.say('verification of whole tokens');
  return [
    atLeast(10, 'quotes, binding against tpm2_quote', medianRatio(rates.binding, rates.spawned), '×'),
    note('quotes, binding', median(rates.binding), '/s'),
    note('quotes, binding, HMAC authorization', median(rates.hmac), '/s'),
    note('quotes, spawned tpm2_quote', median(rates.spawned), '/s'),
    atMost(20, 'event-loop delay while quoting, p99', delays.p99, 'ms'),
    note('event-loop delay while quoting, max', delays.max, 'ms'),
    ...(await measureVerification(context.isQuick ? 200 : 1000)),
  ];
}

interface QuoteSetup {
  readonly tcti: string;
  readonly auth: Buffer;
  readonly qualifyingData: Buffer;
  readonly directory: string;
}

async function withTpm<T>(tcti: string, work: (tpm: Tpm) => Promise<T>): Promise<T> {
  await using tpm = await openTpm({ tcti, exclusive: true });
  return await work(tpm);
}

/** The agent's own kind of AK: a child of the L-1 EK with a random auth value. */
async function persistAk(tpm: Tpm, authValue: Buffer): Promise<void> {
  const ek = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('L-1') });
  const parent = { parent: ek.object, parentPolicy: 'endorsement' } as const;
  const blobs = await tpm.create({ ...parent, template: encodeAkTemplate(), authValue });
  const object = await tpm.load({ ...parent, ...blobs });
  await tpm.evictControl({ hierarchy: 'owner', object, handle: AK_HANDLE });
}

async function quoteByBinding(setup: QuoteSetup, count: number, mode: 'password' | 'hmac'): Promise<number> {
  return await withTpm(setup.tcti, async (tpm) => {
    const key = await tpm.fromPersistent(AK_HANDLE);
    return await measureAsyncRate(count, () => quote(tpm, key, setup, mode));
  });
}

async function quote(tpm: Tpm, key: TpmObject, { auth, qualifyingData }: QuoteSetup, mode: 'password' | 'hmac') {
  const [selection] = QUOTE_SELECTIONS;
  return await tpm.quote({ key, authValue: auth, authorization: mode, qualifyingData, selection });
}

async function quoteBySpawning(setup: QuoteSetup, count: number): Promise<number> {
  const args = ['--key-context', `0x${AK_HANDLE.toString(16)}`, '--auth', `hex:${setup.auth.toString('hex')}`];
  args.push('--pcr-list', SELECTION, '--qualification', setup.qualifyingData.toString('hex'));
  args.push('--message', join(setup.directory, 'quote.msg'), '--signature', join(setup.directory, 'quote.sig'));
  const env = { TPM2TOOLS_TCTI: setup.tcti, TSS2_LOG: 'all+NONE' };
  return await measureAsyncRate(count, () => runTool('tpm2_quote', args, { env }));
}

async function measureDelay(setup: QuoteSetup, forMs: number): Promise<{ p99: number; max: number }> {
  return await withTpm(setup.tcti, async (tpm) => {
    const key = await tpm.fromPersistent(AK_HANDLE);
    const histogram = monitorEventLoopDelay({ resolution: 1 });
    const end = performance.now() + forMs;
    histogram.enable();
    while (performance.now() < end) await quote(tpm, key, setup, 'password');
    histogram.disable();
    return { p99: histogram.percentile(99) / 1e6, max: histogram.max / 1e6 };
  });
}
