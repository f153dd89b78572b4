import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  ListReferencesResponseSchema,
  PutReferenceResponseSchema,
  type Reference,
  ReferenceSchema,
  ReferenceService,
  RevokeReferenceResponseSchema,
} from '@holdfast/proto';
import { clampPageSize, decodePageToken, encodePageToken } from '../results/page.ts';
import { createUnaryRoute, type Guard, type Route } from '../server/routes.ts';
import type { ReferenceStore, StoredReference } from '../store/reference-store.ts';
import { VerifierError } from '../verifier-error.ts';
import type { ReferenceBook } from './reference-book.ts';

export interface ReferenceServiceDeps {
  readonly book: ReferenceBook;
  readonly store: Pick<ReferenceStore, 'findBySubject' | 'listReferences'>;
  readonly guard: Guard;
}

const MAX_OF_SUBJECT = 1000;
const MAX_REASON_CHARS = 1024;

/** The routes of ReferenceService that are served: put, list and revoke references. */
export function createReferenceRoutes({ book, store, guard }: ReferenceServiceDeps): Route[] {
  const { putReference, listReferences, revokeReference } = ReferenceService.method;
  return [
    createUnaryRoute(putReference, ['builder'], guard, ({ envelope }) =>
      create(PutReferenceResponseSchema, { reference: toMessage(book.put(envelope).reference) }),
    ),
    createUnaryRoute(listReferences, ['builder', 'operator', 'auditor', 'responder'], guard, (request) => {
      if (request.subjectDigest !== '') {
        const found = store.findBySubject(request.subjectDigest, MAX_OF_SUBJECT);
        return create(ListReferencesResponseSchema, { references: found.map(toMessage) });
      }
      const limit = clampPageSize(request.pageSize);
      const rows = store.listReferences(decodePageToken(request.pageToken), limit + 1);
      const page = rows.slice(0, limit);
      const last = rows.length > limit ? page.at(-1) : undefined;
      return create(ListReferencesResponseSchema, {
        references: page.map(toMessage),
        nextPageToken: last === undefined ? '' : encodePageToken(last.digest),
      });
    }),
    createUnaryRoute(revokeReference, ['operator'], guard, ({ digest, reason }) => {
      if (reason === '' || reason.length > MAX_REASON_CHARS) {
        throw new VerifierError('ERR_VERIFIER_MESSAGE', 'a revocation needs a reason of at most 1024 characters');
      }
      return create(RevokeReferenceResponseSchema, { reference: toMessage(book.revoke(digest, reason)) });
    }),
  ];
}

function toMessage(reference: StoredReference): Reference {
  return create(ReferenceSchema, {
    digest: reference.digest,
    predicateType: reference.predicateType,
    subjectName: reference.subjectName,
    subjectDigest: reference.subjectDigest,
    keyId: reference.keyId,
    addedAt: timestampFromMs(reference.addedAtMs),
    ...(reference.revokedAtMs === null ? {} : { revokedAt: timestampFromMs(reference.revokedAtMs) }),
    revocationReason: reference.revocationReason ?? '',
  });
}
