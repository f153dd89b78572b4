// Statements of the TPM: quote, certify, sign, and the proof of holding a credential.
#pragma once

#include <vector>

#include "bytes.h"
#include "context.h"

namespace tss {

struct Attestation {
  Bytes attest;
  Bytes signature;
};

struct QuoteRequest {
  ESYS_TR key;
  Bytes authValue;
  Bytes qualifyingData;
  Bytes selection;
  bool password;
};
Result<Attestation> quote(Context& context, const QuoteRequest& request);

// One quote for each selection, in their order, or the first failure.
struct QuoteEachRequest {
  ESYS_TR key;
  Bytes authValue;
  Bytes qualifyingData;
  std::vector<Bytes> selections;
  bool password;
};
Result<std::vector<Attestation>> quoteEach(Context& context, const QuoteEachRequest& request);

struct CertifyRequest {
  ESYS_TR object;
  Bytes objectAuth;
  ESYS_TR signer;
  Bytes signerAuth;
  Bytes qualifyingData;
  bool password;
};
Result<Attestation> certify(Context& context, const CertifyRequest& request);

struct SignRequest {
  ESYS_TR key;
  Bytes authValue;
  Bytes digest;
  // TPMT_TK_HASHCHECK; empty for a key that is not restricted.
  Bytes ticket;
  bool password;
};
struct SignReply {
  Bytes signature;
};
Result<SignReply> sign(Context& context, const SignRequest& request);

struct ActivateCredentialRequest {
  ESYS_TR key;
  Bytes keyAuth;
  ESYS_TR ek;
  Bytes ekAuth;
  ESYS_TR policy;
  Bytes idObject;
  Bytes encryptedSecret;
};
Result<Bytes> activateCredential(Context& context, const ActivateCredentialRequest& request);

}  // namespace tss
