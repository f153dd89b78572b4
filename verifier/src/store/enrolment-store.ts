import type { DatabaseSync } from 'node:sqlite';
import { runTransaction } from './open-database.ts';
import { type Row, readBytes, readNumber, readText } from './row.ts';

/** A kube node with its present keys, as enrolment verified them. */
export interface EnrolledNode {
  /** base64url of 0x01 and the SHA-256 of the EK Name: the identity. */
  readonly ueid: string;
  /** Name for people. */
  readonly label: string;
  /** nameAlg and digest, hex. */
  readonly ekName: string;
  /** TPMT_PUBLIC. */
  readonly ekPublic: Buffer;
  /** DER as the agent sent it; unverified, since whether a chain holds is a matter of when one looks. */
  readonly ekCertificates: readonly Buffer[];
  readonly akPublic: Buffer;
  readonly signingPublic: Buffer;
  /** RFC 7638 thumbprint of the signing key. */
  readonly kid: string;
  /** Names of the AKs that were rotated before this one, hex, newest first. */
  readonly predecessors: readonly string[];
  /** When the present keys were certified and when that ends. */
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

export interface EnrolmentStore {
  findNode(ueid: string): EnrolledNode | undefined;
  /** Who holds a label, or an EK. */
  findLabel(label: string): { ueid: string } | undefined;
  findEk(ekName: string): { ueid: string; label: string } | undefined;
  /** Makes the keys the only ones of this kube node; the ones before them die with this call. */
  saveNode(node: EnrolledNode): void;
}

const SELECT_NODE = `
  SELECT n.ueid, n.label, n.ek_name, n.ek_public, n.ek_certificates, k.kid, k.ak_public, k.signing_public, k.issued_at, k.expires_at,
    k.predecessors
  FROM kube_nodes n JOIN enrolled_keys k ON k.ueid = n.ueid WHERE n.ueid = ?`;

/** Creates the store of enrolled kube nodes over an open database. */
export function createEnrolmentStore(database: DatabaseSync): EnrolmentStore {
  const selectNode = database.prepare(SELECT_NODE);
  const selectLabel = database.prepare('SELECT ueid FROM kube_nodes WHERE label = ?');
  const selectEk = database.prepare('SELECT ueid, label FROM kube_nodes WHERE ek_name = ?');
  const insertNode = database.prepare(
    `INSERT INTO kube_nodes (ueid, label, ek_name, ek_public, ek_certificates, enrolled_at) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (ueid) DO UPDATE SET ek_certificates = excluded.ek_certificates`,
  );
  const deleteKeys = database.prepare('DELETE FROM enrolled_keys WHERE ueid = ?');
  const insertKeys = database.prepare(
    `INSERT INTO enrolled_keys (kid, ueid, ak_public, signing_public, issued_at, expires_at, predecessors)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  return {
    findNode: (ueid) => {
      const row = selectNode.get(ueid);
      return row === undefined ? undefined : toNode(row);
    },
    findLabel: (label) => {
      const row = selectLabel.get(label);
      return row === undefined ? undefined : { ueid: readText(row, 'ueid') };
    },
    findEk: (ekName) => {
      const row = selectEk.get(ekName);
      return row === undefined ? undefined : { ueid: readText(row, 'ueid'), label: readText(row, 'label') };
    },
    saveNode: (node) =>
      runTransaction(database, () => {
        const certificates = encodeCertificates(node.ekCertificates);
        insertNode.run(node.ueid, node.label, node.ekName, node.ekPublic, certificates, node.issuedAtMs);
        deleteKeys.run(node.ueid);
        const { kid, ueid, akPublic, signingPublic, issuedAtMs, expiresAtMs } = node;
        insertKeys.run(kid, ueid, akPublic, signingPublic, issuedAtMs, expiresAtMs, node.predecessors.join(','));
      }),
  };
}

function toNode(row: Row): EnrolledNode {
  return {
    ueid: readText(row, 'ueid'),
    label: readText(row, 'label'),
    ekName: readText(row, 'ek_name'),
    ekPublic: readBytes(row, 'ek_public'),
    ekCertificates: decodeCertificates(readText(row, 'ek_certificates')),
    akPublic: readBytes(row, 'ak_public'),
    signingPublic: readBytes(row, 'signing_public'),
    kid: readText(row, 'kid'),
    predecessors: splitList(readText(row, 'predecessors')),
    issuedAtMs: readNumber(row, 'issued_at'),
    expiresAtMs: readNumber(row, 'expires_at'),
  };
}

/** Base64 with commas between: neither has the other's characters. */
function encodeCertificates(certificates: readonly Buffer[]): string {
  return certificates.map((der) => der.toString('base64')).join(',');
}

function decodeCertificates(text: string): Buffer[] {
  return splitList(text).map((base64) => Buffer.from(base64, 'base64'));
}

function splitList(text: string): string[] {
  return text === '' ? [] : text.split(',');
}
