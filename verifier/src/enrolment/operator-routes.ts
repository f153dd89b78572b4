import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  AcknowledgeIncidentResponseSchema,
  type Incident as IncidentMessage,
  IncidentSchema,
  RemoveKubeNodeResponseSchema,
  ResultService,
} from '@holdfast/proto';
import type { PeerRole } from '../server/peer.ts';
import { createUnaryRoute, type Guard, type Route } from '../server/routes.ts';
import type { Incident } from '../store/chain-store.ts';
import type { OperatorDesk } from './operator-desk.ts';

const OPERATORS: readonly PeerRole[] = ['operator'];

/** The routes of ResultService that change something: for operators alone. */
export function createOperatorRoutes(desk: OperatorDesk, guard: Guard): Route[] {
  const { acknowledgeIncident, removeKubeNode } = ResultService.method;
  return [
    createUnaryRoute(acknowledgeIncident, OPERATORS, guard, ({ kubeNode, code, reason }, { spkiSha256 }) => {
      const incident = desk.acknowledge({ kubeNode, code, reason, operator: spkiSha256 });
      return create(AcknowledgeIncidentResponseSchema, { incident: toMessage(incident) });
    }),
    createUnaryRoute(removeKubeNode, OPERATORS, guard, ({ kubeNode, reason }, { spkiSha256 }) => {
      const { ueid, incidents } = desk.remove({ kubeNode, reason, operator: spkiSha256 });
      return create(RemoveKubeNodeResponseSchema, { ueid, incidents: incidents.map(toMessage) });
    }),
  ];
}

function toMessage({ code, firstAtMs, lastAtMs, count }: Incident): IncidentMessage {
  const [firstAt, lastAt] = [timestampFromMs(firstAtMs), timestampFromMs(lastAtMs)];
  return create(IncidentSchema, { code, firstAt, lastAt, count });
}
