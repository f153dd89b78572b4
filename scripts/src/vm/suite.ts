import type { Guest } from './guest.ts';
import type { MachineView } from './machine-view.ts';
import type { VmWorld } from './vm-world.ts';

export interface Check {
  /** A sentence that is true when the check passes. */
  readonly text: string;
  readonly pass: boolean;
  /** What was seen. */
  readonly seen?: string;
}

/** What a suite works with; `check` records and says each one. */
export interface SuiteContext {
  readonly world: VmWorld;
  readonly journey: Journey;
  readonly step: (text: string) => void;
  readonly check: (text: string, pass: boolean, seen?: string) => void;
}

/** What later suites compare with: the machine is the same in all of them. */
export interface Journey {
  /** The machine as it was when it was enrolled. */
  enrolled: { view: MachineView; chain: string; seq: number; enrolledAt: string } | null;
  guest: Guest | null;
}

export interface Suite {
  readonly name: string;
  readonly title: string;
  /** Suites that must have run before. */
  readonly needs: readonly string[];
  run(context: SuiteContext): Promise<void>;
}
