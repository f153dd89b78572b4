// The dedicated thread of one context, and its way back to the event loop. libuv's pool is never used: four hung TPMs
// would stop every file access of the process.
#pragma once

#define NAPI_VERSION 8
#include <node_api.h>
#include <pthread.h>
#include <time.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "commands.h"

namespace addon {

// The end of the short time for which the last command and the flushing of what is loaded are waited for.
timespec farewell();

class Worker : public std::enable_shared_from_this<Worker> {
 public:
  Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // All of these on the JavaScript thread of `env`.
  bool start(napi_env env);
  // False where a command is in flight already, or the thread was told to end.
  bool submit(napi_env env, Job job, napi_value onOutcome);
  bool isBusy();
  // Tells the thread to end after its last command.
  void requestStop();
  // Ends the thread so, and waits for it no longer than until then; a thread that hangs is given up.
  void release(napi_env env, const timespec& until);
  // Gives the thread up at once.
  void abandon(napi_env env);

 private:
  static void* main(void* self);
  static void onOutcome(napi_env env, napi_value, void* context, void* data);
  static void onFinalized(napi_env env, void* data, void* hint);
  void loop();
  void deliver(napi_env env);
  void cutOff(napi_env env);

  std::atomic<bool> abandoned_{false};

  std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_; at most one command is in flight.
  Job job_;
  bool busy_ = false;
  bool stop_ = false;
  Outcome outcome_;
  napi_threadsafe_function loopback_ = nullptr;

  // JavaScript thread only.
  pthread_t thread_{};
  bool attached_ = false;
  napi_ref callback_ = nullptr;
};

}  // namespace addon
