import {
  type PreparedKeys,
  parsePublic,
  prepareEnrolledKeys,
  publicToKeyObject,
  type VerifiedToken,
} from '@holdfast/evidence';
import type { FindingCode } from '../appraisal/finding-code.ts';
import { createReplayAllowance, type ReplayAllowance } from '../ima/replay-allowance.ts';
import type { PublishedState } from '../results/result-publisher.ts';
import type { BootSession, BootSessionStore } from '../store/boot-session-store.ts';
import type { ChainHead, ChainStore } from '../store/chain-store.ts';
import type { ContentStore } from '../store/content-store.ts';
import type { EnrolledNode, EnrolmentStore } from '../store/enrolment-store.ts';
import type { MeasuredFileStore, MeasuredState } from '../store/measured-file-store.ts';
import { type ContentAllowance, createContentAllowance } from './content-allowance.ts';
import type { RememberedAgent } from './join-measured.ts';

/** What is known of one kube node, kept so that an unchanged one costs no read. */
export interface NodeState {
  node: EnrolledNode;
  keys: PreparedKeys;
  /** Keys that were rotated a moment ago: evidence on its way may still be theirs. */
  retired: { readonly keys: PreparedKeys; readonly untilMs: number } | undefined;
  /** Digests of the stored contents. */
  readonly contents: Set<string>;
  head: ChainHead | undefined;
  incidents: readonly FindingCode[];
  /** Where its logs stand; undefined before the first fresh evidence. */
  bootSession: BootSession | undefined;
  /** What is kept of the files that IMA measured; undefined before any was. */
  measured: MeasuredState | undefined;
  /** What it may have replayed of IMA lists, with what it used up in this process. */
  readonly imaAllowance: ReplayAllowance;
  /** What it may bring of content, with what it used up in this process. */
  readonly contentAllowance: ContentAllowance;
  /** What was concluded last about its agent's files. */
  agent: RememberedAgent | undefined;
  /** The evidence that the standing result rests on; undefined before the first one of this process. */
  standing: { readonly token: VerifiedToken; readonly receivedAtMs: number } | undefined;
  /** The last result of this process. */
  published: PublishedState | undefined;
}

export interface NodeRegistry {
  /** Undefined for a kube node that is not enrolled. */
  open(ueid: string): NodeState | undefined;
  /**
   * Takes a new enrolment: renewed certificates of the same keys change nothing else. Keys that were rotated stay good for a
   * while; keys that others took the place of are dead.
   */
  update(node: EnrolledNode, rotated?: RotatedKeys): void;
  /** Reads a kube node anew when it is asked for next: an operator changed what the store says of it. */
  forget(ueid: string): void;
}

/** What was enrolled before a rotation, and until when its keys still count. */
export interface RotatedKeys {
  readonly before: EnrolledNode;
  readonly untilMs: number;
}

export interface NodeRegistryDeps {
  readonly enrolment: Pick<EnrolmentStore, 'findNode'>;
  readonly chain: Pick<ChainStore, 'findHead' | 'listIncidents'>;
  readonly contents: Pick<ContentStore, 'listDigests'>;
  readonly bootSessions: Pick<BootSessionStore, 'findSession'>;
  readonly measuredFiles: Pick<MeasuredFileStore, 'findState'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** What a round may carry. */
  readonly maxRoundBytes: number;
  /** Kube nodes that are kept; the one that was used longest ago goes first. */
  readonly maxNodes: number;
}

/** Creates the registry over the stores of one process. Another writer of the same store shows as a lost head race. */
export function createNodeRegistry(deps: NodeRegistryDeps): NodeRegistry {
  const states = new Map<string, NodeState>();
  return {
    open: (ueid) => {
      const state = states.get(ueid) ?? load(ueid, deps);
      if (state === undefined) return undefined;
      states.delete(ueid);
      states.set(ueid, state);
      const oldest = states.keys().next();
      if (states.size > deps.maxNodes && !oldest.done) states.delete(oldest.value);
      return state;
    },
    update: (node, rotated) => {
      const state = states.get(node.ueid);
      const isSame = state?.node.kid === node.kid && state.node.akPublic.equals(node.akPublic);
      if (state !== undefined && isSame) state.node = node;
      else if (rotated === undefined) states.delete(node.ueid);
      else states.set(node.ueid, rotate(state, node, rotated, deps));
    },
    forget: (ueid) => {
      states.delete(ueid);
    },
  };
}

/** In place where it is in use, so that a round that is being taken still meets the state that it began with. */
function rotate(
  known: NodeState | undefined,
  node: EnrolledNode,
  { before, untilMs }: RotatedKeys,
  deps: NodeRegistryDeps,
): NodeState {
  const state = known ?? load(node.ueid, deps);
  if (state === undefined) throw new TypeError('a rotation is told of after the new keys were stored');
  state.retired = { keys: prepareKeys(before), untilMs };
  state.node = node;
  state.keys = prepareKeys(node);
  state.head = deps.chain.findHead(node.ueid);
  state.bootSession = deps.bootSessions.findSession(node.ueid);
  return state;
}

/** The keys that evidence with this `kid` is verified with. */
export function chooseKeys(state: Pick<NodeState, 'keys' | 'retired'>, kid: string, nowMs: number): PreparedKeys {
  const { keys, retired } = state;
  return retired !== undefined && retired.keys.kid === kid && nowMs < retired.untilMs ? retired.keys : keys;
}

function prepareKeys(node: EnrolledNode): PreparedKeys {
  return prepareEnrolledKeys({
    signingKey: publicToKeyObject(parsePublic(node.signingPublic)),
    akPublic: node.akPublic,
    ekName: Buffer.from(node.ekName, 'hex'),
  });
}

function load(ueid: string, deps: NodeRegistryDeps): NodeState | undefined {
  const node = deps.enrolment.findNode(ueid);
  if (node === undefined) return undefined;
  return {
    node,
    keys: prepareKeys(node),
    retired: undefined,
    contents: new Set(deps.contents.listDigests(ueid)),
    head: deps.chain.findHead(ueid),
    incidents: deps.chain.listIncidents(ueid).map(({ code }) => code),
    bootSession: deps.bootSessions.findSession(ueid),
    measured: deps.measuredFiles.findState(ueid),
    imaAllowance: createReplayAllowance(deps.now),
    contentAllowance: createContentAllowance(deps.maxRoundBytes, deps.now),
    agent: undefined,
    standing: undefined,
    published: undefined,
  };
}
