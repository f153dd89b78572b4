// One ESAPI context: its line to the TPM, what it loaded there, and the retries of a busy TPM. Used by one thread.
#pragma once

#include <tss2/tss2_esys.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "guarded-tcti.h"
#include "result.h"

namespace tss {

// What stands behind an ESYS_TR, and so how it is let go.
enum class Kind { transient, persistent, session };

class Context {
 public:
  explicit Context(const std::atomic<bool>& abandoned) : abandoned_(abandoned) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { close(); }

  Status open(const std::string& tcti, bool exclusive);
  // Flushes what this context loaded, unless the line is down, and frees everything. Harmless when repeated.
  void close();
  // The line failed or ESAPI lost its state: no further command can succeed.
  bool isBroken() const { return broken_ || (tcti_ != nullptr && tcti_->isDown()); }

  // Calls ESAPI; resubmits with growing pauses while the TPM answers RETRY, YIELDED or TESTING.
  template <typename Call>
  Status run(const char* command, Call&& call) {
    if (esys_ == nullptr) return {TSS2_ESYS_RC_BAD_SEQUENCE, command};
    TSS2_RC rc = call(esys_);
    for (int attempt = 0; isBusy(rc) && pause(attempt); attempt++) rc = call(esys_);
    return finish(rc, command);
  }

  // After a command without response handle: its parameters must fill the response exactly, no more and no less.
  Status expectParameters(std::size_t bytes, const char* command);

  void track(ESYS_TR handle, Kind kind) { tracked_[handle] = kind; }
  void forget(ESYS_TR handle) { tracked_.erase(handle); }
  bool tracks(ESYS_TR handle, Kind kind) const;
  // Flushes a transient object or session; forgets a persistent one.
  Status release(ESYS_TR handle);

 private:
  static bool isBusy(TSS2_RC rc);
  bool pause(int attempt) const;
  Status finish(TSS2_RC rc, const char* command);
  Status flushForeign();

  const std::atomic<bool>& abandoned_;
  std::unique_ptr<GuardedTcti> tcti_;
  ESYS_CONTEXT* esys_ = nullptr;
  std::map<ESYS_TR, Kind> tracked_;
  bool broken_ = false;
};

}  // namespace tss
