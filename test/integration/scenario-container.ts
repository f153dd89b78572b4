import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { AttestationStatus, type ContainerResult } from '@holdfast/proto';
import type { RunningContainer } from '@holdfast/scripts';
import type { ScenarioWorld } from './scenario-world.ts';

const run = promisify(execFile);
const STABLE_ROUNDS = 2;

/** What every container of `ctr` has: a tmpfs over /run of the image, as its specification says. */
const BASELINE: readonly ExpectedFinding[] = [{ code: 'VOLUME_UNPROVEN', path: '/run', actual: 'tmpfs' }];

/** Commands by which a scenario acts inside are told where they live long enough to be seen. */
const PASSING = 'EXEC_PROCESS';

/** A finding as a scenario expects it; what is left out must be absent. */
export interface ExpectedFinding {
  readonly code: string;
  readonly path?: string;
  readonly purl?: string;
  readonly expected?: string;
  readonly actual?: string;
}

/** A running container and what the verifier publishes of it. */
export class ScenarioContainer {
  readonly #world: ScenarioWorld;
  #terminal: ChildProcess | undefined;
  readonly container: RunningContainer;

  constructor(world: ScenarioWorld, container: RunningContainer) {
    this.#world = world;
    this.container = container;
  }

  /** Runs a shell script inside; rejects when it fails. */
  async run(script: string): Promise<string> {
    return await this.#world.containerd.exec(this.container, ['sh', '-ec', script]);
  }

  /** Runs a program inside and does not wait for it. */
  async detach(...args: readonly string[]): Promise<void> {
    const exec = ['tasks', 'exec', '--detach', '--exec-id', `x-${randomUUID().slice(0, 8)}`];
    await this.#world.containerd.ctr([...exec, this.container.id, ...args]);
  }

  /** A path of the container as another process of the host reaches it: not through links, which would lead out. */
  toHostPath(path: string): string {
    return `/proc/${this.container.pid}/root${path}`;
  }

  /** Puts a file of the host inside, as `kubectl cp` would: by a process that is not the agent's. */
  async copyIn(file: string, path: string): Promise<void> {
    await run('cp', [file, this.toHostPath(path)]);
  }

  /** SHA-256 of a file inside, hex. */
  async hash(path: string): Promise<string> {
    return sha256(await readFile(this.toHostPath(path)));
  }

  /** The published result of this container. */
  read(): ContainerResult | undefined {
    return this.#world.latest?.containers.find(({ id }) => id.endsWith(this.container.id));
  }

  /**
   * Waits until exactly these findings are published beside those of any container, in rounds one after the other.
   * `momentary`: true for so short a time that a look may catch it or not.
   */
  async expectFindings(
    findings: readonly ExpectedFinding[],
    momentary: readonly ExpectedFinding[] = [],
  ): Promise<void> {
    const wanted = sortFindings([...BASELINE, ...findings]);
    const left = new Set(momentary.map((finding) => JSON.stringify(sortFindings([finding]))));
    const isLasting = (finding: ExpectedFinding) => !left.has(JSON.stringify(sortFindings([finding])));
    await this.#waitUntil(() => sameFindings(this.listFindings()?.filter(isLasting), wanted), wanted);
  }

  /** Waits until the container is affirming without any finding of its own. */
  async expectAffirming(): Promise<void> {
    await this.expectFindings([]);
    assert.equal(this.read()?.status, AttestationStatus.AFFIRMING);
  }

  /** Waits until this finding is published, beside whatever else. */
  async expectAmong(finding: ExpectedFinding): Promise<void> {
    const wanted = JSON.stringify(sortFindings([finding]));
    const findings = () => this.read()?.findings ?? [];
    const isSeen = () =>
      findings().some(
        ({ code, path, purl, expected, actual }) =>
          JSON.stringify(sortFindings([dropEmpty({ code, path, purl, expected, actual })])) === wanted,
      );
    await this.#world.waitFor(isSeen, wanted);
  }

  async expectStatus(status: keyof typeof AttestationStatus): Promise<void> {
    await this.#world.waitFor(() => this.read()?.status === AttestationStatus[status], status);
  }

  /** Runs a program inside with a terminal of its own, and does not wait for it. */
  async openTerminal(...args: readonly string[]): Promise<void> {
    const { containerd } = this.#world;
    const { id, namespace } = this.container;
    const exec = ['tasks', 'exec', '--tty', '--exec-id', `x-${randomUUID().slice(0, 8)}`, id, ...args];
    const command = ['ctr', '--address', containerd.address, '--namespace', namespace, ...exec].join(' ');
    // ctr wants a terminal to hand on: script makes one.
    this.#terminal = spawn('script', ['-qec', command, '/dev/null'], { stdio: 'ignore' });
  }

  /** Ends the first process and starts another one in the same container. */
  async restart(): Promise<void> {
    const { containerd } = this.#world;
    await containerd.ctr(['tasks', 'rm', '--force', this.container.id]);
    await containerd.ctr(['tasks', 'start', '--detach', this.container.id]);
  }

  /** The findings that are published now, in one order; undefined where the container has no result. */
  listFindings(): ExpectedFinding[] | undefined {
    const findings = this.read()?.findings.filter(({ code }) => code !== PASSING);
    const shown = findings?.map(({ code, path, purl, expected, actual }) =>
      dropEmpty({ code, path, purl, expected, actual }),
    );
    return shown && sortFindings(shown);
  }

  async remove(): Promise<void> {
    await this.#world.containerd.remove(this.container);
    this.#terminal?.kill();
  }

  /** Seen once, it may be a result on the way to another one: it has to stand after two further rounds. */
  async #waitUntil(isSeen: () => boolean, wanted: readonly ExpectedFinding[]): Promise<void> {
    try {
      do {
        await this.#world.waitFor(isSeen, JSON.stringify(wanted));
        await this.#world.waitForRounds(STABLE_ROUNDS);
      } while (!isSeen());
    } catch (error) {
      assert.deepEqual(this.listFindings(), wanted);
      throw error;
    }
  }
}

export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function dropEmpty(finding: ExpectedFinding & Record<string, string>): ExpectedFinding {
  const { code, ...rest } = finding;
  return { code, ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== '')) };
}

function sameFindings(seen: readonly ExpectedFinding[] | undefined, wanted: readonly ExpectedFinding[]): boolean {
  return seen !== undefined && JSON.stringify(seen) === JSON.stringify(wanted);
}

function sortFindings(findings: readonly ExpectedFinding[]): ExpectedFinding[] {
  const keyed = findings.map(({ code, path, purl, expected, actual }) =>
    JSON.stringify({ code, path, purl, expected, actual }),
  );
  return keyed.sort().map((text): ExpectedFinding => JSON.parse(text));
}
