#include "guarded-tcti.h"

#include <tss2/tss2_tctildr.h>

namespace tss {

namespace {

constexpr uint64_t kMagic = 0x7470326e6f646567;
constexpr std::size_t kResponseHeader = 10;

}  // namespace

TSS2_RC GuardedTcti::open(const std::string& tcti) {
  TSS2_RC rc = Tss2_TctiLdr_Initialize(tcti.c_str(), &inner_);
  if (rc != TSS2_RC_SUCCESS) {
    inner_ = nullptr;
    failed_ = true;
    return rc;
  }
  shell_.self = this;
  shell_.common.v1.magic = kMagic;
  shell_.common.v1.version = 2;
  shell_.common.v1.transmit = transmit;
  shell_.common.v1.receive = receive;
  shell_.common.v1.cancel = cancel;
  shell_.common.v1.getPollHandles = getPollHandles;
  shell_.common.v1.setLocality = setLocality;
  shell_.common.makeSticky = makeSticky;
  return TSS2_RC_SUCCESS;
}

void GuardedTcti::close() {
  if (inner_ != nullptr) Tss2_TctiLdr_Finalize(&inner_);
  inner_ = nullptr;
}

TSS2_RC GuardedTcti::note(TSS2_RC rc) {
  const bool answered = rc == TSS2_RC_SUCCESS || rc == TSS2_TCTI_RC_TRY_AGAIN;
  if (!answered) failed_ = true;
  return abandoned_.load() ? TSS2_TCTI_RC_IO_ERROR : rc;
}

TSS2_RC GuardedTcti::transceive(const Bytes& command) {
  TSS2_RC rc = transmit(context(), command.size(), command.data());
  if (rc != TSS2_RC_SUCCESS) return rc;
  uint8_t response[4096];
  std::size_t size = sizeof response;
  rc = receive(context(), &size, response, TSS2_TCTI_TIMEOUT_BLOCK);
  if (rc != TSS2_RC_SUCCESS) return rc;
  if (size < kResponseHeader || size > sizeof response) {
    failed_ = true;
    return TSS2_TCTI_RC_MALFORMED_RESPONSE;
  }
  return static_cast<TSS2_RC>(response[6]) << 24 | static_cast<TSS2_RC>(response[7]) << 16 |
         static_cast<TSS2_RC>(response[8]) << 8 | response[9];
}

TSS2_RC GuardedTcti::transmit(TSS2_TCTI_CONTEXT* context, size_t size, const uint8_t* command) {
  GuardedTcti* self = from(context);
  if (self->isDown()) return TSS2_TCTI_RC_IO_ERROR;
  return self->note(Tss2_Tcti_Transmit(self->inner_, size, command));
}

TSS2_RC GuardedTcti::receive(TSS2_TCTI_CONTEXT* context, size_t* size, uint8_t* response, int32_t timeout) {
  GuardedTcti* self = from(context);
  if (self->isDown()) return TSS2_TCTI_RC_IO_ERROR;
  return self->note(Tss2_Tcti_Receive(self->inner_, size, response, timeout));
}

TSS2_RC GuardedTcti::cancel(TSS2_TCTI_CONTEXT* context) { return Tss2_Tcti_Cancel(from(context)->inner_); }

TSS2_RC GuardedTcti::getPollHandles(TSS2_TCTI_CONTEXT* context, TSS2_TCTI_POLL_HANDLE* handles, size_t* count) {
  return Tss2_Tcti_GetPollHandles(from(context)->inner_, handles, count);
}

TSS2_RC GuardedTcti::setLocality(TSS2_TCTI_CONTEXT* context, uint8_t locality) {
  return Tss2_Tcti_SetLocality(from(context)->inner_, locality);
}

TSS2_RC GuardedTcti::makeSticky(TSS2_TCTI_CONTEXT* context, TPM2_HANDLE* handle, uint8_t sticky) {
  return Tss2_Tcti_MakeSticky(from(context)->inner_, handle, sticky);
}

}  // namespace tss
