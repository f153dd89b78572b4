import type { NativeCommand, NativeCommands, NativeContext, NativeFailure, NativeOutcome } from './native-binding.ts';
import { TpmError, type TpmErrorCode } from './tpm-error.ts';

const MAX_WAITING = 1024;

interface Entry {
  command: NativeCommand;
  deadlineMs: number;
  start: () => boolean;
  reject: (error: TpmError) => void;
}

function toError(failure: NativeFailure): TpmError {
  const code = failure.selfTest ? 'ERR_TPM_NATIVE' : failure.broken ? 'ERR_TPM_TCTI' : 'ERR_TPM';
  return new TpmError({
    code,
    command: failure.command,
    rc: failure.rc,
    message: `${failure.command}: ${failure.text}`,
  });
}

/**
 * The commands of one TPM context, one at a time in the order of the calls, each with a deadline that starts when the
 * native thread gets it. A command that hangs past its deadline, or a failed connection, ends the context: what runs
 * and what waits is rejected, and the native thread is given up.
 */
export class CommandQueue {
  readonly #native: NativeContext;
  readonly #waiting: Entry[] = [];
  #running: Entry | undefined;
  #timer: NodeJS.Timeout | undefined;
  #state: 'open' | 'closing' | 'closed' | 'dead' = 'open';
  #closed: Promise<void> | undefined;

  constructor(native: NativeContext) {
    this.#native = native;
  }

  /** `dead` after a timeout or a failed connection; `closed` from the first call of `close`. */
  get state(): 'open' | 'closed' | 'dead' {
    return this.#state === 'closing' ? 'closed' : this.#state;
  }

  /** Queues a command and settles with its outcome. @throws TpmError (as rejection) */
  run<Name extends NativeCommand>(
    command: Name,
    args: NativeCommands[Name]['args'],
    deadlineMs: number,
  ): Promise<NativeCommands[Name]['value']> {
    if (this.#state !== 'open') return Promise.reject(this.#refusal(command));
    if (this.#waiting.length >= MAX_WAITING) {
      const message = `${command}: ${MAX_WAITING} commands wait for this TPM already`;
      return Promise.reject(new TpmError({ code: 'ERR_TPM_BUSY', command, message }));
    }
    return this.#enqueue(command, args, deadlineMs);
  }

  /** Lets the running command end, rejects what waits, closes the connection. Never rejects; harmless when repeated. */
  close(deadlineMs: number): Promise<void> {
    this.#closed ??= this.#close(deadlineMs);
    return this.#closed;
  }

  async #close(deadlineMs: number): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'closing';
    this.#rejectAll(this.#waiting.splice(0), 'ERR_TPM_CLOSED', 'the TPM context was closed');
    try {
      await this.#enqueue('close', {}, deadlineMs);
      this.#state = 'closed';
      this.#native.release();
    } catch {
      // A failed close has marked the context dead, or the thread still stands and is given up here.
      this.#die('ERR_TPM_DEAD');
    }
  }

  #refusal(command: string): TpmError {
    if (this.#state === 'dead') {
      const message = `${command}: an earlier timeout or connection failure ended this TPM context`;
      return new TpmError({ code: 'ERR_TPM_DEAD', command, message });
    }
    return new TpmError({ code: 'ERR_TPM_CLOSED', command, message: `${command}: the TPM context is closed` });
  }

  #enqueue<Name extends NativeCommand>(
    command: Name,
    args: NativeCommands[Name]['args'],
    deadlineMs: number,
  ): Promise<NativeCommands[Name]['value']> {
    return new Promise((resolve, reject) => {
      const onOutcome = (outcome: NativeOutcome<NativeCommands[Name]['value']>): void => {
        this.#settle();
        if ('value' in outcome) resolve(outcome.value);
        else reject(toError(outcome.failure));
        // A fast TPM answers again before this callback is over: without a turn between, the event loop would starve.
        if ('failure' in outcome && outcome.failure.broken) this.#die('ERR_TPM_DEAD');
        else setImmediate(() => this.#next());
      };
      const start = (): boolean => this.#native.submit(command, args, onOutcome);
      this.#waiting.push({ command, deadlineMs, start, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#running !== undefined) return;
    const entry = this.#waiting.shift();
    if (entry === undefined) return;
    this.#running = entry;
    this.#timer = setTimeout(() => this.#expire(entry), entry.deadlineMs);
    if (!entry.start()) this.#die('ERR_TPM_DEAD');
  }

  #settle(): void {
    clearTimeout(this.#timer);
    this.#running = undefined;
  }

  #expire(entry: Entry): void {
    // Where the event loop itself was late, the outcome already waits behind this timer: that is no hang.
    if (!this.#native.isBusy()) return;
    this.#settle();
    this.#rejectAll([entry], 'ERR_TPM_TIMEOUT', `no answer from the TPM within ${entry.deadlineMs} ms`);
    this.#die('ERR_TPM_TIMEOUT');
  }

  #die(code: TpmErrorCode): void {
    if (this.#state === 'dead' || this.#state === 'closed') return;
    this.#state = 'dead';
    const orphans = [...(this.#running === undefined ? [] : [this.#running]), ...this.#waiting.splice(0)];
    this.#settle();
    this.#native.abandon();
    this.#rejectAll(orphans, code, 'the TPM context ended before this command');
  }

  #rejectAll(entries: readonly Entry[], code: TpmErrorCode, reason: string): void {
    for (const { command, reject } of entries) {
      reject(new TpmError({ code, command, message: `${command}: ${reason}` }));
    }
  }
}
