// Authorization sessions that are always flushed, and the choice of an authorization for a handle.
#pragma once

#include "bytes.h"
#include "context.h"

namespace tss {

struct SessionSpec {
  TPM2_SE type = TPM2_SE_HMAC;
  TPM2_ALG_ID hash = TPM2_ALG_SHA256;
  // Key that the session's secret is encrypted to, or ESYS_TR_NONE.
  ESYS_TR saltKey = ESYS_TR_NONE;
  // AES-128-CFB over first parameters.
  bool encryption = false;
};

// Starts a session that the caller releases through the context.
Result<ESYS_TR> startSession(Context& context, const SessionSpec& spec);

// How a command may use one handle.
struct Grant {
  ESYS_TR handle = ESYS_TR_NONE;
  Bytes authValue;
  // ESYS_TR_NONE; or ESYS_TR_RH_ENDORSEMENT: satisfy PolicySecret of it; or a policy session of the caller.
  ESYS_TR policy = ESYS_TR_NONE;
  // Key for the salt of an encrypted session, or ESYS_TR_NONE: no encryption.
  ESYS_TR saltKey = ESYS_TR_NONE;
  // Send the authorization value itself instead of proving it by HMAC: one command in place of three, readable on the
  // bus.
  bool password = false;
};

// Makes a Grant usable for one command: password for an empty authorization value or on demand, else a fresh HMAC
// session (the value never travels), or a policy session. At its end the session is flushed and the value forgotten, on
// every path.
class Authorization {
 public:
  Authorization(Context& context, const Grant& grant);
  Authorization(const Authorization&) = delete;
  Authorization& operator=(const Authorization&) = delete;
  ~Authorization();

  const Status& status() const { return status_; }
  bool ok() const { return status_.ok(); }
  // For a session argument of ESAPI.
  ESYS_TR session() const { return session_; }

 private:
  Status begin(const Grant& grant);
  Status setAuthValue(const Bytes& value);
  Status startOwn(const SessionSpec& spec);
  Status satisfyPolicy(const Grant& grant);

  Context& context_;
  ESYS_TR handle_;
  ESYS_TR session_ = ESYS_TR_PASSWORD;
  bool owned_ = false;
  Status status_;
};

struct PolicySecretRequest {
  ESYS_TR session;
  TPM2_HANDLE hierarchy;
  Bytes hierarchyAuth;
};

Result<Nothing> runPolicySecret(Context& context, const PolicySecretRequest& request);

struct PolicyDigestRequest {
  ESYS_TR session;
};

Result<Bytes> getPolicyDigest(Context& context, const PolicyDigestRequest& request);

// ESYS_TR of a TPM_RH; ESYS_TR_NONE for an unknown one.
ESYS_TR hierarchyTr(TPM2_HANDLE hierarchy);

}  // namespace tss
