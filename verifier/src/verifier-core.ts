import { randomBytes } from 'node:crypto';
import { computeName, parsePublic } from '@holdfast/evidence';
import type { AttesterMessage, EnrollRequest, EnrollResponse, Snapshot, VerifierMessage } from '@holdfast/proto';
import type { Logger } from 'pino';
import { createAppraiser } from './appraisal/recall-appraisal.ts';
import { createBootJudge } from './boot/boot-judge.ts';
import type { VerifierKeys } from './certificates/verifier-keys.ts';
import type { TrustSource } from './config/trust-source.ts';
import type { VerifierConfig } from './config/verifier-config.ts';
import { type AdoptionRequest, adoptEnrolment, judgeAdoption } from './enrolment/adopt-enrolment.ts';
import { createEndorsementJudge } from './enrolment/endorsement.ts';
import { type Enrolment, enrol } from './enrolment/enrol.ts';
import { createOperatorDesk, type OperatorDesk } from './enrolment/operator-desk.ts';
import { createKernelJudge } from './kernel/kernel-baseline.ts';
import { createNonceIssuer } from './nonce/nonce-issuer.ts';
import type { Stores } from './open-stores.ts';
import { createReappraisalQueue, type ReappraisalQueue } from './reappraisal-queue.ts';
import { createReferenceBook, type ReferenceBook } from './reference-book/reference-book.ts';
import { createResultFeed, type ResultFeed } from './results/result-feed.ts';
import { createResultPublisher } from './results/result-publisher.ts';
import type { MessagePort } from './server/message-port.ts';
import { type ConversationDeps, converse } from './session/converse.ts';
import { createNodeRegistry, type NodeRegistry } from './session/node-registry.ts';
import { createEvidenceResolver } from './session/resolve-evidence.ts';
import { createRoundProcessor } from './session/round-processor.ts';
import { createLightWriter, createSharedWriter } from './store/light-writer.ts';
import { runTransaction } from './store/open-database.ts';
import { describeError } from './verifier-log.ts';
import { VERIFIER_VERSION } from './version.ts';

/** Everything of a verifier but its connections. */
export interface VerifierCore {
  readonly book: ReferenceBook;
  readonly feed: ResultFeed;
  readonly desk: OperatorDesk;
  /** `adopt` where this verifier is the one that dialled: see `converse`. */
  converse(port: MessagePort<AttesterMessage, VerifierMessage>, adopt?: () => Promise<void>): Promise<void>;
  enrol(port: MessagePort<EnrollRequest, EnrollResponse>): Promise<void>;
  /** Takes over the enrolment that a snapshot shows, for a conversation. */
  adopt(snapshot: Snapshot, request: AdoptionRequest): void;
  /** Appraises every kube node again: what vouches for all of them changed. */
  reappraiseAll(): void;
  close(): Promise<void>;
}

export interface CoreDeps {
  readonly config: VerifierConfig;
  readonly log: Logger;
  readonly stores: Stores;
  readonly trust: TrustSource;
  readonly keys: VerifierKeys;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Whether rounds that come in at once and change nothing are committed together; each by itself unless given. */
  readonly sharesCommits?: boolean;
}

const NONCE_LIFETIME_MS = 60_000;
const MAX_NODES = 20_000;
const NODES_PAGE = 1000;
/** Evidence that was on its way when its key was rotated is taken for this long. */
const ROTATION_OVERLAP_MS = 60_000;

/** Wires the parts of a verifier together. */
export function createVerifierCore(deps: CoreDeps): VerifierCore {
  const { stores, log, now } = deps;
  const trust = () => deps.trust.current();
  const feed = createResultFeed();
  const { maxRoundBytes } = deps.config;
  const registry = createNodeRegistry({ ...stores, now, maxRoundBytes, maxNodes: MAX_NODES });
  // The queue begins to run only once something is added, and by then the rounds are there.
  const queue: ReappraisalQueue = createReappraisalQueue(
    (ueid) => conversation.rounds.reappraise(ueid),
    (error, ueid) => log.error({ ueid, ...describeError(error) }, 'reappraisal failed'),
  );
  const book = createReferenceBook({
    store: stores.references,
    trust,
    now,
    onChange: (subjects) => queue.add(subjects.flatMap((subject) => stores.results.listNodesWithManifest(subject))),
    onNodeChange: () => queue.add(listUeids(stores)),
  });
  const conversation = createConversation(deps, feed, registry, book);
  const takeEnrolment = ({ node, succession, before }: Enrolment, message: string): void => {
    const { ueid, kid, label } = node;
    if (succession === 'replaced') stores.chain.addIncident(ueid, 'AK_REPLACED', now());
    if (succession === 'rotated') {
      const akName = computeName(parsePublic(node.akPublic)).toString('hex');
      runTransaction(stores.database, () => stores.chain.renameAk(ueid, akName));
    }
    const isRotated = succession === 'rotated' && before !== undefined;
    registry.update(node, isRotated ? { before, untilMs: now() + ROTATION_OVERLAP_MS } : undefined);
    log.info({ kubeNode: label, ueid, kid, succession }, message);
  };
  const desk = createOperatorDesk({
    ...stores,
    registry,
    now,
    reappraise: (ueid) => queue.add([ueid]),
    onAction: (message, details) => log.warn(details, message),
  });
  return {
    book,
    feed,
    desk,
    converse: async (port, adopt) => await converse(port, conversation, adopt),
    enrol: async (port) => {
      const onEnrolled = (enrolment: Enrolment) => takeEnrolment(enrolment, 'enrolled');
      await enrol(port, { store: stores.enrolment, trust, issuer: deps.keys.issuer, now, randomBytes, onEnrolled });
    },
    adopt: (snapshot, request) => {
      const node = adoptEnrolment(snapshot, request, trust(), stores.enrolment, now());
      const before = stores.enrolment.findNode(node.ueid);
      stores.enrolment.saveNode(node);
      takeEnrolment({ node, before, succession: judgeAdoption(node, before) }, 'enrolment adopted');
    },
    reappraiseAll: () => queue.add(listUeids(stores)),
    close: async () => await queue.close(),
  };
}

function createConversation(
  { config, log, stores, trust, keys, now, sharesCommits }: CoreDeps,
  feed: ResultFeed,
  registry: NodeRegistry,
  book: ReferenceBook,
): ConversationDeps {
  const { verifierId, maxMessageBytes, maxRoundBytes, maxPendingMs, kernelBaseline } = config;
  const isBootReferenceRequired = config.bootReference === 'required';
  const { machinesWithoutRuntime } = config;
  const nonces = createNonceIssuer({ key: keys.nonceKey, lifetimeMs: NONCE_LIFETIME_MS, now, randomBytes });
  const publisher = createResultPublisher({
    results: stores.results,
    feed,
    signer: keys.resultSigner,
    verifierId,
    now,
    randomBytes,
    build: VERIFIER_VERSION,
    lifetimeMs: config.resultTtlMs,
  });
  const endorse = createEndorsementJudge({ trust: () => trust.current(), now });
  const common = { nonces, registry, verifierId, now, endorse };
  const rounds = createRoundProcessor({
    ...common,
    database: stores.database,
    lightWriter: (sharesCommits === true ? createSharedWriter : createLightWriter)(stores.database),
    chain: stores.chain,
    contents: stores.contents,
    bootSessions: stores.bootSessions,
    publisher,
    maxRoundBytes,
    measuredFiles: stores.measuredFiles,
    judgeBoot: createBootJudge(),
    appraise: createAppraiser(),
    findAgentBuilds: () => book.findAgentBuilds(),
    findBoots: (label) => book.findBoots(label),
    resolver: createEvidenceResolver((manifest) => book.findSboms(manifest)),
    policy: {
      maxPendingMs,
      judgeKernel: createKernelJudge(kernelBaseline),
      isBootReferenceRequired,
      machinesWithoutRuntime,
      maxResultBytes: maxMessageBytes / 4,
    },
  });
  return {
    ...common,
    rounds,
    maxMessageBytes,
    onRefused: (refusal) => log.warn(refusal, 'evidence refused'),
  };
}

function* listUeids({ results }: Stores): Generator<string> {
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page = results.listNodes(after, NODES_PAGE);
    yield* page.map(({ ueid }) => ueid);
    after = page.length < NODES_PAGE ? undefined : page.at(-1)?.label;
  }
}
