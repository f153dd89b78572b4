import {
  type PreparedKeys,
  parsePublic,
  prepareEnrolledKeys,
  publicToKeyObject,
  type VerifiedToken,
} from '@holdfast/evidence';
import type { FindingCode } from '../appraisal/finding-code.ts';
import type { PublishedState } from '../results/result-publisher.ts';
import type { BootSession, BootSessionStore } from '../store/boot-session-store.ts';
import type { ChainHead, ChainStore } from '../store/chain-store.ts';
import type { ContentStore } from '../store/content-store.ts';
import type { EnrolledNode, EnrolmentStore } from '../store/enrolment-store.ts';

/** What is known of one kube node, kept so that an unchanged one costs no read. */
export interface NodeState {
  node: EnrolledNode;
  readonly keys: PreparedKeys;
  /** Digests of the stored contents. */
  readonly contents: Set<string>;
  head: ChainHead | undefined;
  incidents: readonly FindingCode[];
  /** Where its logs stand; undefined before the first fresh evidence. */
  bootSession: BootSession | undefined;
  /** The evidence that the standing result rests on; undefined before the first one of this process. */
  standing: { readonly token: VerifiedToken; readonly receivedAtMs: number } | undefined;
  /** The last result of this process. */
  published: PublishedState | undefined;
}

export interface NodeRegistry {
  /** Undefined for a kube node that is not enrolled. */
  open(ueid: string): NodeState | undefined;
  /** Takes a new enrolment: renewed certificates of the same keys change nothing else. */
  update(node: EnrolledNode): void;
}

export interface NodeRegistryDeps {
  readonly enrolment: Pick<EnrolmentStore, 'findNode'>;
  readonly chain: Pick<ChainStore, 'findHead' | 'listIncidents'>;
  readonly contents: Pick<ContentStore, 'listDigests'>;
  readonly bootSessions: Pick<BootSessionStore, 'findSession'>;
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
    update: (node) => {
      const state = states.get(node.ueid);
      const isSame = state?.node.kid === node.kid && state.node.akPublic.equals(node.akPublic);
      if (state !== undefined && isSame) state.node = node;
      else states.delete(node.ueid);
    },
  };
}

function load(ueid: string, deps: NodeRegistryDeps): NodeState | undefined {
  const node = deps.enrolment.findNode(ueid);
  if (node === undefined) return undefined;
  return {
    node,
    keys: prepareEnrolledKeys({
      signingKey: publicToKeyObject(parsePublic(node.signingPublic)),
      akPublic: node.akPublic,
      ekName: Buffer.from(node.ekName, 'hex'),
    }),
    contents: new Set(deps.contents.listDigests(ueid)),
    head: deps.chain.findHead(ueid),
    incidents: deps.chain.listIncidents(ueid).map(({ code }) => code),
    bootSession: deps.bootSessions.findSession(ueid),
    standing: undefined,
    published: undefined,
  };
}
