#ifndef ROOTFS_FANOTIFY_WATCHER_H_
#define ROOTFS_FANOTIFY_WATCHER_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

#include "event-batch.h"
#include "muted-names.h"
#include "status.h"
#include "unique-fd.h"
#include "watch-table.h"

namespace rootfs {

// Listens to fanotify on a thread of its own and hands over merged events, one batch at a time.
class FanotifyWatcher {
 public:
  // Called on the watching thread; must not block. The next batch waits for Acknowledge.
  using Deliver = std::function<void(EventBatch)>;

  static Result<std::unique_ptr<FanotifyWatcher>> Start(std::chrono::milliseconds interval, Deliver deliver);
  ~FanotifyWatcher() { Stop(); }

  // Marks the file system under a directory and tells of changes below it. kUnsupported, kNotFound.
  Status Add(const std::string& path, uint32_t id);
  void Remove(uint32_t id);
  MutedNames& muted() { return muted_; }
  void Acknowledge();
  // Ends the thread before it returns.
  void Stop();

 private:
  using Clock = std::chrono::steady_clock;

  FanotifyWatcher(UniqueFd fanotify, UniqueFd wake, std::chrono::milliseconds interval, Deliver deliver);
  void Run();
  void Wait(bool listen, Clock::time_point until);
  // Reads what is queued. False where reading failed for good.
  bool Drain(EventBatch* batch);
  void TakeEvents(const char* buffer, size_t bytes, EventBatch* batch);
  void TakeEvent(uint64_t mask, const char* info, size_t bytes, EventBatch* batch);
  const Place& PlaceOf(uint64_t fsid, std::string_view handle);
  void RefreshTable();

  UniqueFd fanotify_;
  UniqueFd wake_;
  const std::chrono::milliseconds interval_;
  const Deliver deliver_;
  std::mutex mutex_;
  std::shared_ptr<const WatchTable> table_;  // guarded by mutex_
  std::atomic<bool> stopping_{false};
  std::atomic<bool> in_flight_{false};
  MutedNames muted_;
  // Used by the watching thread only.
  std::shared_ptr<const WatchTable> current_;
  std::unordered_map<std::string, Place> places_;
  std::string path_;               // of the event at hand
  Clock::duration lookup_time_{};  // since the queue was last drained
  std::thread thread_;
};

}  // namespace rootfs

#endif  // ROOTFS_FANOTIFY_WATCHER_H_
