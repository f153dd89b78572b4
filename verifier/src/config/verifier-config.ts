import { createKernelBaseline, type KernelBaseline } from '../kernel/kernel-baseline.ts';
import type { KernelRuleSeverity } from '../kernel/kernel-rule.ts';
import { KERNEL_RULES } from '../kernel/kernel-rules.ts';
import { isScopePattern } from '../trust/scope.ts';
import { VerifierError } from '../verifier-error.ts';
import { type FieldReader, readFields } from './field-reader.ts';

/** Paths of PEM files. */
export interface VerifierTlsConfig {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** An agent that this verifier dials, instead of waiting for it to dial. */
export interface SubscriptionConfig {
  /** host:port of the agent's EvidenceService. */
  readonly address: string;
}

export interface VerifierConfig {
  /** host:port to serve on; port 0 lets the kernel choose. */
  readonly listen: string;
  /** Directory of the verifier's keys and its store; made with mode 0700 where it is missing. */
  readonly stateDir: string;
  readonly tls: VerifierTlsConfig;
  readonly trustFile: string;
  /** Directory of signed references, loaded at the start and watched; null for none. */
  readonly referencesDir: string | null;
  /** Name that stands in nonces and results. */
  readonly verifierId: string;
  readonly subscriptions: readonly SubscriptionConfig[];
  /** A result is stale when no evidence was accepted for this long. Sane range: two to ten heartbeats of the agents. */
  readonly staleAfterMs: number;
  /** How long a signed result may be relied on; 30 s to 24 h. */
  readonly resultTtlMs: number;
  /** A container whose oldest unscanned change is older is not decided. */
  readonly maxPendingMs: number;
  /** Whether a kube node without a signed boot reference is questionable. */
  readonly bootReference: 'optional' | 'required';
  /** Kube nodes that are machines without a container runtime: names, `prefix/*` or `*`. */
  readonly machinesWithoutRuntime: readonly string[];
  /** Rules for the kernel's settings, each with its severity here. */
  readonly kernelBaseline: KernelBaseline;
  /** Largest gRPC message, bytes; as grpc.max_receive_message_length of gRPC core. */
  readonly maxMessageBytes: number;
  /** Largest size of all claims-sets and blobs of one round, bytes. */
  readonly maxRoundBytes: number;
  readonly maxStreamsPerPeer: number;
  /** Messages a second that one peer may send, with a burst of ten times as many. */
  readonly maxMessagesPerSecond: number;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const RULE_SEVERITIES = ['off', 'info', 'warning', 'contraindicated'] as const;
const MIB = 1024 * 1024;

/**
 * Takes a parsed JSON document as the verifier's settings: refuses unknown fields by name, wrong types and values out
 * of range, and fills in defaults. Only `listen`, `stateDir`, `tls` and `trustFile` are required. Throws
 * `VerifierError` with ERR_VERIFIER_CONFIG and a sentence that names the field.
 */
export function parseVerifierConfig(document: unknown): VerifierConfig {
  const fields = readFields(document, 'the verifier configuration', fail);
  const config: VerifierConfig = {
    listen: fields.address('listen'),
    stateDir: fields.text('stateDir'),
    tls: parseTls(fields.object('tls')),
    trustFile: fields.text('trustFile'),
    referencesDir: fields.optional('referencesDir', () => fields.text('referencesDir'), null),
    verifierId: fields.optional('verifierId', () => fields.text('verifierId', 128), 'holdfast-verifier'),
    subscriptions: fields.optional('subscriptions', () => fields.list('subscriptions').map(parseSubscription), []),
    staleAfterMs: fields.optional('staleAfterMs', () => fields.integer('staleAfterMs', 1_000, 86_400_000), 180_000),
    resultTtlMs: fields.optional('resultTtlMs', () => fields.integer('resultTtlMs', 30_000, 86_400_000), 300_000),
    maxPendingMs: fields.optional('maxPendingMs', () => fields.integer('maxPendingMs', 100, 3_600_000), 5_000),
    bootReference: fields.optional(
      'bootReference',
      () => fields.oneOf('bootReference', ['optional', 'required']),
      'optional',
    ),
    machinesWithoutRuntime: fields.optional(
      'machinesWithoutRuntime',
      () => checkMachines(fields.texts('machinesWithoutRuntime', 1024)),
      [],
    ),
    kernelBaseline: parseKernelBaseline(
      fields.optional('kernelBaseline', () => fields.oneOf('kernelBaseline', ['on', 'off']), 'on'),
      fields.optional('kernelRules', () => fields.object('kernelRules'), undefined),
    ),
    maxMessageBytes: fields.optional(
      'maxMessageBytes',
      () => fields.integer('maxMessageBytes', 65_536, 256 * MIB),
      16 * MIB,
    ),
    maxRoundBytes: fields.optional('maxRoundBytes', () => fields.integer('maxRoundBytes', MIB, 1024 * MIB), 128 * MIB),
    maxStreamsPerPeer: fields.optional('maxStreamsPerPeer', () => fields.integer('maxStreamsPerPeer', 1, 10_000), 16),
    maxMessagesPerSecond: fields.optional(
      'maxMessagesPerSecond',
      () => fields.integer('maxMessagesPerSecond', 1, 100_000),
      50,
    ),
    logLevel: fields.optional('logLevel', () => fields.oneOf('logLevel', LOG_LEVELS), 'info'),
  };
  fields.end();
  return config;
}

/** `kernelBaseline` switches all rules off; `kernelRules` gives rules by their ids another severity. */
function parseKernelBaseline(whether: 'on' | 'off', fields: FieldReader | undefined): KernelBaseline {
  const overrides = new Map<string, KernelRuleSeverity>();
  for (const { id } of KERNEL_RULES) {
    const severity = fields?.optional(id, () => fields.oneOf(id, RULE_SEVERITIES), undefined);
    if (severity !== undefined) overrides.set(id, severity);
  }
  fields?.end();
  return whether === 'on' ? createKernelBaseline(overrides) : [];
}

function checkMachines(machines: string[]): string[] {
  const wrong = machines.find((machine) => !isScopePattern(machine));
  if (wrong !== undefined) fail('"machinesWithoutRuntime" takes names of kube nodes, prefix/* or *');
  return machines;
}

function parseTls(fields: FieldReader): VerifierTlsConfig {
  const tls = { ca: fields.text('ca'), cert: fields.text('cert'), key: fields.text('key') };
  fields.end();
  return tls;
}

function parseSubscription(fields: FieldReader): SubscriptionConfig {
  const subscription = { address: fields.address('address') };
  fields.end();
  return subscription;
}

function fail(message: string): never {
  throw new VerifierError('ERR_VERIFIER_CONFIG', message);
}
