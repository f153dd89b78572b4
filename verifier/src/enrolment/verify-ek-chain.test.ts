import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { parseCertificate } from '../certificates/x509/certificate.ts';
import { DerError, encodeDer } from '../certificates/x509/der.ts';
import { VerifierError } from '../verifier-error.ts';
import {
  type Authority,
  type CertificatePlan,
  certifyAuthority,
  certifyEk,
  encodeExtension,
  encodeName,
  encodeNameConstraints,
  KEY_CERT_SIGN,
  makeAuthority,
  makeKey,
  NOW,
  sequence,
  YEAR_MS,
} from './ek-chain.fixture.ts';
import { verifyEkChain } from './verify-ek-chain.ts';

const root = makeAuthority('O=Maker/CN=Root');
const middle = makeAuthority('O=Maker/CN=Middle');
const lower = makeAuthority('O=Maker/CN=Lower');
const ekPrivate = makeKey();
const ekKey = createPublicKey(ekPrivate);
const rootCertificate = certifyAuthority(root, root);
const middleCertificate = certifyAuthority(middle, root);
const ekCertificate = certifyEk(ekKey, middle);

interface Case {
  certificates?: Buffer[];
  roots?: Buffer[];
  intermediates?: Buffer[];
  nowMs?: number;
}

/** A good chain: EK, Middle out of NV, Root configured. */
function run({ certificates = [ekCertificate, middleCertificate], roots = [rootCertificate], ...rest }: Case) {
  const { intermediates = [], nowMs = NOW } = rest;
  const parse = (list: Buffer[]) => list.map((der) => parseCertificate(der));
  return verifyEkChain({ certificates, ekKey, roots: parse(roots), intermediates: parse(intermediates), nowMs });
}

function refuses(code: string, input: Case): void {
  assert.throws(
    () => run(input),
    (error) => {
      assert.ok(error instanceof VerifierError, String(error));
      assert.equal(error.code, `ERR_VERIFIER_EK_${code}`, error.message);
      return true;
    },
  );
}

const withEk = (plan: Partial<CertificatePlan>): Case => ({
  certificates: [certifyEk(ekKey, middle, plan), middleCertificate],
});
const withMiddle = (plan: Partial<CertificatePlan>): Case => ({
  certificates: [ekCertificate, certifyAuthority(middle, root, plan)],
});
const withRoot = (plan: Partial<CertificatePlan>): Case => ({ roots: [certifyAuthority(root, root, plan)] });

/** Root, Middle, Lower, EK. */
function withLower(
  rootPlan: Partial<CertificatePlan>,
  middlePlan: Partial<CertificatePlan> = {},
  leaf: Authority = lower,
): Case {
  const certificates = [
    certifyEk(ekKey, leaf),
    certifyAuthority(lower, middle),
    certifyAuthority(middle, root, middlePlan),
  ];
  return { certificates, roots: [certifyAuthority(root, root, rootPlan)] };
}

test('a chain holds with intermediates of the TPM or of the operator, in any order, until its first end', () => {
  assert.deepEqual(run({}), { notAfterMs: NOW + YEAR_MS });
  assert.deepEqual(run({ certificates: [middleCertificate, ekCertificate] }), { notAfterMs: NOW + YEAR_MS });
  assert.deepEqual(run({ certificates: [ekCertificate], intermediates: [middleCertificate] }), {
    notAfterMs: NOW + YEAR_MS,
  });
  assert.deepEqual(run(withMiddle({ notAfterMs: NOW + 1000 })), { notAfterMs: NOW + 1000 });
  assert.deepEqual(run(withLower({})), { notAfterMs: NOW + YEAR_MS });
});

test('an EK certificate directly below a root, and one without extensions of use, hold', () => {
  run({ certificates: [certifyEk(ekKey, root)] });
  run(withEk({ authority: null, keyUsage: null, extendedKeyUsage: null }));
});

test('an operator may configure an intermediate as the root', () => {
  run({ certificates: [ekCertificate], roots: [middleCertificate] });
});

test('a certificate that is BER but not DER, is padded or has another spelling of its issuer holds', () => {
  run(withEk({ sloppy: true }));
  run({ certificates: [Buffer.concat([ekCertificate, Buffer.alloc(300, 0xff)]), middleCertificate] });
  const spelt = { name: 'o=maker/cn=  MIDDLE ', key: middle.key };
  run({ certificates: [certifyEk(ekKey, spelt), middleCertificate] });
});

test('RSA keys, one of them named as id-RSAES-OAEP, hold', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const issuer = { name: 'CN=RSA root', key: privateKey };
  const signature = { oid: '1.2.840.113549.1.1.11', hash: 'sha256' };
  const roots = [parseCertificate(certifyAuthority(issuer, issuer, { signature }))];
  const oaep = sequence(encodeDer(0x06, Buffer.from('2a864886f70d010107', 'hex')));
  const pkcs1 = encodeDer(0x03, Buffer.of(0), publicKey.export({ type: 'pkcs1', format: 'der' }));
  const certificates = [certifyEk(sequence(oaep, pkcs1), issuer, { signature })];
  assert.ok(verifyEkChain({ certificates, ekKey: publicKey, roots, intermediates: [], nowMs: NOW }));
});

test('of several certificates of the EK one that holds is enough, wherever it stands', () => {
  const expired = certifyEk(ekKey, middle, { notAfterMs: NOW - 1000 });
  const stranger = certifyEk(ekKey, makeAuthority('O=Other/CN=Gone'));
  for (const other of [expired, stranger]) {
    run({ certificates: [other, ekCertificate, middleCertificate] });
    run({ certificates: [ekCertificate, other, middleCertificate] });
  }
  refuses('CERTIFICATE_EXPIRED', { certificates: [expired, stranger, middleCertificate] });
  refuses('CHAIN_ISSUER', { certificates: [stranger, expired, middleCertificate] });
});

test('several certificates of the EK share one bound on signatures', () => {
  const certificates = [certifyEk(ekKey, makeAuthority('CN=A')), certifyEk(ekKey, root)];
  const named = makeAuthority('CN=A');
  const impostors = Array.from({ length: 64 }, () => certifyAuthority(named, named));
  run({ certificates, roots: [...impostors.slice(1), rootCertificate] });
  refuses('CHAIN_SIGNATURE', { certificates, roots: [...impostors, rootCertificate] });
});

test('an EK certificate is refused that is missing, unreadable, or about another key', () => {
  refuses('CERTIFICATE_MISSING', { certificates: [] });
  refuses('CERTIFICATE_MALFORMED', { certificates: [Buffer.from('no certificate')] });
  refuses('CERTIFICATE_MALFORMED', { certificates: [ekCertificate.subarray(0, -1), middleCertificate] });
  refuses('CERTIFICATE_KEY', { certificates: [certifyEk(createPublicKey(makeKey()), middle), middleCertificate] });
  refuses('CERTIFICATE_KEY', { certificates: [middleCertificate] });
});

test('an EK certificate is refused that is not valid now, that of a CA, or for something else', () => {
  refuses('CERTIFICATE_EXPIRED', withEk({ notAfterMs: NOW - 1000 }));
  refuses('CERTIFICATE_EXPIRED', withEk({ notBeforeMs: NOW + 1000 }));
  refuses('CERTIFICATE_CA', withEk({ authority: { isAuthority: true } }));
  refuses('CERTIFICATE_CA', withEk({ keyUsage: [2, KEY_CERT_SIGN] }));
  refuses('CERTIFICATE_USAGE', withEk({ keyUsage: [0] }));
  refuses('CERTIFICATE_USAGE', withEk({ extendedKeyUsage: '2.23.133.8.3' }));
});

test('a chain is refused whose issuer is missing, or is another one of that name', () => {
  refuses('CHAIN_ISSUER', { certificates: [ekCertificate] });
  refuses('CHAIN_ISSUER', { roots: [] });
  const stranger = makeAuthority('O=Other/CN=Root');
  refuses('CHAIN_ISSUER', { roots: [certifyAuthority(stranger, stranger)] });
  const impostor = makeAuthority(root.name);
  refuses('CHAIN_SIGNATURE', { roots: [certifyAuthority(impostor, impostor)] });
  refuses('CHAIN_SIGNATURE', { certificates: [ekCertificate, certifyAuthority(makeAuthority(middle.name), root)] });
});

test('among issuers of one name the right one is found', () => {
  const impostor = makeAuthority(root.name);
  run({ roots: [certifyAuthority(impostor, impostor), rootCertificate] });
  run({ certificates: [ekCertificate, certifyAuthority(makeAuthority(middle.name), root), middleCertificate] });
  run({ intermediates: [certifyAuthority(middle, root, { notAfterMs: NOW - 1 })] });
});

test('a chain is refused whose issuers are not valid now, roots among them', () => {
  refuses('CHAIN_EXPIRED', withRoot({ notAfterMs: NOW - 1000 }));
  refuses('CHAIN_EXPIRED', withRoot({ notBeforeMs: NOW + 1000 }));
  refuses('CHAIN_EXPIRED', withMiddle({ notAfterMs: NOW - 1000 }));
  refuses('CERTIFICATE_EXPIRED', { nowMs: NOW + 2 * YEAR_MS });
});

test('a chain is refused whose issuers are no CA, or may not sign certificates', () => {
  refuses('CHAIN_CA', withMiddle({ authority: { isAuthority: false } }));
  refuses('CHAIN_CA', withMiddle({ authority: null }));
  refuses('CHAIN_CA', withMiddle({ keyUsage: [0, 6] }));
  refuses('CHAIN_CA', withRoot({ authority: { isAuthority: false } }));
  run(withMiddle({ keyUsage: null }));
});

test('an EK certificate cannot stand in as the issuer of another one', () => {
  const forged = { name: 'CN=some TPM', key: ekPrivate };
  const own = certifyEk(createPublicKey(ekPrivate), middle, { subject: forged.name });
  const other = createPublicKey(makeKey());
  assert.throws(
    () =>
      verifyEkChain({
        certificates: [certifyEk(other, forged), own, middleCertificate],
        ekKey: other,
        roots: [parseCertificate(rootCertificate)],
        intermediates: [],
        nowMs: NOW,
      }),
    { code: 'ERR_VERIFIER_EK_CHAIN_CA' },
  );
});

test('path lengths count the CAs below', () => {
  run(withLower({ authority: { isAuthority: true, pathLength: 2 } }));
  refuses('CHAIN_LENGTH', withLower({ authority: { isAuthority: true, pathLength: 1 } }));
  refuses('CHAIN_LENGTH', withLower({}, { authority: { isAuthority: true, pathLength: 0 } }));
  run({ ...withMiddle({ authority: { isAuthority: true, pathLength: 0 } }) });
});

test('a critical extension that is not known is refused, one that is not critical passed over', () => {
  const more = (critical: boolean) => ({ more: [encodeExtension('1.3.6.1.4.1.99999.1', sequence(), critical)] });
  run(withEk(more(false)));
  refuses('CHAIN_CRITICAL', withEk(more(true)));
  refuses('CHAIN_CRITICAL', withMiddle(more(true)));
});

test('signatures of a kind that does not count are refused', () => {
  refuses('CHAIN_ALGORITHM', withEk({ signature: { oid: '1.2.840.10045.4.1', hash: 'sha1' } }));
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const issuer = { name: 'CN=weak', key: privateKey };
  const signature = { oid: '1.2.840.113549.1.1.11', hash: 'sha256' };
  refuses('CHAIN_ALGORITHM', {
    certificates: [certifyEk(ekKey, issuer, { signature })],
    roots: [certifyAuthority(issuer, issuer, { signature })],
  });
});

test('name constraints of an issuer bind subjects and alternative directory names below it', () => {
  const constrain = (permitted: string[], excluded: string[] = []) => ({
    more: [encodeExtension('2.5.29.30', encodeNameConstraints(permitted, excluded), true)],
  });
  run(withRoot(constrain(['O=Maker'])));
  refuses('CHAIN_NAMES', withRoot(constrain(['O=Other'])));
  refuses('CHAIN_NAMES', withRoot(constrain([], ['o=MAKER'])));
  const named = (name: Buffer) => [encodeExtension('2.5.29.17', sequence(name), true)];
  const constrained = certifyAuthority(middle, root, constrain(['O=Maker']));
  const test = (name: Buffer) => ({ certificates: [certifyEk(ekKey, middle, { more: named(name) }), constrained] });
  run(test(encodeDer(0xa4, encodeName('O=Maker/CN=tpm'))));
  refuses('CHAIN_NAMES', test(encodeDer(0xa4, encodeName('O=Other/CN=tpm'))));
  const dns = sequence(encodeDer(0xa0, sequence(encodeDer(0x82, Buffer.from('example.com')))));
  const byDns = certifyAuthority(middle, root, { more: [encodeExtension('2.5.29.30', dns, true)] });
  const dnsName = encodeDer(0x82, Buffer.from('example.com'));
  refuses('CHAIN_NAMES', { certificates: [certifyEk(ekKey, middle, { more: named(dnsName) }), byDns] });
});

test('certificates that issue one another, and many of one name, end in time', () => {
  const [a, b] = [makeAuthority('CN=A'), makeAuthority('CN=B')];
  refuses('CHAIN_ISSUER', { certificates: [certifyEk(ekKey, a), certifyAuthority(a, b), certifyAuthority(b, a)] });
  const clones = Array.from({ length: 200 }, () => certifyAuthority(a, a));
  refuses('CHAIN_ISSUER', { certificates: [certifyEk(ekKey, a)], intermediates: clones });
});

test('no flipped bit of an EK certificate or its issuer passes', () => {
  for (const [at, original] of [ekCertificate, middleCertificate].entries()) {
    for (let bit = 0; bit < original.length * 8; bit += 5) {
      const flipped = Buffer.from(original);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const certificates = at === 0 ? [flipped, middleCertificate] : [ekCertificate, flipped];
      assert.throws(() => run({ certificates }), VerifierError, `bit ${bit}`);
    }
  }
});

test('a certificate that is cut, turned or random is parsed or refused with the one error', () => {
  const parseOrRefuse = (bytes: Buffer) => {
    try {
      parseCertificate(bytes);
    } catch (error) {
      assert.ok(error instanceof DerError, String(error));
    }
  };
  for (let end = 0; end < ekCertificate.length; end += 1) {
    assert.throws(() => parseCertificate(ekCertificate.subarray(0, end)), DerError);
  }
  let seed = 0x2545f491;
  const random = () => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return seed >>> 0;
  };
  for (let round = 0; round < 4000; round += 1) {
    const bytes = Buffer.from(round % 2 === 0 ? ekCertificate : middleCertificate);
    for (let change = 0; change < 3; change += 1) bytes.writeUInt8(random() % 256, random() % bytes.length);
    parseOrRefuse(bytes);
  }
});
