#include "pool-task.h"

#include <atomic>
#include <cerrno>
#include <system_error>

#include "../thread-pool.h"
#include "convert.h"

namespace rootfs {

namespace {

struct Shared {
  explicit Shared(Napi::Env env) : deferred(Napi::Promise::Deferred::New(env)) {}

  Napi::Promise::Deferred deferred;
  Napi::ThreadSafeFunction settle;
  std::function<void()> work;
  std::function<PoolTask::Outcome()> collect;
  PoolTask::Convert convert;
  std::atomic<size_t> running{0};
  std::atomic<bool> failed{false};
  PoolTask::Outcome outcome{std::string()};
};

void Settle(Napi::Env env, const std::shared_ptr<Shared>& shared) {
  try {
    if (!shared->outcome.ok()) throw ToError(env, shared->outcome.status);
    shared->deferred.Resolve(shared->convert(env, shared->outcome.value));
  } catch (const Napi::Error& error) {
    shared->deferred.Reject(error.Value());
  }
}

PoolTask::Outcome Collect(const Shared& shared) {
  try {
    if (!shared.failed) return shared.collect();
  } catch (const std::exception&) {
  }
  return Status::Fail(Code::kSystem, ENOMEM, "malloc");
}

void RunOne(const std::shared_ptr<Shared>& shared) {
  try {
    shared->work();
  } catch (const std::exception&) {
    shared->failed = true;
  }
  if (shared->running.fetch_sub(1) != 1) return;
  shared->outcome = Collect(*shared);
  auto* kept = new std::shared_ptr<Shared>(shared);
  napi_status status =
      shared->settle.NonBlockingCall(kept, [](Napi::Env env, Napi::Function, std::shared_ptr<Shared>* it) {
        std::unique_ptr<std::shared_ptr<Shared>> owned(it);
        Settle(env, *owned);
      });
  // When the environment is ending, the call has given our hold on it back already.
  if (status == napi_ok) {
    shared->settle.Release();
  } else {
    delete kept;
  }
}

}  // namespace

Napi::Promise PoolTask::Run(Napi::Env env, size_t threads, std::function<void()> work, std::function<Outcome()> collect,
                            Convert convert) {
  auto shared = std::make_shared<Shared>(env);
  shared->work = std::move(work);
  shared->collect = std::move(collect);
  shared->convert = std::move(convert);
  shared->running = threads;
  shared->settle = Napi::ThreadSafeFunction::New(env, Napi::Function(), "rootfs-pool", 0, 1);
  for (size_t i = 0; i < threads; i++) {
    try {
      ThreadPool::Get().Submit([shared] { RunOne(shared); });
    } catch (const std::system_error&) {
      // No thread is to be had: slow is better than never.
      RunOne(shared);
    }
  }
  return shared->deferred.Promise();
}

}  // namespace rootfs
