import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { memoryUsage } from 'node:process';
import { encodeAkTemplate, encodeSigningTemplate, QUOTE_SELECTIONS } from '@holdfast/evidence';
import { ekTemplate, openTpm, type Tpm, type TpmObject } from 'tpm2-tss-node';
import { startSwtpm } from '../../../test/support/swtpm.ts';
import { atMost, type Figure, note } from '../bench/figure.ts';
import { measureGrowth, type SoakSample } from './growth.ts';

/** What 70,000 quotes may leave: 100 bytes a quote would be nearly as much. */
const MAX_GROWTH_MIB = 6;
const MIB = 1024 * 1024;
const SAMPLES = 100;
const HMAC_EVERY = 20;
const REFUSED_EVERY = 50;
const KEYS_EVERY = 1_000;
const CONTEXT_EVERY = 5_000;
const AUTH = randomBytes(32);

export interface TpmSoakOptions {
  readonly quotes: number;
  readonly say: (text: string) => void;
}

/** Figures of a run, and what they were made of. */
export interface SoakReport {
  readonly figures: readonly Figure[];
  readonly samples: readonly SoakSample[];
}

interface Keys {
  readonly ak: TpmObject;
  readonly signing: TpmObject;
}

/**
 * Quotes on a software TPM without a resource manager, through one process, with what an agent does around them: a
 * signature for every two; now and then the authorization by HMAC, a command that the TPM refuses, keys made, certified
 * and loaded anew, and another context. Counts what stays: resident memory, JavaScript heap, threads, file descriptors,
 * and in the TPM objects and sessions.
 */
export async function soakTpm({ quotes, say }: TpmSoakOptions): Promise<SoakReport> {
  const swtpm = await startSwtpm({ ekCertificates: false });
  try {
    const samples: SoakSample[] = [];
    const begin = performance.now();
    const stride = Math.max(1, Math.floor(quotes / SAMPLES));
    for (let done = 0; done < quotes; ) {
      done = await useContext(swtpm.tcti, done, quotes, (count) => {
        if (count % stride === 0) samples.push(takeSample(count));
        if (count % (stride * 10) === 0) say(describe(samples.at(-1), quotes));
      });
    }
    const seconds = (performance.now() - begin) / 1000;
    return { samples, figures: judge(samples, await countLeftovers(swtpm.tcti), quotes, seconds) };
  } finally {
    await swtpm.close();
  }
}

/** Quotes over one context until it is time for another one; how many there are then. */
async function useContext(
  tcti: string,
  from: number,
  quotes: number,
  onQuote: (count: number) => void,
): Promise<number> {
  await using tpm = await openTpm({ tcti, exclusive: false });
  let keys = await makeKeys(tpm);
  let done = from;
  const end = Math.min(quotes, from + CONTEXT_EVERY);
  while (done < end) {
    await quoteOnce(tpm, keys.ak, done);
    done += 1;
    if (done % 2 === 0) await signOnce(tpm, keys.signing);
    if (done % REFUSED_EVERY === 0) await meetRefusal(tpm, keys.ak);
    if (done % KEYS_EVERY === 0 && done < end) {
      for (const key of [keys.ak, keys.signing]) await tpm.flush(key);
      keys = await makeKeys(tpm);
    }
    onQuote(done);
  }
  // The rest is left to `close`: an agent that ends flushes nothing by hand.
  await tpm.flush(keys.signing);
  return done;
}

async function quoteOnce(tpm: Tpm, key: TpmObject, done: number): Promise<void> {
  const authorization = done % HMAC_EVERY === 0 ? 'hmac' : 'password';
  const selection = QUOTE_SELECTIONS[done % 2] ?? QUOTE_SELECTIONS[0];
  const qualifyingData = createHash('sha256').update(String(done)).digest();
  await tpm.quote({ key, authValue: AUTH, authorization, qualifyingData, selection });
}

async function signOnce(tpm: Tpm, key: TpmObject): Promise<void> {
  await tpm.sign({ key, authValue: AUTH, authorization: 'password', digest: randomBytes(32) });
}

/** A restricted key does not sign what somebody else hashed. */
async function meetRefusal(tpm: Tpm, ak: TpmObject): Promise<void> {
  const error: unknown = await signOnce(tpm, ak).catch((caught: unknown) => caught);
  if (error === undefined) throw new Error('the TPM signed with a restricted key what it had not hashed');
}

async function makeKeys(tpm: Tpm): Promise<Keys> {
  const ek = await tpm.createPrimary({ hierarchy: 'endorsement', template: ekTemplate('L-1') });
  const parent = { parent: ek.object, parentPolicy: 'endorsement' } as const;
  const make = async (template: Buffer): Promise<TpmObject> =>
    await tpm.load({ ...parent, ...(await tpm.create({ ...parent, template, authValue: AUTH })) });
  const ak = await make(encodeAkTemplate());
  const signing = await make(encodeSigningTemplate());
  const auths = { objectAuth: AUTH, signerAuth: AUTH };
  await tpm.certify({ object: signing, signer: ak, ...auths, qualifyingData: randomBytes(32) });
  await tpm.flush(ek.object);
  return { ak, signing };
}

function takeSample(count: number): SoakSample {
  globalThis.gc?.();
  const { rss, heapUsed } = memoryUsage();
  const [threads, descriptors] = [readdirSync('/proc/self/task').length, readdirSync('/proc/self/fd').length];
  return { count, rssMib: rss / MIB, heapMib: heapUsed / MIB, threads, descriptors };
}

async function countLeftovers(tcti: string): Promise<number> {
  await using tpm = await openTpm({ tcti, exclusive: false });
  const ranges = ['transient', 'loadedSession', 'savedSession'] as const;
  const counts = await Promise.all(ranges.map(async (range) => (await tpm.handles(range)).length));
  return counts.reduce((sum, count) => sum + count, 0);
}

function judge(samples: readonly SoakSample[], leftovers: number, quotes: number, seconds: number): Figure[] {
  const last = samples.at(-1);
  return [
    note('quotes', quotes, ''),
    note('quotes a second, with all around them', quotes / seconds, '/s'),
    atMost(MAX_GROWTH_MIB, 'resident memory, growth', Math.max(0, measureGrowth(samples, 'rssMib')), 'MiB'),
    atMost(1, 'JavaScript heap, growth', Math.max(0, measureGrowth(samples, 'heapMib')), 'MiB'),
    atMost(0, 'threads, growth', Math.max(0, measureGrowth(samples, 'threads')), ''),
    atMost(0, 'file descriptors, growth', Math.max(0, measureGrowth(samples, 'descriptors')), ''),
    atMost(0, 'objects and sessions left in the TPM', leftovers, ''),
    note('resident memory at the end', last?.rssMib ?? 0, 'MiB'),
  ];
}

function describe(sample: SoakSample | undefined, quotes: number): string {
  if (sample === undefined) return '';
  const { count, rssMib, heapMib, threads, descriptors } = sample;
  const memory = `${rssMib.toFixed(1)} MiB resident, ${heapMib.toFixed(1)} MiB heap`;
  return `${count} of ${quotes}: ${memory}, ${threads} threads, ${descriptors} descriptors`;
}
