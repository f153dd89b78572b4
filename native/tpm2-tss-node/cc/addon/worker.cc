#include "worker.h"

#include <csignal>

#include "values.h"

namespace addon {

namespace {

// Long enough to flush what is loaded, short enough for an exit that must not hang.
constexpr long kFarewellMs = 250;

// Signals belong to the threads that Node made for them.
int createThread(pthread_t* thread, void* (*main)(void*), void* argument) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int failure = pthread_create(thread, nullptr, main, argument);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return failure;
}

}  // namespace

timespec farewell() {
  timespec until{};
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += kFarewellMs * 1000000;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  return until;
}

bool Worker::start(napi_env env) {
  napi_value name = nullptr;
  if (napi_create_string_utf8(env, "tpm2-tss-node", NAPI_AUTO_LENGTH, &name) != napi_ok) return false;
  auto* context = new std::shared_ptr<Worker>(shared_from_this());
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, context, onFinalized, context, onOutcome,
                                      &loopback_) != napi_ok) {
    delete context;
    return false;
  }
  // An idle context keeps no process alive; submit() takes the reference, deliver() gives it back.
  napi_unref_threadsafe_function(env, loopback_);
  auto* self = new std::shared_ptr<Worker>(shared_from_this());
  if (createThread(&thread_, main, self) != 0) {
    delete self;
    cutOff(env);
    return false;
  }
  attached_ = true;
  return true;
}

bool Worker::submit(napi_env env, Job job, napi_value onOutcome) {
  if (callback_ != nullptr || !attached_) return false;
  if (napi_create_reference(env, onOutcome, 1, &callback_) != napi_ok) return false;
  const std::lock_guard<std::mutex> lock(mutex_);
  napi_ref_threadsafe_function(env, loopback_);
  job_ = std::move(job);
  busy_ = true;
  wake_.notify_one();
  return true;
}

bool Worker::isBusy() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return busy_;
}

void Worker::requestStop() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stop_ = true;
  wake_.notify_one();
}

void Worker::release(napi_env env, const timespec& until) {
  if (!attached_) return;
  attached_ = false;
  requestStop();
  // Joined rather than detached where it can be: nothing of it runs any more while the process takes OpenSSL down.
  if (pthread_timedjoin_np(thread_, nullptr, &until) != 0) {
    abandoned_.store(true);
    pthread_detach(thread_);
  }
  cutOff(env);
}

void Worker::abandon(napi_env env) {
  if (!attached_) return;
  attached_ = false;
  abandoned_.store(true);
  requestStop();
  pthread_detach(thread_);
  cutOff(env);
}

// After this the thread never calls into Node again.
void Worker::cutOff(napi_env env) {
  napi_threadsafe_function loopback = nullptr;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::swap(loopback, loopback_);
  }
  if (loopback != nullptr) napi_release_threadsafe_function(loopback, napi_tsfn_abort);
  if (callback_ != nullptr) napi_delete_reference(env, callback_);
  callback_ = nullptr;
}

void* Worker::main(void* self) {
  const std::unique_ptr<std::shared_ptr<Worker>> owner(static_cast<std::shared_ptr<Worker>*>(self));
  (*owner)->loop();
  return nullptr;
}

void Worker::loop() {
  tss::Context context(abandoned_);
  while (true) {
    Job job;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stop_ || job_ != nullptr; });
      if (stop_) return;
      job.swap(job_);
    }
    Outcome outcome = job(context);
    outcome.broken = context.isBroken();
    job = nullptr;
    const std::lock_guard<std::mutex> lock(mutex_);
    outcome_ = std::move(outcome);
    busy_ = false;
    if (loopback_ != nullptr) napi_call_threadsafe_function(loopback_, nullptr, napi_tsfn_nonblocking);
  }
}

void Worker::onFinalized(napi_env, void* data, void*) { delete static_cast<std::shared_ptr<Worker>*>(data); }

void Worker::onOutcome(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;
  // A copy: the callback may end the worker.
  const std::shared_ptr<Worker> self = *static_cast<std::shared_ptr<Worker>*>(context);
  self->deliver(env);
}

void Worker::deliver(napi_env env) {
  Outcome outcome;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (loopback_ == nullptr || callback_ == nullptr) return;
    std::swap(outcome, outcome_);
    napi_unref_threadsafe_function(env, loopback_);
  }
  napi_value callback = nullptr;
  napi_get_reference_value(env, callback_, &callback);
  napi_delete_reference(env, callback_);
  callback_ = nullptr;
  const bool good = outcome.status.ok();
  const napi_value content = good ? outcome.value(env) : toJs(env, outcome.status, outcome.broken);
  const napi_value argument = makeObject(env, {{good ? "value" : "failure", content}});
  napi_value global = nullptr;
  // Any of these fails where the environment is being terminated: the outcome is lost with it.
  if (callback == nullptr || argument == nullptr || napi_get_global(env, &global) != napi_ok) return;
  if (napi_call_function(env, global, callback, 1, &argument, nullptr) == napi_pending_exception) {
    napi_value ignored = nullptr;
    napi_get_and_clear_last_exception(env, &ignored);
  }
}

}  // namespace addon
