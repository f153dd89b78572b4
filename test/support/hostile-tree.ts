import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** Makes an empty directory that is removed after the test. */
export function makeTree(t: TestContext, prefix = 'holdfast-rootfs-'): string {
  const directory = mkdtempSync(join(tmpdir(), prefix));
  t.after(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
  return directory;
}

/**
 * Runs a Python program as another process, as an attacker would be, and waits for its first line. Python, because the
 * attacks need system calls (renameat2 with RENAME_EXCHANGE, writes through a shared mapping) that Node lacks.
 */
export async function startAttacker(t: TestContext, program: string, ...parameters: string[]): Promise<Attacker> {
  const child = spawn('/usr/bin/python3', ['-c', program, ...parameters], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  child.stdout.setEncoding('utf8');
  await once(child.stdout, 'data');
  return new Attacker(child);
}

/** A running attacker: it works until it is told to stop and then prints what it saw. */
class Attacker {
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Closes its input, which it takes as the end, and returns its last words. */
  async stop(): Promise<string> {
    let words = '';
    this.#child.stdout?.on('data', (text: string) => {
      words += text;
    });
    this.#child.stdin?.end();
    await once(this.#child, 'close');
    return words.trim();
  }
}

/** Python lines that attackers share: a raw renameat2(RENAME_EXCHANGE) and a test whether to go on. */
export const ATTACKER_PRELUDE = `
import ctypes, os, select, sys
libc = ctypes.CDLL(None, use_errno=True)
def exchange(a, b):
    libc.syscall(316 if os.uname().machine == 'x86_64' else 276, -100, a.encode(), -100, b.encode(), 2)
def stopped():
    return bool(select.select([sys.stdin], [], [], 0)[0])
`;
