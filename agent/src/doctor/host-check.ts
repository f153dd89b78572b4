/**
 * How a facility was found: `works`; `weaker`, the agent runs and evidence is worth less or changes are seen later;
 * `fails`, the agent does not run, or cannot vouch for containers; `skipped`, not asked for.
 */
export type CheckStatus = 'works' | 'weaker' | 'fails' | 'skipped';

/** One facility that the agent uses. */
export interface HostCheck {
  /** Stable name, such as `tpm` or `kernel.openat2`. */
  readonly id: string;
  readonly status: CheckStatus;
  /** What was found, in one sentence. */
  readonly detail: string;
  /** What to do; null where nothing is to be done. */
  readonly fix: string | null;
}

export function passed(id: string, detail: string): HostCheck {
  return { id, status: 'works', detail, fix: null };
}

export function weakened(id: string, detail: string, fix: string): HostCheck {
  return { id, status: 'weaker', detail, fix };
}

export function failed(id: string, detail: string, fix: string): HostCheck {
  return { id, status: 'fails', detail, fix };
}

export function skipped(id: string, detail: string): HostCheck {
  return { id, status: 'skipped', detail, fix: null };
}
