#ifndef ROOTFS_NAPI_POOL_TASK_H_
#define ROOTFS_NAPI_POOL_TASK_H_

#include <napi.h>

#include <functional>
#include <memory>

#include "../status.h"

namespace rootfs {

// Work for the thread pool with a promise for its outcome. The environment may be gone when the work is done.
class PoolTask {
 public:
  using Outcome = Result<std::string>;
  // Turns a good outcome into a value, on the JavaScript thread.
  using Convert = std::function<Napi::Value(Napi::Env, const std::string&)>;

  // Runs `work` on up to `threads` pool threads at once, then `collect` once on the last of them.
  static Napi::Promise Run(Napi::Env env, size_t threads, std::function<void()> work, std::function<Outcome()> collect,
                           Convert convert);
};

}  // namespace rootfs

#endif  // ROOTFS_NAPI_POOL_TASK_H_
