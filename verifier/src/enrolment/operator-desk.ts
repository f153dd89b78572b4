import type { DatabaseSync } from 'node:sqlite';
import type { FindingCode } from '../appraisal/finding-code.ts';
import type { NodeRegistry } from '../session/node-registry.ts';
import type { ChainStore, Incident } from '../store/chain-store.ts';
import type { EnrolmentStore } from '../store/enrolment-store.ts';
import { runTransaction } from '../store/open-database.ts';
import type { OperatorStore } from '../store/operator-store.ts';
import { VerifierError } from '../verifier-error.ts';

/** Who asks, about which kube node, and why. */
export interface OperatorRequest {
  readonly kubeNode: string;
  readonly reason: string;
  /** SHA-256 of the TLS key that asks, hex. */
  readonly operator: string;
}

/** What only an operator decides. The caller checks the role. */
export interface OperatorDesk {
  /**
   * Ends an incident. After CHAIN_FORK and TPM_ROLLBACK no later evidence would ever fit: chain, counters and logs of
   * the kube node begin anew with its next evidence.
   */
  acknowledge(request: OperatorRequest & { readonly code: string }): Incident;
  /** Forgets an enrolment; where its EK is still pinned it may enrol again, as if for the first time. */
  remove(request: OperatorRequest): { readonly ueid: string; readonly incidents: readonly Incident[] };
}

export interface OperatorDeskDeps {
  readonly database: DatabaseSync;
  readonly operators: OperatorStore;
  readonly chain: Pick<ChainStore, 'listIncidents'>;
  readonly enrolment: Pick<EnrolmentStore, 'findLabel'>;
  readonly registry: Pick<NodeRegistry, 'open' | 'forget'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Appraises the standing evidence of a kube node again. */
  readonly reappraise: (ueid: string) => void;
  /** Hears of everything that was done. */
  readonly onAction: (message: string, details: Readonly<Record<string, string>>) => void;
}

const MAX_REASON = 500;
const BEGINS_ANEW: readonly FindingCode[] = ['CHAIN_FORK', 'TPM_ROLLBACK'];

/**
 * Creates the desk. What it does is recorded with who asked, why, and the incidents that it ended, in the same
 * transaction. Its methods throw `VerifierError` ERR_VERIFIER_NOT_FOUND for an unknown kube node or incident, and
 * ERR_VERIFIER_MESSAGE for a reason that is missing or too long.
 */
export function createOperatorDesk(deps: OperatorDeskDeps): OperatorDesk {
  const { chain, database, operators, registry } = deps;
  return {
    acknowledge: (request) => {
      const ueid = findNode(request, deps);
      const incident = chain.listIncidents(ueid).find(({ code }) => code === request.code);
      if (incident === undefined) {
        throw new VerifierError('ERR_VERIFIER_NOT_FOUND', `${request.kubeNode} has no open incident of this code`);
      }
      runTransaction(database, () => {
        operators.dropIncident(ueid, incident.code);
        if (BEGINS_ANEW.includes(incident.code)) operators.dropHead(ueid);
        operators.recordAction(describe('acknowledge', ueid, request, [incident], deps));
      });
      registry.forget(ueid);
      deps.onAction('incident acknowledged', { ...pickDetails(ueid, request), incident: incident.code });
      deps.reappraise(ueid);
      return incident;
    },
    remove: (request) => {
      const ueid = findNode(request, deps);
      const incidents = chain.listIncidents(ueid);
      runTransaction(database, () => {
        operators.dropNode(ueid);
        operators.recordAction(describe('remove', ueid, request, incidents, deps));
      });
      registry.forget(ueid);
      deps.onAction('kube node removed', pickDetails(ueid, request));
      return { ueid, incidents };
    },
  };
}

function findNode({ kubeNode, reason }: OperatorRequest, { enrolment }: OperatorDeskDeps): string {
  if (reason.trim() === '' || reason.length > MAX_REASON) {
    throw new VerifierError('ERR_VERIFIER_MESSAGE', `a reason of 1 to ${MAX_REASON} characters is needed`);
  }
  const found = enrolment.findLabel(kubeNode);
  if (found === undefined) throw new VerifierError('ERR_VERIFIER_NOT_FOUND', 'no kube node is enrolled by this name');
  return found.ueid;
}

function describe(
  action: 'acknowledge' | 'remove',
  ueid: string,
  { kubeNode, reason, operator }: OperatorRequest,
  incidents: readonly Incident[],
  { now }: OperatorDeskDeps,
) {
  return { atMs: now(), operator, action, ueid, label: kubeNode, reason, incidents };
}

function pickDetails(ueid: string, { kubeNode, operator, reason }: OperatorRequest) {
  return { kubeNode, ueid, operator, reason };
}
