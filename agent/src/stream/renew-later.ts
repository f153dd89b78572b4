import type { Clock } from '../clock.ts';

export interface RenewalDeps {
  clock: Clock;
  /** Milliseconds until the enrolment is to be renewed. */
  readRenewalInMs(): number;
  ensure(): Promise<void>;
}

const RETRY_MS = 60_000;
const MAX_TIMER_MS = 86_400_000;

/** Renews the certificates, again and again, until the function that it gives is called. */
export function renewLater(deps: RenewalDeps): () => void {
  let cancel = () => {};
  let isOver = false;
  const arm = (delayMs: number) => {
    // A renewal may outlast the conversation; a timer that was armed then would keep the process alive for hours.
    if (isOver) return;
    cancel = deps.clock.setTimer(Math.min(MAX_TIMER_MS, delayMs), () => {
      deps.ensure().then(
        () => arm(Math.max(RETRY_MS, deps.readRenewalInMs())),
        () => arm(RETRY_MS),
      );
    });
  };
  arm(deps.readRenewalInMs());
  return () => {
    isOver = true;
    cancel();
  };
}
