import { spawn } from 'node:child_process';

/** A program that did not do what it was asked; the message has its last words. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
}

export interface ToolOptions {
  input?: Uint8Array;
  env?: Record<string, string>;
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** Runs a program to its end and returns its stdout. Throws `ToolError` with the end of its stderr when it fails. */
export async function runTool(file: string, args: readonly string[], options: ToolOptions = {}): Promise<Buffer> {
  const child = spawn(file, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C.UTF-8', ...options.env },
    timeout: options.timeoutMs ?? 300_000,
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const out: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  // A program that ends early closes its stdin; its exit code tells the story.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? Buffer.alloc(0));
  const end = await new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.once('error', (error) => reject(new ToolError(`${file} could not run: ${error.message}`)));
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  if (end.code !== 0) {
    const words = Buffer.concat(errors).toString().trim().split('\n').slice(-6).join('\n');
    throw new ToolError(`${file} ${args.slice(0, 4).join(' ')} failed (${end.signal ?? `exit ${end.code}`}): ${words}`);
  }
  return Buffer.concat(out);
}
