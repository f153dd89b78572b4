#ifndef ROOTFS_NAPI_WATCH_OBJECT_H_
#define ROOTFS_NAPI_WATCH_OBJECT_H_

#include <napi.h>

#include <memory>

#include "../fanotify-watcher.h"

namespace rootfs {

// NativeWatch of src/native.ts.
class WatchObject : public Napi::ObjectWrap<WatchObject> {
 public:
  static Napi::Function Define(Napi::Env env);

  // new WatchObject(batchMs, onBatch)
  explicit WatchObject(const Napi::CallbackInfo& info);
  ~WatchObject() override;

 private:
  // Outlives the object while a batch is on its way to JavaScript.
  struct Shared {
    std::unique_ptr<FanotifyWatcher> watcher;
    Napi::ThreadSafeFunction send;
    bool stopped = false;

    // Ends the thread, then lets go of the function it calls; once.
    void Stop();
  };

  static void Send(const std::shared_ptr<Shared>& shared, EventBatch batch);
  static void StopAtExit(void* shared);
  FanotifyWatcher& Running(Napi::Env env) const;
  void Add(const Napi::CallbackInfo& info);
  void Remove(const Napi::CallbackInfo& info);
  void Mute(const Napi::CallbackInfo& info);
  void Unmute(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  void StopOnce();

  std::shared_ptr<Shared> shared_;
  napi_env env_;
};

}  // namespace rootfs

#endif  // ROOTFS_NAPI_WATCH_OBJECT_H_
