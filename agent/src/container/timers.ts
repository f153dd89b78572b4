/** Timers that end together. */
export class Timers {
  readonly #running = new Set<NodeJS.Timeout>();
  #closed = false;

  /** Calls once, unless closed or cancelled before. */
  after(ms: number, call: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#running.delete(timer);
      if (!this.#closed) call();
    }, ms);
    if (this.#closed) timer.unref();
    this.#running.add(timer);
    return timer;
  }

  /** Calls again and again, each time so long after the last. */
  every(ms: number, call: () => void): void {
    const repeat = () => {
      call();
      this.after(ms, repeat);
    };
    this.after(ms, repeat);
  }

  cancel(timer: NodeJS.Timeout): void {
    clearTimeout(timer);
    this.#running.delete(timer);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#running) clearTimeout(timer);
  }
}
