#include "information.h"

#include <algorithm>

#include "marshal.h"
#include "session.h"

namespace tss {

namespace {

constexpr uint32_t kHandlesPerCall = TPM2_MAX_CAP_HANDLES;
constexpr std::size_t kMaxHandles = 4096;

Result<EsysPtr<TPMS_CAPABILITY_DATA>> readCapability(Context& context, const GetCapabilityRequest& request,
                                                     bool& moreData) {
  TPMI_YES_NO more = TPM2_NO;
  TPMS_CAPABILITY_DATA* raw = nullptr;
  const Status status = context.run("TPM2_GetCapability", [&](ESYS_CONTEXT* esys) {
    return Esys_GetCapability(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, request.capability, request.property,
                              request.count, &more, &raw);
  });
  EsysPtr<TPMS_CAPABILITY_DATA> data(raw);
  if (!status.ok()) return status;
  moreData = more == TPM2_YES;
  return data;
}

Result<Bytes> getRandomChunk(Context& context, uint32_t bytes, ESYS_TR session) {
  TPM2B_DIGEST* raw = nullptr;
  const Status status = context.run("TPM2_GetRandom", [&](ESYS_CONTEXT* esys) {
    return Esys_GetRandom(esys, session, ESYS_TR_NONE, ESYS_TR_NONE, static_cast<UINT16>(bytes), &raw);
  });
  const EsysPtr<TPM2B_DIGEST> chunk(raw);
  if (!status.ok()) return status;
  const Status exact = context.expectParameters(2 + chunk->size, "TPM2_GetRandom");
  if (!exact.ok()) return exact;
  // More or no bytes at all would make the caller's loop endless, or its result too long.
  if (chunk->size == 0 || chunk->size > bytes) return Status{TSS2_ESYS_RC_BAD_SIZE, "TPM2_GetRandom"};
  Bytes out = copyOf(chunk->buffer, chunk->size);
  explicit_bzero(chunk->buffer, sizeof chunk->buffer);
  return out;
}

Result<Bytes> collectRandom(Context& context, uint32_t bytes, ESYS_TR session) {
  Bytes all;
  all.reserve(bytes);
  while (all.size() < bytes) {
    // The TPM gives at most as much as its largest digest, and says how much.
    const uint32_t missing = bytes - static_cast<uint32_t>(all.size());
    const Result<Bytes> chunk = getRandomChunk(context, std::min<uint32_t>(missing, sizeof(TPMU_HA)), session);
    if (!chunk.ok()) return chunk.status;
    all.insert(all.end(), chunk.value.begin(), chunk.value.end());
  }
  return all;
}

Status setSessionAttributes(Context& context, ESYS_TR session, TPMA_SESSION attributes) {
  constexpr TPMA_SESSION kMask = TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT;
  return context.run("Esys_TRSess_SetAttributes",
                     [&](ESYS_CONTEXT* esys) { return Esys_TRSess_SetAttributes(esys, session, attributes, kMask); });
}

// The command has no parameter that could be encrypted, only the response has: a session may not ask for both.
Result<Bytes> collectEncryptedRandom(Context& context, uint32_t bytes, ESYS_TR session) {
  TPMA_SESSION before = 0;
  Status status = context.run("Esys_TRSess_GetAttributes",
                              [&](ESYS_CONTEXT* esys) { return Esys_TRSess_GetAttributes(esys, session, &before); });
  if (status.ok()) status = setSessionAttributes(context, session, before & ~TPMA_SESSION_DECRYPT);
  if (!status.ok()) return status;
  Result<Bytes> random = collectRandom(context, bytes, session);
  status = setSessionAttributes(context, session, before);
  if (random.ok() && !status.ok()) return status;
  return random;
}

}  // namespace

Result<Bytes> getRandom(Context& context, const GetRandomRequest& request) {
  if (request.session != ESYS_TR_NONE) {
    if (!context.tracks(request.session, Kind::session)) return Status{TSS2_ESYS_RC_BAD_TR, "TPM2_GetRandom"};
    return collectEncryptedRandom(context, request.bytes, request.session);
  }
  if (request.saltKey == ESYS_TR_NONE) return collectRandom(context, request.bytes, ESYS_TR_NONE);
  const Result<ESYS_TR> session = startSession(context, {TPM2_SE_HMAC, TPM2_ALG_SHA256, request.saltKey, true});
  if (!session.ok()) return session.status;
  Result<Bytes> random = collectEncryptedRandom(context, request.bytes, session.value);
  const Status flushed = context.release(session.value);
  if (random.ok() && !flushed.ok()) return flushed;
  return random;
}

Result<Capability> getCapability(Context& context, const GetCapabilityRequest& request) {
  Capability capability;
  const auto data = readCapability(context, request, capability.moreData);
  if (!data.ok()) return data.status;
  const TSS2_RC rc = pack(Tss2_MU_TPMS_CAPABILITY_DATA_Marshal, *data.value, capability.data);
  if (rc != TSS2_RC_SUCCESS) return Status{rc, "TPM2_GetCapability"};
  const Status exact = context.expectParameters(1 + capability.data.size(), "TPM2_GetCapability");
  if (!exact.ok()) return exact;
  return capability;
}

Result<std::vector<TPM2_HANDLE>> listHandles(Context& context, const ListHandlesRequest& request) {
  std::vector<TPM2_HANDLE> all;
  TPM2_HANDLE next = request.first;
  bool moreData = true;
  while (moreData && all.size() < kMaxHandles) {
    const auto data = readCapability(context, {TPM2_CAP_HANDLES, next, kHandlesPerCall}, moreData);
    if (!data.ok()) return data.status;
    if (data.value->capability != TPM2_CAP_HANDLES)
      return Status{TSS2_ESYS_RC_MALFORMED_RESPONSE, "TPM2_GetCapability"};
    const TPML_HANDLE& found = data.value->data.handles;
    if (found.count == 0 || found.count > kHandlesPerCall) break;
    all.insert(all.end(), found.handle, found.handle + found.count);
    const TPM2_HANDLE last = found.handle[found.count - 1];
    // Never go back, whatever the TPM says.
    if (last < next) break;
    next = last + 1;
  }
  return all;
}

Result<Bytes> readClock(Context& context, const Nothing&) {
  TPMS_TIME_INFO* raw = nullptr;
  const Status status = context.run("TPM2_ReadClock", [&](ESYS_CONTEXT* esys) {
    return Esys_ReadClock(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &raw);
  });
  const EsysPtr<TPMS_TIME_INFO> time(raw);
  if (!status.ok()) return status;
  Bytes bytes;
  const TSS2_RC rc = pack(Tss2_MU_TPMS_TIME_INFO_Marshal, *time, bytes);
  if (rc != TSS2_RC_SUCCESS) return Status{rc, "TPM2_ReadClock"};
  const Status exact = context.expectParameters(bytes.size(), "TPM2_ReadClock");
  if (!exact.ok()) return exact;
  return bytes;
}

Result<PcrValues> readPcrs(Context& context, const PcrReadRequest& request) {
  TPML_PCR_SELECTION wanted{};
  TSS2_RC rc = unpack(Tss2_MU_TPML_PCR_SELECTION_Unmarshal, request.selection, wanted);
  if (rc != TSS2_RC_SUCCESS) return Status{rc, "PCR selection"};
  PcrValues values;
  TPML_PCR_SELECTION* rawSelection = nullptr;
  TPML_DIGEST* rawDigests = nullptr;
  const Status status = context.run("TPM2_PCR_Read", [&](ESYS_CONTEXT* esys) {
    return Esys_PCR_Read(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &wanted, &values.updateCounter, &rawSelection,
                         &rawDigests);
  });
  const EsysPtr<TPML_PCR_SELECTION> selection(rawSelection);
  const EsysPtr<TPML_DIGEST> digests(rawDigests);
  if (!status.ok()) return status;
  rc = pack(Tss2_MU_TPML_PCR_SELECTION_Marshal, *selection, values.selection);
  if (rc != TSS2_RC_SUCCESS) return Status{rc, "TPM2_PCR_Read"};
  std::size_t bytes = sizeof values.updateCounter + values.selection.size() + sizeof digests->count;
  for (uint32_t index = 0; index < digests->count && index < std::size(digests->digests); index++) {
    values.digests.push_back(copyOf(digests->digests[index].buffer, digests->digests[index].size));
    bytes += 2 + values.digests.back().size();
  }
  const Status exact = context.expectParameters(bytes, "TPM2_PCR_Read");
  if (!exact.ok()) return exact;
  return values;
}

Result<Nothing> extendPcr(Context& context, const PcrExtendRequest& request) {
  TPML_DIGEST_VALUES digests{};
  const TSS2_RC rc = unpack(Tss2_MU_TPML_DIGEST_VALUES_Unmarshal, request.digests, digests);
  if (rc != TSS2_RC_SUCCESS) return Status{rc, "PCR digests"};
  const Status status = context.run("TPM2_PCR_Extend", [&](ESYS_CONTEXT* esys) {
    return Esys_PCR_Extend(esys, request.index, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &digests);
  });
  if (!status.ok()) return status;
  return Nothing{};
}

Result<HashReply> hashData(Context& context, const HashRequest& request) {
  Wiped<TPM2B_MAX_BUFFER> data;
  if (!fill(data.value, data.value.buffer, request.data)) return Status{TSS2_ESYS_RC_BAD_SIZE, "TPM2_Hash"};
  // Esys_Hash takes the TPM_RH itself since 2.4; ESYS_TR numbers are deprecated there.
  TPM2B_DIGEST* rawDigest = nullptr;
  TPMT_TK_HASHCHECK* rawTicket = nullptr;
  const Status status = context.run("TPM2_Hash", [&](ESYS_CONTEXT* esys) {
    return Esys_Hash(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &data.value, request.algorithm,
                     hierarchyTr(request.hierarchy), &rawDigest, &rawTicket);
  });
  const EsysPtr<TPM2B_DIGEST> digest(rawDigest);
  const EsysPtr<TPMT_TK_HASHCHECK> ticket(rawTicket);
  if (!status.ok()) return status;
  HashReply reply;
  reply.digest = copyOf(digest->buffer, digest->size);
  const TSS2_RC rc = pack(Tss2_MU_TPMT_TK_HASHCHECK_Marshal, *ticket, reply.ticket);
  if (rc != TSS2_RC_SUCCESS) return Status{rc, "TPM2_Hash"};
  const Status exact = context.expectParameters(2 + reply.digest.size() + reply.ticket.size(), "TPM2_Hash");
  if (!exact.ok()) return exact;
  return reply;
}

}  // namespace tss
