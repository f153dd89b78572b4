#include "context.h"

#include <ctime>

#include "information.h"

namespace tss {

namespace {

constexpr int kMaxResubmissions = 8;
constexpr long kFirstPauseMs = 5;

void putUint32(Bytes& bytes, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(value >> shift));
}

Bytes flushCommand(TPM2_HANDLE handle) {
  Bytes command{0x80, 0x01};
  putUint32(command, 14);
  putUint32(command, TPM2_CC_FlushContext);
  putUint32(command, handle);
  return command;
}

}  // namespace

Status Context::open(const std::string& tcti, bool exclusive) {
  if (esys_ != nullptr || broken_) return {TSS2_ESYS_RC_BAD_SEQUENCE, "open"};
  tcti_ = std::make_unique<GuardedTcti>(abandoned_);
  TSS2_RC rc = tcti_->open(tcti);
  if (rc != TSS2_RC_SUCCESS) return finish(rc, "connect");
  rc = Esys_Initialize(&esys_, tcti_->context(), nullptr);
  if (rc != TSS2_RC_SUCCESS) {
    esys_ = nullptr;
    return finish(rc, "Esys_Initialize");
  }
  return exclusive ? flushForeign() : Status{};
}

void Context::close() {
  if (esys_ != nullptr && !isBroken()) {
    while (!tracked_.empty() && !isBroken()) {
      const ESYS_TR handle = tracked_.begin()->first;
      release(handle);
      tracked_.erase(handle);
    }
  }
  tracked_.clear();
  if (esys_ != nullptr) Esys_Finalize(&esys_);
  esys_ = nullptr;
  if (tcti_ != nullptr) tcti_->close();
}

bool Context::tracks(ESYS_TR handle, Kind kind) const {
  const auto found = tracked_.find(handle);
  return found != tracked_.end() && found->second == kind;
}

Status Context::release(ESYS_TR handle) {
  const auto found = tracked_.find(handle);
  if (found == tracked_.end()) return {TSS2_ESYS_RC_BAD_TR, "TPM2_FlushContext"};
  if (found->second != Kind::persistent) {
    const Status flushed =
        run("TPM2_FlushContext", [handle](ESYS_CONTEXT* esys) { return Esys_FlushContext(esys, handle); });
    if (flushed.ok()) {
      tracked_.erase(found);
      return flushed;
    }
    // Still loaded for all we know: it stays on the list, so that close() tries again.
    return flushed;
  }
  ESYS_TR closing = handle;
  tracked_.erase(found);
  return run("Esys_TR_Close", [&closing](ESYS_CONTEXT* esys) { return Esys_TR_Close(esys, &closing); });
}

bool Context::isBusy(TSS2_RC rc) {
  const TSS2_RC code = (rc & TSS2_RC_LAYER_MASK) == TSS2_RESMGR_TPM_RC_LAYER ? rc & ~TSS2_RC_LAYER_MASK : rc;
  return code == TPM2_RC_RETRY || code == TPM2_RC_YIELDED || code == TPM2_RC_TESTING;
}

bool Context::pause(int attempt) const {
  if (attempt >= kMaxResubmissions || isBroken()) return false;
  const long pauseMs = kFirstPauseMs << attempt;
  const timespec time{pauseMs / 1000, (pauseMs % 1000) * 1000000};
  nanosleep(&time, nullptr);
  return !abandoned_.load();
}

Status Context::finish(TSS2_RC rc, const char* command) {
  const TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;
  const TSS2_RC base = rc & ~TSS2_RC_LAYER_MASK;
  const bool software = layer == TSS2_ESAPI_RC_LAYER || layer == TSS2_SYS_RC_LAYER || layer == TSS2_MU_RC_LAYER;
  const bool lost = base == TSS2_BASE_RC_BAD_SEQUENCE || base == TSS2_BASE_RC_MALFORMED_RESPONSE ||
                    base == TSS2_BASE_RC_INSUFFICIENT_RESPONSE || base == TSS2_BASE_RC_RSP_AUTH_FAILED;
  if (layer == TSS2_TCTI_RC_LAYER || (software && lost)) broken_ = true;
  return {rc, command};
}

Status Context::expectParameters(std::size_t bytes, const char* command) {
  if (tcti_ != nullptr && tcti_->parameterBytes() == bytes) return {};
  return finish(TSS2_ESYS_RC_MALFORMED_RESPONSE, command);
}

Status Context::flushForeign() {
  constexpr TPM2_HANDLE kRanges[] = {TPM2_TRANSIENT_FIRST, TPM2_LOADED_SESSION_FIRST, TPM2_ACTIVE_SESSION_FIRST};
  for (const TPM2_HANDLE first : kRanges) {
    const Result<std::vector<TPM2_HANDLE>> found = listHandles(*this, {first});
    if (!found.ok()) return found.status;
    for (const TPM2_HANDLE handle : found.value) {
      const TSS2_RC rc = tcti_->transceive(flushCommand(handle));
      // TPM_RC_HANDLE: it went away by itself meanwhile.
      if (rc != TSS2_RC_SUCCESS && (rc & 0xbf) != TPM2_RC_HANDLE) return finish(rc, "TPM2_FlushContext");
    }
  }
  return {};
}

}  // namespace tss
