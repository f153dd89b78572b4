#include "attest.h"

#include <utility>

#include "marshal.h"
#include "session.h"

namespace tss {

namespace {

// The key's own scheme.
TPMT_SIG_SCHEME ownScheme() {
  TPMT_SIG_SCHEME scheme{};
  scheme.scheme = TPM2_ALG_NULL;
  return scheme;
}

Result<Attestation> packAttestation(Context& context, const TPM2B_ATTEST& attest, const TPMT_SIGNATURE& signature,
                                    const char* command) {
  Attestation result;
  result.attest = copyOf(attest.attestationData, attest.size);
  const TSS2_RC rc = pack(Tss2_MU_TPMT_SIGNATURE_Marshal, signature, result.signature);
  if (rc != TSS2_RC_SUCCESS) return Status{rc, command};
  const Status exact = context.expectParameters(2 + result.attest.size() + result.signature.size(), command);
  if (!exact.ok()) return exact;
  return result;
}

// The ticket that says "not made by this TPM": what a key that is not restricted takes.
TPMT_TK_HASHCHECK nullTicket() {
  TPMT_TK_HASHCHECK ticket{};
  ticket.tag = TPM2_ST_HASHCHECK;
  ticket.hierarchy = TPM2_RH_NULL;
  return ticket;
}

}  // namespace

Result<Attestation> quote(Context& context, const QuoteRequest& request) {
  TPM2B_DATA qualifying{};
  if (!fill(qualifying, qualifying.buffer, request.qualifyingData)) return Status{TSS2_ESYS_RC_BAD_SIZE, "TPM2_Quote"};
  TPML_PCR_SELECTION selection{};
  const TSS2_RC rc = unpack(Tss2_MU_TPML_PCR_SELECTION_Unmarshal, request.selection, selection);
  if (rc != TSS2_RC_SUCCESS) return Status{rc, "PCR selection"};
  const Authorization authorization(context,
                                    {request.key, request.authValue, ESYS_TR_NONE, ESYS_TR_NONE, request.password});
  if (!authorization.ok()) return authorization.status();
  const TPMT_SIG_SCHEME scheme = ownScheme();
  TPM2B_ATTEST* rawAttest = nullptr;
  TPMT_SIGNATURE* rawSignature = nullptr;
  const Status status = context.run("TPM2_Quote", [&](ESYS_CONTEXT* esys) {
    return Esys_Quote(esys, request.key, authorization.session(), ESYS_TR_NONE, ESYS_TR_NONE, &qualifying, &scheme,
                      &selection, &rawAttest, &rawSignature);
  });
  const EsysPtr<TPM2B_ATTEST> attest(rawAttest);
  const EsysPtr<TPMT_SIGNATURE> signature(rawSignature);
  if (!status.ok()) return status;
  return packAttestation(context, *attest, *signature, "TPM2_Quote");
}

Result<std::vector<Attestation>> quoteEach(Context& context, const QuoteEachRequest& request) {
  std::vector<Attestation> attestations;
  for (const Bytes& selection : request.selections) {
    Result<Attestation> one =
        quote(context, {request.key, request.authValue, request.qualifyingData, selection, request.password});
    if (!one.ok()) return one.status;
    attestations.push_back(std::move(one.value));
  }
  return attestations;
}

Result<Attestation> certify(Context& context, const CertifyRequest& request) {
  TPM2B_DATA qualifying{};
  if (!fill(qualifying, qualifying.buffer, request.qualifyingData)) {
    return Status{TSS2_ESYS_RC_BAD_SIZE, "TPM2_Certify"};
  }
  const Authorization object(context,
                             {request.object, request.objectAuth, ESYS_TR_NONE, ESYS_TR_NONE, request.password});
  if (!object.ok()) return object.status();
  const Authorization signer(context,
                             {request.signer, request.signerAuth, ESYS_TR_NONE, ESYS_TR_NONE, request.password});
  if (!signer.ok()) return signer.status();
  const TPMT_SIG_SCHEME scheme = ownScheme();
  TPM2B_ATTEST* rawAttest = nullptr;
  TPMT_SIGNATURE* rawSignature = nullptr;
  const Status status = context.run("TPM2_Certify", [&](ESYS_CONTEXT* esys) {
    return Esys_Certify(esys, request.object, request.signer, object.session(), signer.session(), ESYS_TR_NONE,
                        &qualifying, &scheme, &rawAttest, &rawSignature);
  });
  const EsysPtr<TPM2B_ATTEST> attest(rawAttest);
  const EsysPtr<TPMT_SIGNATURE> signature(rawSignature);
  if (!status.ok()) return status;
  return packAttestation(context, *attest, *signature, "TPM2_Certify");
}

Result<SignReply> sign(Context& context, const SignRequest& request) {
  TPM2B_DIGEST digest{};
  if (!fill(digest, digest.buffer, request.digest)) return Status{TSS2_ESYS_RC_BAD_SIZE, "TPM2_Sign"};
  TPMT_TK_HASHCHECK ticket = nullTicket();
  if (!request.ticket.empty()) {
    ticket = {};
    const TSS2_RC rc = unpack(Tss2_MU_TPMT_TK_HASHCHECK_Unmarshal, request.ticket, ticket);
    if (rc != TSS2_RC_SUCCESS) return Status{rc, "ticket"};
  }
  const Authorization authorization(context,
                                    {request.key, request.authValue, ESYS_TR_NONE, ESYS_TR_NONE, request.password});
  if (!authorization.ok()) return authorization.status();
  const TPMT_SIG_SCHEME scheme = ownScheme();
  TPMT_SIGNATURE* raw = nullptr;
  const Status status = context.run("TPM2_Sign", [&](ESYS_CONTEXT* esys) {
    return Esys_Sign(esys, request.key, authorization.session(), ESYS_TR_NONE, ESYS_TR_NONE, &digest, &scheme, &ticket,
                     &raw);
  });
  const EsysPtr<TPMT_SIGNATURE> signature(raw);
  if (!status.ok()) return status;
  SignReply reply;
  const TSS2_RC rc = pack(Tss2_MU_TPMT_SIGNATURE_Marshal, *signature, reply.signature);
  if (rc != TSS2_RC_SUCCESS) return Status{rc, "TPM2_Sign"};
  const Status exact = context.expectParameters(reply.signature.size(), "TPM2_Sign");
  if (!exact.ok()) return exact;
  return reply;
}

Result<Bytes> activateCredential(Context& context, const ActivateCredentialRequest& request) {
  TPM2B_ID_OBJECT idObject{};
  TPM2B_ENCRYPTED_SECRET secret{};
  TSS2_RC rc = unpack(Tss2_MU_TPM2B_ID_OBJECT_Unmarshal, request.idObject, idObject);
  if (rc == TSS2_RC_SUCCESS) rc = unpack(Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal, request.encryptedSecret, secret);
  if (rc != TSS2_RC_SUCCESS) return Status{rc, "credential"};
  const Authorization key(context, {request.key, request.keyAuth});
  if (!key.ok()) return key.status();
  // Salted to the EK: the secret leaves the TPM encrypted under something that only it and this process know.
  const Authorization ek(context, {request.ek, request.ekAuth, request.policy, request.ek});
  if (!ek.ok()) return ek.status();
  TPM2B_DIGEST* raw = nullptr;
  const Status status = context.run("TPM2_ActivateCredential", [&](ESYS_CONTEXT* esys) {
    return Esys_ActivateCredential(esys, request.key, request.ek, key.session(), ek.session(), ESYS_TR_NONE, &idObject,
                                   &secret, &raw);
  });
  const EsysPtr<TPM2B_DIGEST> certInfo(raw);
  if (!status.ok()) return status;
  Bytes out = copyOf(certInfo->buffer, certInfo->size);
  explicit_bzero(certInfo->buffer, sizeof certInfo->buffer);
  const Status exact = context.expectParameters(2 + out.size(), "TPM2_ActivateCredential");
  if (!exact.ok()) return exact;
  return out;
}

}  // namespace tss
