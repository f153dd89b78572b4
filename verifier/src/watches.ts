import { mkdir } from 'node:fs/promises';
import { startPoller } from './poller.ts';
import { createReferenceDirectory } from './reference-book/reference-directory-source.ts';
import type { CoreDeps, VerifierCore } from './verifier-core.ts';
import { VerifierError } from './verifier-error.ts';
import { describeError } from './verifier-log.ts';

const POLL_MS = 1_000;

/**
 * Reads the directory of references once, then watches it, the trust file, and for kube nodes that fall silent. A
 * missing directory is made first, for everybody to read. Gives what ends it. Throws `VerifierError`
 * ERR_VERIFIER_REFERENCE when the directory cannot be made or read at the start.
 */
export async function startWatches(core: VerifierCore, deps: CoreDeps): Promise<() => Promise<void>> {
  const { config, log, trust } = deps;
  if (config.referencesDir !== null) await makeDirectory(config.referencesDir);
  const directory =
    config.referencesDir === null
      ? undefined
      : createReferenceDirectory({
          directory: config.referencesDir,
          take: (envelope) => {
            const { reference, isNew } = core.book.put(envelope);
            if (isNew) log.info({ reference: reference.digest, subject: reference.subjectDigest }, 'reference added');
          },
          onRefused: (path, error) => log.warn({ path, ...describeError(error) }, 'reference refused'),
        });
  await directory?.scan();
  const onError = (error: unknown): void => log.error(describeError(error), 'watch failed');
  const refresh = async (): Promise<void> => {
    if (!(await trust.refresh())) return;
    log.info({ trustVersion: trust.current().version }, 'trust file changed');
    directory?.forgetRefused();
    core.reappraiseAll();
  };
  const pollers = [
    startPoller(POLL_MS, refresh, onError),
    startPoller(POLL_MS, async () => await directory?.scan(), onError),
    startPoller(POLL_MS, createSilenceSweep(core, deps), onError),
  ];
  return async () => {
    await Promise.all(pollers.map((poller) => poller.stop()));
  };
}

/** Those who watch hear of a result that became stale; that it is comes from the store. */
function createSilenceSweep(core: VerifierCore, { config, stores, now }: CoreDeps): () => Promise<void> {
  let sweptToMs = now() - config.staleAfterMs;
  return async () => {
    const toMs = now() - config.staleAfterMs;
    for (const ueid of stores.results.listSilent(sweptToMs, toMs - 1)) core.feed.publish(ueid);
    sweptToMs = Math.max(sweptToMs, toMs - 1);
  };
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o755 });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new VerifierError('ERR_VERIFIER_REFERENCE', `cannot make the directory of references: ${reason}`, { cause });
  }
}
