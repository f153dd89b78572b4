#include "session.h"

namespace tss {

namespace {

constexpr TPMA_SESSION kEncryption = TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT;

TPMT_SYM_DEF parameterEncryption(bool wanted) {
  TPMT_SYM_DEF symmetric{};
  symmetric.algorithm = TPM2_ALG_NULL;
  if (!wanted) return symmetric;
  symmetric.algorithm = TPM2_ALG_AES;
  symmetric.keyBits.aes = 128;
  symmetric.mode.aes = TPM2_ALG_CFB;
  return symmetric;
}

Status policySecretWith(Context& context, ESYS_TR authority, ESYS_TR session) {
  return context.run("TPM2_PolicySecret", [&](ESYS_CONTEXT* esys) {
    return Esys_PolicySecret(esys, authority, session, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, nullptr, nullptr,
                             nullptr, 0, nullptr, nullptr);
  });
}

}  // namespace

ESYS_TR hierarchyTr(TPM2_HANDLE hierarchy) {
  switch (hierarchy) {
    case TPM2_RH_OWNER:
      return ESYS_TR_RH_OWNER;
    case TPM2_RH_ENDORSEMENT:
      return ESYS_TR_RH_ENDORSEMENT;
    case TPM2_RH_PLATFORM:
      return ESYS_TR_RH_PLATFORM;
    case TPM2_RH_NULL:
      return ESYS_TR_RH_NULL;
    default:
      return ESYS_TR_NONE;
  }
}

Result<ESYS_TR> startSession(Context& context, const SessionSpec& spec) {
  const TPMT_SYM_DEF symmetric = parameterEncryption(spec.encryption);
  ESYS_TR session = ESYS_TR_NONE;
  Status status = context.run("TPM2_StartAuthSession", [&](ESYS_CONTEXT* esys) {
    return Esys_StartAuthSession(esys, spec.saltKey, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, nullptr,
                                 spec.type, &symmetric, spec.hash, &session);
  });
  if (!status.ok()) return status;
  context.track(session, Kind::session);
  const TPMA_SESSION attributes = TPMA_SESSION_CONTINUESESSION | (spec.encryption ? kEncryption : 0);
  status = context.run("Esys_TRSess_SetAttributes", [&](ESYS_CONTEXT* esys) {
    return Esys_TRSess_SetAttributes(esys, session, attributes, kEncryption | TPMA_SESSION_CONTINUESESSION);
  });
  if (status.ok()) return session;
  context.release(session);
  return status;
}

Authorization::Authorization(Context& context, const Grant& grant) : context_(context), handle_(grant.handle) {
  status_ = begin(grant);
}

Authorization::~Authorization() {
  if (owned_) context_.release(session_);
  setAuthValue({});
}

Status Authorization::begin(const Grant& grant) {
  Status status = setAuthValue(grant.authValue);
  if (!status.ok()) return status;
  if (grant.policy == ESYS_TR_RH_ENDORSEMENT) return satisfyPolicy(grant);
  if (grant.policy != ESYS_TR_NONE) {
    if (!context_.tracks(grant.policy, Kind::session)) return {TSS2_ESYS_RC_BAD_TR, "policy session"};
    session_ = grant.policy;
    return {};
  }
  const bool encryption = grant.saltKey != ESYS_TR_NONE;
  if (!encryption && (grant.password || grant.authValue.empty())) return {};
  return startOwn({TPM2_SE_HMAC, TPM2_ALG_SHA256, grant.saltKey, encryption});
}

Status Authorization::setAuthValue(const Bytes& value) {
  Wiped<TPM2B_AUTH> auth;
  if (!fill(auth.value, auth.value.buffer, value)) return {TSS2_ESYS_RC_BAD_SIZE, "authorization value"};
  // ESAPI knows PCRs and hierarchies by fixed numbers; only handles that it made can be wrong, and it says so.
  return context_.run("Esys_TR_SetAuth",
                      [&](ESYS_CONTEXT* esys) { return Esys_TR_SetAuth(esys, handle_, &auth.value); });
}

Status Authorization::startOwn(const SessionSpec& spec) {
  const Result<ESYS_TR> started = startSession(context_, spec);
  if (!started.ok()) return started.status;
  session_ = started.value;
  owned_ = true;
  return {};
}

Status Authorization::satisfyPolicy(const Grant& grant) {
  TPM2B_PUBLIC* raw = nullptr;
  Status status = context_.run("TPM2_ReadPublic", [&](ESYS_CONTEXT* esys) {
    return Esys_ReadPublic(esys, handle_, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &raw, nullptr, nullptr);
  });
  const EsysPtr<TPM2B_PUBLIC> area(raw);
  if (!status.ok()) return status;
  const TPMT_PUBLIC& key = area->publicArea;
  // A high-range EK may be used with its (empty) authorization value; its policy is another one.
  if ((key.objectAttributes & TPMA_OBJECT_USERWITHAUTH) != 0) {
    return startOwn({TPM2_SE_HMAC, TPM2_ALG_SHA256, grant.saltKey, grant.saltKey != ESYS_TR_NONE});
  }
  // The policy digest is computed in the session's hash, which must be that of the key's policy.
  status = startOwn({TPM2_SE_POLICY, key.nameAlg, grant.saltKey, grant.saltKey != ESYS_TR_NONE});
  return status.ok() ? policySecretWith(context_, ESYS_TR_RH_ENDORSEMENT, session_) : status;
}

Result<Nothing> runPolicySecret(Context& context, const PolicySecretRequest& request) {
  if (!context.tracks(request.session, Kind::session)) return Status{TSS2_ESYS_RC_BAD_TR, "TPM2_PolicySecret"};
  const ESYS_TR authority = hierarchyTr(request.hierarchy);
  const Authorization authorization(context, {authority, request.hierarchyAuth});
  if (!authorization.ok()) return authorization.status();
  const Status status = context.run("TPM2_PolicySecret", [&](ESYS_CONTEXT* esys) {
    return Esys_PolicySecret(esys, authority, request.session, authorization.session(), ESYS_TR_NONE, ESYS_TR_NONE,
                             nullptr, nullptr, nullptr, 0, nullptr, nullptr);
  });
  if (!status.ok()) return status;
  return Nothing{};
}

Result<Bytes> getPolicyDigest(Context& context, const PolicyDigestRequest& request) {
  TPM2B_DIGEST* raw = nullptr;
  const Status status = context.run("TPM2_PolicyGetDigest", [&](ESYS_CONTEXT* esys) {
    return Esys_PolicyGetDigest(esys, request.session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &raw);
  });
  const EsysPtr<TPM2B_DIGEST> digest(raw);
  if (!status.ok()) return status;
  return copyOf(digest->buffer, digest->size);
}

}  // namespace tss
