import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CHECKOUT } from '../world/holdfast-process.ts';
import { importLayout, type Runtime, startContainer, startForeignContainer } from './containers.ts';
import { buildImages, type QuickstartImages } from './images.ts';
import { awaitBefore, type Cast, checkAfter, makeChanges } from './journey.ts';
import { InputError, parseOptions, type QuickstartOptions, UsageError, type UserImage } from './options.ts';
import {
  addUserReference,
  attestImage,
  createBuildSigner,
  readUserReference,
  type TrustKeyEntry,
  type UserReference,
} from './references.ts';
import { createReport } from './report.ts';
import { openResultFeed } from './result-feed.ts';
import {
  CONFIG_FILE,
  dropKeptState,
  isKeptRunRunning,
  keepState,
  type QuickstartState,
  readKeptState,
  takeDown,
} from './state.ts';
import { openUserImage, type UserLayout } from './user-image.ts';
import { createState, openRuntime, openTpm, type Services, startServices } from './world.ts';

const note = (text: string): void => {
  process.stderr.write(`quickstart: ${text}\n`);
};

// After an interruption much is still waited for, in vain.
process.exit(await main());

async function main(): Promise<number> {
  let options: QuickstartOptions;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    note(error.message);
    return 2;
  }
  if (options.mode === 'stop') return await stopKeptRun();
  const kept = await readKeptState();
  if (kept !== null && (await isKeptRunRunning(kept))) {
    note('an earlier run is still up; scripts/quickstart --stop ends it');
    return 3;
  }
  return await runOnce(options);
}

async function stopKeptRun(): Promise<number> {
  const state = await readKeptState();
  if (state === null) {
    note('nothing is up: no run was kept');
    return 0;
  }
  await takeDown(state, note);
  await dropKeptState();
  note('stopped, and everything private removed');
  return 0;
}

async function runOnce(options: QuickstartOptions): Promise<number> {
  const state = await createState();
  let interrupted = false;
  const interruption = new Promise<never>((_, reject) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(name, () => {
        interrupted = true;
        reject(new Error('interrupted'));
      });
    }
  });
  try {
    const services = await Promise.race([perform(options, state), interruption]);
    if (options.mode === 'keep') {
      await keepState(state, services.config);
      explainKept(services);
      return 0;
    }
    note('taking everything down');
    await takeDown(state, note);
    return 0;
  } catch (error) {
    note(interrupted ? 'interrupted; taking everything down' : error instanceof Error ? error.message : String(error));
    if (!interrupted && !(error instanceof InputError)) showLogs(state.directory);
    await takeDown(state, note);
    if (interrupted) return 130;
    return error instanceof InputError ? 3 : 1;
  }
}

/** The journey from images to the verdicts after the changes. */
async function perform(options: QuickstartOptions, state: QuickstartState): Promise<Services> {
  const times = createStopwatch();
  const yours = options.image === null ? null : await readUserInput(options.image);
  const images = await buildImages(note);
  const runtime = await openRuntime(state, options);
  const references = join(state.directory, 'references');
  const trustKeys = await prepareImages(yours, state, runtime, images, references);
  const imagesMs = times.lap();
  note('starting a TPM, the containers, the verifier and the agent');
  const tcti = await openTpm(state, options);
  const cast = await startCast(yours, runtime, images);
  const services = await startServices({ state, runtime, tcti, references, trustKeys });
  const configFile = join(state.directory, 'config.json');
  await writeFile(configFile, JSON.stringify(services.config), { mode: 0o600 });
  const startMs = times.lap();
  const feed = openResultFeed(configFile);
  try {
    note('waiting for the first verdicts');
    const before = await awaitBefore(feed, cast);
    const firstVerdictMs = times.lap();
    if (!options.json) showResults('BEFORE: what runs is what was built', configFile);
    note(`installing ${images.package.name} in ${cast.installed.id}, replacing a library in ${cast.replaced.id}`);
    const changes = await makeChanges(feed, runtime, cast, images.package.file);
    const after = checkAfter(feed, cast);
    const setupMs = Number(process.env['HOLDFAST_SETUP_MS'] ?? 0);
    const timings = { setupMs, imagesMs, startMs, firstVerdictMs, changes, totalMs: times.total() + setupMs };
    if (options.json) process.stdout.write(`${JSON.stringify(createReport(before, after, timings))}\n`);
    else {
      showResults('AFTER: two containers were changed', configFile);
      for (const change of changes)
        process.stdout.write(`${change.container}: ${change.change}; verdict after ${change.seconds} s\n`);
    }
    return services;
  } finally {
    feed.close();
  }
}

interface UserInput {
  readonly layout: UserLayout;
  readonly reference: UserReference;
}

/** Reads what a person brought, before anything is started for it. */
async function readUserInput(image: UserImage): Promise<UserInput> {
  return { layout: await openUserImage(image.layout), reference: await readUserReference(image) };
}

/** Signs the SBOMs before anything runs, then gives the images to the runtime. */
async function prepareImages(
  yours: UserInput | null,
  state: QuickstartState,
  runtime: Runtime,
  images: QuickstartImages,
  references: string,
): Promise<TrustKeyEntry[]> {
  note('making and signing the SBOMs');
  const signer = await createBuildSigner(state.directory);
  const trustKeys = [signer.trustKey];
  for (const image of [images.debian, images.busybox]) await attestImage(image, signer, references);
  if (yours !== null) {
    await addUserReference(yours.reference, yours.layout.base, references);
    trustKeys.push(yours.reference.trustKey);
    await importLayout(runtime, yours.layout.directory, yours.layout.base);
  }
  note('importing the images');
  for (const image of [images.debian, images.busybox])
    await importLayout(runtime, image.layout, image.name.replace(/:1$/, ''));
  return trustKeys;
}

async function startCast(yours: UserInput | null, runtime: Runtime, images: QuickstartImages): Promise<Cast> {
  const idle = ['/bin/sleep', '2147483647'];
  return {
    installed: await startContainer(runtime, images.debian.name, 'debian-installed', idle),
    replaced: await startContainer(runtime, images.debian.name, 'debian-replaced', idle),
    untouched: await startContainer(runtime, images.busybox.name, 'busybox', idle),
    yours: yours === null ? null : await startForeignContainer(runtime, `${yours.layout.base}@${yours.layout.digest}`),
  };
}

function showResults(title: string, configFile: string): void {
  process.stdout.write(`\n== ${title}\n`);
  spawnSync(`${CHECKOUT}/scripts/holdfast`, ['results', '--config', configFile], { stdio: 'inherit' });
}

function showLogs(directory: string): void {
  for (const name of ['verifier', 'agent']) {
    const lines = spawnSync('tail', ['-n', '5', join(directory, `${name}.log`)]).stdout.toString();
    if (lines !== '') note(`last lines of the ${name}'s log:\n${lines}`);
  }
}

function explainKept(services: Services): void {
  note(`left up: verifier ${services.verifier}, agent ${services.agent}, settings in ${CONFIG_FILE}`);
  note('look around:');
  note('  scripts/holdfast results --watch');
  note('  scripts/holdfast nodes');
  note('  scripts/holdfast snapshot --out node.snapshot && scripts/holdfast verify node.snapshot');
  note(
    `  scripts/holdfast verifier --config ${services.subscriber}   # a second verifier service that subscribes to the agent`,
  );
  note('scripts/quickstart --stop takes it down');
}

function createStopwatch() {
  const start = performance.now();
  let last = start;
  return {
    lap: (): number => {
      const now = performance.now();
      const ms = Math.round(now - last);
      last = now;
      return ms;
    },
    total: (): number => Math.round(performance.now() - start),
  };
}
