import { cpus, loadavg, release, totalmem } from 'node:os';
import type { Figure } from './figure.ts';

const MIB = 1024 * 1024;

/** What the figures were measured on; `load` is the mean number of running tasks in the minute before. */
export function describeMachine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryMib: Math.round(totalmem() / MIB),
    kernel: release(),
    node: process.versions.node,
    load: Number((loadavg()[0] ?? 0).toFixed(2)),
  };
}

export type Machine = ReturnType<typeof describeMachine>;

/** The document that `--json` prints. */
export function toJson(name: string, machine: Machine, figures: readonly Figure[]): string {
  const results = figures.map(({ metric, value, unit, bar, pass }) => ({ metric, value, unit, bar, pass }));
  return JSON.stringify({ name, machine, results });
}

/** The table for people. */
export function toTable(name: string, machine: Machine, figures: readonly Figure[]): string {
  const { cpu, cores, memoryMib, kernel, node, load } = machine;
  const rows = figures.map((figure) => [
    figure.metric,
    `${figure.value} ${figure.unit}`.trim(),
    describeBar(figure),
    figure.pass === null ? '' : figure.pass ? 'pass' : 'MISSED',
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  '));
  const head = `${name}: ${cpu}, ${cores} cores, ${memoryMib} MiB, Linux ${kernel}, Node ${node}, load before ${load}`;
  return [head, ...lines.map((line) => `  ${line.trimEnd()}`)].join('\n');
}

function describeBar({ bar, rule, unit }: Figure): string {
  if (bar === null) return '';
  return `${rule === 'least' ? '≥' : '≤'} ${bar} ${unit}`.trim();
}
