// A TCTI around the real one. It remembers that the line failed, and after that, or once the context was given up,
// sends nothing more: a thread that wakes late must not touch a TPM that others use by then.
#pragma once

#include <tss2/tss2_tcti.h>

#include <atomic>
#include <string>

#include "bytes.h"

namespace tss {

class GuardedTcti {
 public:
  explicit GuardedTcti(const std::atomic<bool>& abandoned) : abandoned_(abandoned) {}
  GuardedTcti(const GuardedTcti&) = delete;
  GuardedTcti& operator=(const GuardedTcti&) = delete;
  ~GuardedTcti() { close(); }

  TSS2_RC open(const std::string& tcti);
  void close();
  TSS2_TCTI_CONTEXT* context() { return reinterpret_cast<TSS2_TCTI_CONTEXT*>(&shell_); }
  // The line failed or the context was given up.
  bool isDown() const { return failed_ || abandoned_.load(); }
  // Bytes of the parameter area of the last response that had no handle.
  std::size_t parameterBytes() const { return parameterBytes_; }
  // One raw command; the response code of the TPM, or the error of the line.
  TSS2_RC transceive(const Bytes& command);

 private:
  struct Shell {
    TSS2_TCTI_CONTEXT_COMMON_V2 common;
    GuardedTcti* self;
  };

  static GuardedTcti* from(TSS2_TCTI_CONTEXT* context) { return reinterpret_cast<Shell*>(context)->self; }
  static TSS2_RC transmit(TSS2_TCTI_CONTEXT* context, size_t size, const uint8_t* command);
  static TSS2_RC receive(TSS2_TCTI_CONTEXT* context, size_t* size, uint8_t* response, int32_t timeout);
  static TSS2_RC cancel(TSS2_TCTI_CONTEXT* context);
  static TSS2_RC getPollHandles(TSS2_TCTI_CONTEXT* context, TSS2_TCTI_POLL_HANDLE* handles, size_t* count);
  static TSS2_RC setLocality(TSS2_TCTI_CONTEXT* context, uint8_t locality);
  static TSS2_RC makeSticky(TSS2_TCTI_CONTEXT* context, TPM2_HANDLE* handle, uint8_t sticky);
  TSS2_RC note(TSS2_RC rc);
  TSS2_RC inspect(uint8_t* response, std::size_t size, std::size_t capacity);

  Shell shell_{};
  TSS2_TCTI_CONTEXT* inner_ = nullptr;
  const std::atomic<bool>& abandoned_;
  bool failed_ = false;
  std::size_t parameterBytes_ = 0;
};

}  // namespace tss
