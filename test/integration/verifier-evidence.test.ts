import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { encodeAkTemplate, encodeSigningTemplate } from '@holdfast/evidence';
import { AttestationStatus, callUnary, type Receipt, type Result, ResultService, RoundOutcome } from '@holdfast/proto';
import { type ClaimsContent, createClaimsContent } from '../support/claims-fixture.ts';
import {
  createBareEvidence,
  createFullEvidence,
  type RoundChanges,
  SoftwareAttester,
} from '../support/software-attester.ts';
import { createKey, SoftwareTpm } from '../support/software-tpm.ts';
import { AttestStream, enrolSoftware } from '../support/verifier-client.ts';
import { createVerifierWorld, type DialledClient, KUBE_NODE, type VerifierWorld } from '../support/verifier-world.ts';

const OTHER_NODE = 'worker-2';
let world: VerifierWorld;
let agent: DialledClient;
let operator: DialledClient;
let otherTpm: SoftwareTpm;
let otherAgent: DialledClient;
let attester: SoftwareAttester;
const content = createClaimsContent(KUBE_NODE, [{ id: 'c1' }]);

before(async () => {
  world = await createVerifierWorld();
  otherTpm = new SoftwareTpm();
  const eks = [
    { kubeNode: KUBE_NODE, ekName: world.tpm.ek.name.toString('hex') },
    { kubeNode: OTHER_NODE, ekName: otherTpm.ek.name.toString('hex') },
  ];
  await world.writeTrust({ eks });
  await world.restart();
  operator = await world.dial('operator', ['operator']);
  otherAgent = await world.dial('agent-2', ['agent']);
  await enrolSoftware(otherAgent, otherTpm, OTHER_NODE);
  agent = await world.dial('agent', ['agent']);
  await enrolSoftware(agent, world.tpm, KUBE_NODE);
  attester = new SoftwareAttester(world.tpm, KUBE_NODE, agent.spkiSha256);
});
after(async () => await world.close());

let stream: AttestStream;
let nonce: string;
beforeEach(async () => {
  stream?.close();
  stream = new AttestStream(agent);
  nonce = (await stream.open(world.tpm, KUBE_NODE)).nonce;
});

function assertRefused(receipt: Receipt, code: string | RegExp): void {
  assert.equal(receipt.outcome, RoundOutcome.REFUSED, receipt.detail);
  assert.match(receipt.code, typeof code === 'string' ? new RegExp(`^${code}$`) : code);
  assert.equal(receipt.status, AttestationStatus.UNSPECIFIED);
  assert.ok(receipt.next?.nonce);
}

async function refuseRound(code: string | RegExp, changes: RoundChanges, made: ClaimsContent = content): Promise<void> {
  const round = attester.makeRound(nonce, made, changes);
  const receipt = await stream.send(round);
  assertRefused(receipt, code);
  assert.equal(Buffer.from(receipt.evidenceId).toString('hex'), round.evidenceId);
}

async function acceptRound(changes: RoundChanges = {}, made: ClaimsContent = content): Promise<void> {
  const round = attester.makeRound(nonce, made, changes);
  const receipt = await stream.send(round);
  assert.equal(receipt.outcome, RoundOutcome.APPRAISED, receipt.detail);
  attester.advance(round);
  nonce = receipt.next?.nonce ?? '';
}

async function readResult(): Promise<Result> {
  const { result } = await callUnary(operator.client, ResultService.method.getKubeNode, { kubeNode: KUBE_NODE });
  assert.ok(result);
  return result;
}

const codesOf = (result: Result) => result.findings.map(({ code }) => code);

test('a right round is accepted, and a replay of it is refused', async () => {
  const round = attester.makeRound(nonce, content);
  const receipt = await stream.send(round);
  assert.equal(receipt.outcome, RoundOutcome.APPRAISED, receipt.detail);
  attester.advance(round);
  assertRefused(await stream.send(round), 'ERR_VERIFIER_REPLAY');
  const other = new AttestStream(agent);
  await other.open(world.tpm, KUBE_NODE);
  assertRefused(await other.send(round), 'ERR_VERIFIER_REPLAY');
  other.close();
  assert.deepEqual(
    codesOf(await readResult()).filter((code) => code.startsWith('CHAIN')),
    [],
  );
});

test('genuine quotes under a swapped payload are refused', async () => {
  const { payload } = attester.makeRound(nonce, content);
  await refuseRound('ERR_EVIDENCE_BINDING', { quotedPayload: payload, claims: { uptime: 101 } });
});

test('a quote by another AK is refused', async () => {
  await refuseRound('ERR_EVIDENCE_SIGNATURE', { quotedBy: createKey(encodeAkTemplate()) });
});

test('a quote by the signing key is refused', async () => {
  await refuseRound('ERR_EVIDENCE_SIGNATURE', { quotedBy: world.tpm.signing });
});

test('a token signed by another key is refused', async () => {
  await refuseRound('ERR_EVIDENCE_SIGNATURE', { signedBy: createKey(encodeSigningTemplate()) });
});

test('the same quote twice, and the two in the wrong order, are refused', async () => {
  await refuseRound('ERR_EVIDENCE_QUOTE', { quotes: ([first]) => [first, first] });
  await refuseRound('ERR_EVIDENCE_QUOTE', { quotes: ([first, second]) => [second, first] });
});

test('a kube node that is enrolled with a TPM is not accepted without quotes', async () => {
  await refuseRound(/^ERR_EVIDENCE_/, { withoutTpm: true });
  await refuseRound(/^ERR_EVIDENCE_/, { withoutTpm: true, claims: { ueid: otherTpm.ueid } });
});

test('a nonce of another kube node is refused', async () => {
  const theirs = new AttestStream(otherAgent);
  const foreign = await theirs.open(otherTpm, OTHER_NODE);
  theirs.close();
  const receipt = await stream.send(attester.makeRound(foreign.nonce, content));
  assertRefused(receipt, 'ERR_VERIFIER_NONCE');
  assertRefused(await stream.send(attester.makeRound([nonce, foreign.nonce], content)), 'ERR_VERIFIER_NONCE');
});

test('evidence of another kube node is refused, whoever carries it', async () => {
  const other = new SoftwareAttester(otherTpm, OTHER_NODE, agent.spkiSha256);
  assertRefused(await stream.send(other.makeRound(nonce, content)), 'ERR_EVIDENCE_KEY');
});

test('the label and the TLS key of the evidence must be those of the enrolment and the connection', async () => {
  await refuseRound('ERR_VERIFIER_IDENTITY', { holdfast: { kubeNode: OTHER_NODE } });
  await refuseRound('ERR_VERIFIER_TLS_BINDING', { holdfast: { tls: otherAgent.spkiSha256 } });
});

test('a snapshot is no evidence of the chain', async () => {
  await refuseRound('ERR_VERIFIER_ORDER', { holdfast: { seq: null } });
});

test('no flipped bit of header, payload, quote or signature is accepted', async () => {
  const { token } = attester.makeRound(nonce, content);
  const bits = token.length * 8;
  for (let bit = 0; bit < bits; bit += 61) {
    const bytes = Buffer.from(token, 'latin1');
    bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    // A protobuf string is UTF-8; what is no ASCII stays one character.
    const receipt = await stream.sendEvidence(createBareEvidence(bytes.toString('latin1')));
    assert.equal(receipt.outcome, RoundOutcome.REFUSED, `bit ${bit} was accepted`);
    assert.match(receipt.code, /^ERR_EVIDENCE_/);
  }
});

test('the unused bits of each segment are refused', async () => {
  const round = attester.makeRound(nonce, content);
  const segments = round.token.split('.');
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  for (const at of [0, 1, 2]) {
    const segment = segments[at] ?? '';
    if (segment.length % 4 === 0) continue;
    const last = alphabet[alphabet.indexOf(segment.at(-1) ?? '') ^ 1] ?? '';
    const changed = segments.with(at, `${segment.slice(0, -1)}${last}`).join('.');
    assertRefused(await stream.sendEvidence(createBareEvidence(changed)), /^ERR_EVIDENCE_/);
  }
});

test('what is no token at all is refused and the conversation goes on', async () => {
  for (const token of ['', '..', 'a.b.c', 'x'.repeat(400_000)]) {
    assertRefused(await stream.sendEvidence(createBareEvidence(token)), /^ERR_EVIDENCE_/);
  }
  for (const bundle of ['', '[]', '{}', '[["JWT","a.b.c"],{}]', '[["JWT",1],{"host":"x"}]']) {
    const evidence = { token: { case: 'bundle' as const, value: Buffer.from(bundle) }, blobs: [] };
    assertRefused(await stream.sendEvidence(evidence), /^ERR_EVIDENCE_/);
  }
  await acceptRound();
});

test('a bundle whose claims-set is not the one that the token names is refused', async () => {
  const other = createClaimsContent(KUBE_NODE, []);
  const round = attester.makeRound(nonce, content);
  const swapped = { ...round, content: { ...content, sets: { ...content.sets, containers: other.sets.containers } } };
  assertRefused(await stream.sendEvidence(createFullEvidence(swapped)), 'ERR_EVIDENCE_DIGEST');
});

test('claims-sets that cannot be had leave nothing decided', async () => {
  const unknown = createClaimsContent(KUBE_NODE, [{ id: 'c9', name: 'never sent' }]);
  const round = attester.makeRound(nonce, unknown);
  stream.say({ case: 'evidence', value: createBareEvidence(round.token) });
  for (;;) {
    const answer = await stream.next();
    if (answer?.case === 'receipt') {
      assert.equal(answer.value.outcome, RoundOutcome.APPRAISED, answer.value.detail);
      break;
    }
    assert.equal(answer?.case, 'need');
    stream.say({ case: 'supply', value: { evidenceId: answer.value.evidenceId, blobs: [] } });
  }
  attester.advance(round);
  const result = await readResult();
  assert.equal(result.status, AttestationStatus.NONE);
  assert.ok(codesOf(result).includes('CLAIMS_MISSING'));
  assert.deepEqual(result.containers, []);
});

test('a container whose documents are missing is undecided', async () => {
  const fixture = { id: 'c7', name: 'other', drift: { rules: 'v9' } };
  const round = attester.makeRound(nonce, createClaimsContent(KUBE_NODE, [fixture]));
  const [set] = round.content.blobs;
  assert.ok(set);
  stream.say({ case: 'evidence', value: { ...createFullEvidence(round), blobs: [{ content: set }] } });
  for (let answer = await stream.next(); answer?.case !== 'receipt'; answer = await stream.next()) {
    assert.equal(answer?.case, 'need');
    stream.say({ case: 'supply', value: { evidenceId: answer.value.evidenceId, blobs: [] } });
  }
  attester.advance(round);
  const [container] = (await readResult()).containers;
  assert.equal(container?.status, AttestationStatus.NONE);
  assert.ok(container?.findings.some(({ code }) => code === 'CLAIMS_MISSING'));
});

test('pending changes beyond the limit leave a container undecided, whatever its claims say', async () => {
  await acceptRound({ holdfast: { pending: [['c1', 5001]] } });
  const [container] = (await readResult()).containers;
  assert.equal(container?.status, AttestationStatus.NONE);
  assert.deepEqual(
    container?.findings.map(({ code }) => code).filter((code) => code === 'SCAN_PENDING'),
    ['SCAN_PENDING'],
  );
});

test('evidence without a nonce that is still good counts as history', async () => {
  const before = await readResult();
  const round = attester.makeRound(undefined, createClaimsContent(KUBE_NODE, []));
  const receipt = await stream.send(round);
  assert.equal(receipt.outcome, RoundOutcome.APPRAISED);
  assert.match(receipt.detail, /history/);
  attester.advance(round);
  assert.equal((await readResult()).evidenceId, before.evidenceId);
  assertRefused(await stream.send(round), 'ERR_VERIFIER_REPLAY');
  nonce = receipt.next?.nonce ?? '';
  await acceptRound();
});

test('declared losses are no gap, lost changes are told', async () => {
  const [from, to] = [attester.seq, attester.seq + 2];
  attester.seq += 3;
  attester.prev = 'f'.repeat(64);
  await acceptRound({ holdfast: { lost: [{ from, to, kind: 'change' }] } });
  const codes = codesOf(await readResult());
  assert.ok(codes.includes('EVIDENCE_LOST'));
  assert.ok(!codes.includes('CHAIN_GAP'));
});

test('evidence that is missing without a word is a gap that stays visible', async () => {
  attester.seq += 2;
  attester.prev = 'f'.repeat(64);
  await acceptRound();
  assert.ok(codesOf(await readResult()).includes('CHAIN_GAP'));
  await acceptRound();
  assert.ok(codesOf(await readResult()).includes('CHAIN_GAP'));
});

test('a TPM whose counters went back is contraindicated until an operator acts', async () => {
  const clock = world.tpm.clock;
  world.tpm.clock = { ...clock, resetCount: clock.resetCount - 1 };
  await refuseRound('ERR_VERIFIER_TPM_ROLLBACK', {});
  world.tpm.clock = { ...clock, resetCount: clock.resetCount + 1 };
  await acceptRound();
  const result = await readResult();
  assert.equal(result.status, AttestationStatus.CONTRAINDICATED);
  assert.ok(codesOf(result).includes('TPM_ROLLBACK'));
  assert.ok(codesOf(result).includes('BOOT_SESSION_NEW'));
});

test('two pieces of evidence at one place of the chain are a fork', async () => {
  const { seq, prev } = attester;
  await acceptRound();
  const receipt = await stream.send(attester.makeRound(nonce, content, { holdfast: { seq, prev } }));
  assertRefused(receipt, 'ERR_VERIFIER_FORK');
  const result = await readResult();
  assert.equal(result.status, AttestationStatus.CONTRAINDICATED);
  assert.ok(codesOf(result).includes('CHAIN_FORK'));
});

test('an agent that lost its chain begins another one, and cannot go back', async () => {
  const { chain, seq, prev } = attester;
  attester.chain = Buffer.alloc(16, 5).toString('base64url');
  attester.seq = 0;
  attester.prev = null;
  await acceptRound();
  assert.ok(codesOf(await readResult()).includes('CHAIN_GAP'));
  await refuseRound('ERR_VERIFIER_FORK', { holdfast: { chain, seq, prev } });
});

test('an attester that never enrolled, and one without the role, are sent away', async () => {
  const stranger = new AttestStream(await world.dial('agent-3', ['agent']));
  await assert.rejects(stranger.open(new SoftwareTpm(), 'worker-9'), /ERR_VERIFIER_NOT_ENROLLED/);
  const nobody = new AttestStream(await world.dial('auditor', ['auditor']));
  await assert.rejects(nobody.open(world.tpm, KUBE_NODE), /ERR_VERIFIER_ROLE/);
});

test('a kube node whose EK is pinned no more is refused', async () => {
  await world.writeTrust({ eks: [] });
  await world.restart();
  const late = await world.dial('agent-late', ['agent']);
  const closed = new AttestStream(late);
  await assert.rejects(closed.open(world.tpm, KUBE_NODE), /ERR_VERIFIER_EK_REVOKED/);
});
