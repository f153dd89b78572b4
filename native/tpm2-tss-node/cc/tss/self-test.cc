#include "self-test.h"

#include <cstring>

#include "bytes.h"
#include "session.h"

namespace tss {

namespace {

constexpr char kData[] = "tpm2-tss-node self-test";

// SHA-256 of kData without its final zero.
constexpr uint8_t kDigest[] = {0xd9, 0x18, 0x45, 0xe9, 0xec, 0x38, 0xd9, 0x98, 0x5c, 0x3a, 0x05,
                               0x44, 0x12, 0xbd, 0x6e, 0x10, 0x8c, 0xac, 0xad, 0x58, 0xc1, 0xfc,
                               0x55, 0xa2, 0x7b, 0x8a, 0xe3, 0xf0, 0x6a, 0x5a, 0x2b, 0x70};

std::atomic<bool> passed{false};

bool blamesCryptography(TSS2_RC rc) {
  if ((rc & TSS2_RC_LAYER_MASK) == TSS2_ESAPI_RC_LAYER) return true;
  if ((rc & TSS2_RC_LAYER_MASK) != TSS2_TPM_RC_LAYER || (rc & TPM2_RC_FMT1) == 0) return false;
  const TSS2_RC error = rc & 0xbf;
  // The TPM found another HMAC, or another plaintext, than was meant.
  return error == TPM2_RC_AUTH_FAIL || error == TPM2_RC_BAD_AUTH || error == TPM2_RC_SIZE;
}

Status hashThrough(Context& context, ESYS_TR session) {
  TPM2B_MAX_BUFFER data{};
  data.size = sizeof kData - 1;
  std::memcpy(data.buffer, kData, data.size);
  TPM2B_DIGEST* rawDigest = nullptr;
  TPMT_TK_HASHCHECK* rawTicket = nullptr;
  Status status = context.run("self-test", [&](ESYS_CONTEXT* esys) {
    return Esys_Hash(esys, session, ESYS_TR_NONE, ESYS_TR_NONE, &data, TPM2_ALG_SHA256, ESYS_TR_RH_NULL, &rawDigest,
                     &rawTicket);
  });
  const EsysPtr<TPM2B_DIGEST> digest(rawDigest);
  const EsysPtr<TPMT_TK_HASHCHECK> ticket(rawTicket);
  if (status.ok()) {
    status.selfTest = digest->size != sizeof kDigest || std::memcmp(digest->buffer, kDigest, sizeof kDigest) != 0;
  } else {
    status.selfTest = blamesCryptography(status.rc);
  }
  return status;
}

}  // namespace

Status runSelfTest(Context& context) {
  if (passed.load()) return {};
  const Result<ESYS_TR> session = startSession(context, {TPM2_SE_HMAC, TPM2_ALG_SHA256, ESYS_TR_NONE, true});
  if (!session.ok()) return session.status;
  const Status tested = hashThrough(context, session.value);
  const Status flushed = context.release(session.value);
  if (!tested.ok()) return tested;
  passed.store(true);
  return flushed;
}

}  // namespace tss
