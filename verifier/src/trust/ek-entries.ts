import { type Certificate, parseCertificate } from '../certificates/x509/certificate.ts';
import { DerError } from '../certificates/x509/der.ts';
import type { FieldFailure, FieldReader } from './field-reader.ts';
import type { EkPin } from './trust.ts';

const MAX_EKS = 20_000;
const MAX_EKS_OF_MACHINE = 8;
const MAX_ENTRIES = 256;
const MAX_AUTHORITIES = 1024;
const MAX_BUNDLE_LENGTH = 1024 * 1024;
/** nameAlg (SHA-256, SHA-384 or SHA-512) and its digest. */
const EK_NAME = /^(?:000b[0-9a-f]{64}|000c[0-9a-f]{96}|000d[0-9a-f]{128})$/;
const PEM = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g;
const ENDORSEMENTS = ['chain', 'pin'] as const;

/** Reads the field `eks`: one row a machine, with one EK (`ekName`) or several (`ekNames`). Throws what `refuse` makes. */
export function readEkPins(root: FieldReader, refuse: FieldFailure): EkPin[] {
  const pins = root.objects('eks', MAX_EKS).flatMap((row) => readRow(row, refuse));
  if (pins.length > MAX_EKS) throw refuse(`eks has more than ${MAX_EKS} EKs`);
  return pins;
}

function readRow(row: FieldReader, refuse: FieldFailure): EkPin[] {
  row.only(['kubeNode', 'ekName', 'ekNames', 'endorsement']);
  if (row.has('ekName') === row.has('ekNames')) throw refuse(`${row.path} needs either ekName or ekNames`);
  const kubeNode = row.raw('kubeNode') === null ? null : row.string('kubeNode', { pattern: /^[\x21-\x7e]{1,253}$/ });
  const rule = { pattern: EK_NAME };
  const machine = row.has('ekName') ? [row.string('ekName', rule)] : row.strings('ekNames', MAX_EKS_OF_MACHINE, rule);
  if (machine.length === 0) throw refuse(`${row.path}.ekNames is empty`);
  const endorsement = row.has('endorsement') ? { endorsement: row.oneOf('endorsement', ENDORSEMENTS) } : {};
  return machine.map((ekName) => ({ kubeNode, ekName, machine, ...endorsement }));
}

/** Reads a list of PEM texts, each with one certificate or a bundle of several. Throws what `refuse` makes. */
export function readEkAuthorities(root: FieldReader, field: string, refuse: FieldFailure): Certificate[] {
  const texts = root.strings(field, MAX_ENTRIES, { maxLength: MAX_BUNDLE_LENGTH });
  const certificates = texts.flatMap((text, at) => readBundle(text, `${root.path}.${field}[${at}]`, refuse));
  if (certificates.length > MAX_AUTHORITIES) throw refuse(`${field} has more than ${MAX_AUTHORITIES} certificates`);
  return certificates;
}

function readBundle(text: string, path: string, refuse: FieldFailure): Certificate[] {
  const blocks = [...text.matchAll(PEM)];
  if (blocks.length === 0) throw refuse(`${path} is no PEM certificate`);
  return blocks.map(([, base64 = '']) => {
    try {
      return parseCertificate(Buffer.from(base64, 'base64'));
    } catch (error) {
      if (error instanceof DerError) throw refuse(`${path} holds a certificate that cannot be read`, error);
      throw error;
    }
  });
}
