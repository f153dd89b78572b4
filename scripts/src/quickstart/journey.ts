import { installPackage, type Runtime, replaceLibrary, type StartedContainer } from './containers.ts';
import type { FeedContainer, FeedResult, ResultFeed } from './result-feed.ts';

/** Containers of the quickstart by the part they play. */
export interface Cast {
  readonly installed: StartedContainer;
  readonly replaced: StartedContainer;
  readonly untouched: StartedContainer;
  readonly yours: StartedContainer | null;
}

export interface ChangeTiming {
  readonly container: string;
  readonly change: string;
  /** Seconds from the change to the verdict as `holdfast results --watch` shows it. */
  readonly seconds: number;
}

/** First results on a slow machine wait for every layer to be proven. */
const BEFORE_MS = 180_000;
const AFTER_MS = 60_000;

/** A journey that did not end as it must; the message says what was seen instead. */
export class JourneyError extends Error {
  override readonly name = 'JourneyError';
}

const members = (cast: Cast): StartedContainer[] =>
  [cast.installed, cast.replaced, cast.untouched, cast.yours].filter((item) => item !== null);

function find(result: FeedResult, container: StartedContainer): FeedContainer | undefined {
  return result.containers.find((item) => item.id === container.id);
}

/** Waits until every container has a verdict, and the quickstart's own are affirming. */
export async function awaitBefore(feed: ResultFeed, cast: Cast): Promise<FeedResult> {
  const isDecided = (result: FeedResult) =>
    members(cast).every((container) => (find(result, container)?.status ?? 'none') !== 'none');
  const result = await feed.waitFor(isDecided, BEFORE_MS);
  if (result === null) throw new JourneyError(`no verdict on every container in time. ${describe(feed.latest)}`);
  for (const container of [cast.installed, cast.replaced, cast.untouched]) expectStatus(result, container, 'affirming');
  if (result.kubeNode.status === 'affirming') {
    throw new JourneyError('the kube node is affirming with no evidence of how it booted; that must not be');
  }
  return result;
}

/** Installs a package in one container and replaces a library in another, and times the verdicts. */
export async function makeChanges(
  feed: ResultFeed,
  runtime: Runtime,
  cast: Cast,
  packageFile: string,
): Promise<ChangeTiming[]> {
  const installed = await timeVerdict(
    feed,
    cast.installed,
    'a Debian package was installed',
    ['PACKAGE_ADDED', 'EXECUTABLE_ADDED'],
    async () => {
      await installPackage(runtime, cast.installed, packageFile);
    },
  );
  const replaced = await timeVerdict(
    feed,
    cast.replaced,
    'a shared library was replaced',
    ['OWNED_FILE_MODIFIED'],
    async () => {
      await replaceLibrary(runtime, cast.replaced);
    },
  );
  return [installed, replaced];
}

async function timeVerdict(
  feed: ResultFeed,
  container: StartedContainer,
  change: string,
  codes: readonly string[],
  act: () => Promise<void>,
): Promise<ChangeTiming> {
  await act();
  const start = performance.now();
  const isSeen = (result: FeedResult) => {
    const now = find(result, container);
    return now?.status === 'contraindicated' && codes.every((code) => now.findings.some((item) => item.code === code));
  };
  const result = await feed.waitFor(isSeen, AFTER_MS);
  if (result === null)
    throw new JourneyError(`${change} in ${container.id}, and no verdict says so. ${describe(feed.latest)}`);
  return { container: container.id, change, seconds: Math.round(performance.now() - start) / 1000 };
}

/** The result after the changes; the untouched containers must still be what they were. */
export function checkAfter(feed: ResultFeed, cast: Cast): FeedResult {
  const result = feed.latest;
  if (result === null) throw new JourneyError('there is no result');
  expectStatus(result, cast.untouched, 'affirming');
  expectStatus(result, cast.installed, 'contraindicated');
  expectStatus(result, cast.replaced, 'contraindicated');
  return result;
}

function expectStatus(result: FeedResult, container: StartedContainer, status: string): void {
  const seen = find(result, container);
  if (seen?.status === status) return;
  throw new JourneyError(
    `${container.id} should be ${status} and is ${seen?.status ?? 'missing'}. ${describe(result)}`,
  );
}

function describe(result: FeedResult | null): string {
  if (result === null) return 'No result came at all.';
  const rows = result.containers.map(
    (item) =>
      `${item.id}: ${item.status} (${item.findings.map((finding) => `${finding.code} ${finding.message}`).join('; ')})`,
  );
  return `Seen: kube node ${result.kubeNode.status}; ${rows.join(' | ')}`.slice(0, 3000);
}
