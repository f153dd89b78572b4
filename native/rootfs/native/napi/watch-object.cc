#include "watch-object.h"

#include <utility>

#include "convert.h"

namespace rootfs {

Napi::Function WatchObject::Define(Napi::Env env) {
  return DefineClass(env, "NativeWatch",
                     {
                         InstanceMethod<&WatchObject::Add>("add"),
                         InstanceMethod<&WatchObject::Remove>("remove"),
                         InstanceMethod<&WatchObject::Mute>("mute"),
                         InstanceMethod<&WatchObject::Unmute>("unmute"),
                         InstanceMethod<&WatchObject::Close>("close"),
                     });
}

WatchObject::WatchObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<WatchObject>(info), env_(info.Env()) {
  auto interval = std::chrono::milliseconds(ToCount(info[0]));
  auto shared = std::make_shared<Shared>();
  shared->send = Napi::ThreadSafeFunction::New(info.Env(), info[1].As<Napi::Function>(), "rootfs-watch", 0, 1);
  // A weak hold: the watcher belongs to what it would otherwise keep alive.
  auto deliver = [weak = std::weak_ptr<Shared>(shared)](EventBatch batch) {
    if (std::shared_ptr<Shared> strong = weak.lock()) Send(strong, std::move(batch));
  };
  Result<std::unique_ptr<FanotifyWatcher>> watcher = FanotifyWatcher::Start(interval, deliver);
  if (!watcher.ok()) {
    shared->send.Release();
    throw ToError(info.Env(), watcher.status);
  }
  shared->watcher = std::move(watcher.value);
  shared_ = std::move(shared);
  napi_add_env_cleanup_hook(env_, StopAtExit, shared_.get());
}

WatchObject::~WatchObject() { StopOnce(); }

void WatchObject::Shared::Stop() {
  if (std::exchange(stopped, true)) return;
  watcher->Stop();
  send.Release();
}

void WatchObject::StopAtExit(void* shared) { static_cast<Shared*>(shared)->Stop(); }

// On the watching thread, which the owner joins before `send` is released.
void WatchObject::Send(const std::shared_ptr<Shared>& shared, EventBatch batch) {
  using Message = std::pair<std::weak_ptr<Shared>, EventBatch>;
  auto* message = new Message(shared, std::move(batch));
  napi_status status = shared->send.NonBlockingCall(message, [](Napi::Env env, Napi::Function onBatch, Message* given) {
    std::unique_ptr<Message> owned(given);
    std::shared_ptr<Shared> alive = owned->first.lock();
    if (alive == nullptr) return;
    // Before the call: what the callback throws must not hold up the batches after it.
    alive->watcher->Acknowledge();
    const EventBatch& events = owned->second;
    onBatch.Call({ToBuffer(env, events.Pack()), Napi::Boolean::New(env, events.overflow()),
                  Napi::Number::New(env, events.error()), Napi::String::New(env, events.call())});
  });
  if (status != napi_ok) delete message;
}

FanotifyWatcher& WatchObject::Running(Napi::Env env) const {
  if (shared_ == nullptr) throw ToError(env, Status::Fail(Code::kClosed, 0, "watch"));
  return *shared_->watcher;
}

void WatchObject::Add(const Napi::CallbackInfo& info) {
  Status added = Running(info.Env()).Add(ToBytes(info[0]), static_cast<uint32_t>(ToCount(info[1])));
  if (!added.ok) throw ToError(info.Env(), added);
}

void WatchObject::Remove(const Napi::CallbackInfo& info) {
  Running(info.Env()).Remove(static_cast<uint32_t>(ToCount(info[0])));
}

void WatchObject::Mute(const Napi::CallbackInfo& info) {
  Running(info.Env()).muted().Mute(static_cast<uint32_t>(ToCount(info[0])), ToBytes(info[1]));
}

void WatchObject::Unmute(const Napi::CallbackInfo& info) {
  Running(info.Env()).muted().Unmute(static_cast<uint32_t>(ToCount(info[0])));
}

void WatchObject::Close(const Napi::CallbackInfo&) { StopOnce(); }

void WatchObject::StopOnce() {
  if (shared_ == nullptr) return;
  napi_remove_env_cleanup_hook(env_, StopAtExit, shared_.get());
  shared_->Stop();
  shared_.reset();
}

}  // namespace rootfs
