#include "fanotify-watcher.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <system_error>
#include <utility>

namespace rootfs {

namespace {

constexpr uint64_t kMask = FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_MODIFY | FAN_CLOSE_WRITE |
                           FAN_ATTRIB | FAN_OPEN_EXEC | FAN_ONDIR;
constexpr uint64_t kMoves = FAN_MOVED_FROM | FAN_MOVED_TO;
constexpr uint64_t kWrites = FAN_MODIFY | FAN_CLOSE_WRITE;
constexpr size_t kBufferBytes = 64 * 1024;
constexpr int kMaxReads = 64;
constexpr size_t kMaxPlaces = 8192;
constexpr auto kLookupTime = std::chrono::milliseconds(10);

Status MarkError(int error) {
  bool unsupported =
      error == EPERM || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP || error == ENODEV || error == EXDEV;
  return Status::Fail(unsupported ? Code::kUnsupported : Code::kSystem, error, "fanotify_mark");
}

}  // namespace

Result<std::unique_ptr<FanotifyWatcher>> FanotifyWatcher::Start(std::chrono::milliseconds interval, Deliver deliver) {
  UniqueFd fanotify(fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY));
  if (!fanotify.valid()) {
    bool unsupported = errno == EPERM || errno == EINVAL || errno == ENOSYS;
    return Status::Fail(unsupported ? Code::kUnsupported : Code::kSystem, errno, "fanotify_init");
  }
  UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return Status::Fail(Code::kSystem, errno, "eventfd");
  std::unique_ptr<FanotifyWatcher> watcher(
      new FanotifyWatcher(std::move(fanotify), std::move(wake), interval, std::move(deliver)));
  try {
    watcher->thread_ = std::thread([raw = watcher.get()] { raw->Run(); });
  } catch (const std::system_error& error) {
    return Status::Fail(Code::kSystem, error.code().value(), "pthread_create");
  }
  return watcher;
}

FanotifyWatcher::FanotifyWatcher(UniqueFd fanotify, UniqueFd wake, std::chrono::milliseconds interval, Deliver deliver)
    : fanotify_(std::move(fanotify)),
      wake_(std::move(wake)),
      interval_(interval),
      deliver_(std::move(deliver)),
      table_(std::make_shared<WatchTable>()) {}

Status FanotifyWatcher::Add(const std::string& path, uint32_t id) {
  std::lock_guard<std::mutex> lock(mutex_);
  Result<std::shared_ptr<const WatchTable>> table = table_->With(path, id);
  if (!table.ok()) return table.status;
  const WatchedDirectory* added = table.value->Find(id);
  if (!table_->HasFileSystem(added->mount->fsid) &&
      fanotify_mark(fanotify_.get(), FAN_MARK_ADD | FAN_MARK_FILESYSTEM, kMask, added->mount->fd.get(), nullptr) != 0) {
    return MarkError(errno);
  }
  table_ = std::move(table.value);
  return {};
}

void FanotifyWatcher::Remove(uint32_t id) {
  muted_.Unmute(id);
  std::lock_guard<std::mutex> lock(mutex_);
  const WatchedDirectory* removed = table_->Find(id);
  if (removed == nullptr) return;
  std::shared_ptr<WatchedMount> mount = removed->mount;
  table_ = table_->Without(id);
  if (table_->HasFileSystem(mount->fsid)) return;
  // A failure leaves a mark whose events belong to nobody: noise, not harm.
  (void)fanotify_mark(fanotify_.get(), FAN_MARK_REMOVE | FAN_MARK_FILESYSTEM, kMask, mount->fd.get(), nullptr);
}

void FanotifyWatcher::Acknowledge() {
  in_flight_ = false;
  eventfd_write(wake_.get(), 1);
}

void FanotifyWatcher::Stop() {
  stopping_ = true;
  eventfd_write(wake_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

// Between two reads the kernel's queue rests for the interval, where equal events merge at no cost to us.
void FanotifyWatcher::Run() {
  pthread_setname_np(pthread_self(), "rootfs-watch");
  EventBatch batch;
  Clock::time_point next_read = Clock::now();
  bool readable = true;
  while (!stopping_) {
    bool deliver = !batch.empty() && !in_flight_;
    if (deliver) {
      in_flight_ = true;
      batch.Mute(muted_.TakeCounts());
      deliver_(std::exchange(batch, EventBatch()));
    }
    if (!readable) {
      Wait(false, Clock::time_point::max());
      continue;
    }
    Clock::time_point now = Clock::now();
    if (now < next_read) {
      Wait(false, next_read);
      continue;
    }
    Wait(true, Clock::time_point::max());
    if (stopping_) break;
    RefreshTable();
    readable = Drain(&batch);
    next_read = Clock::now() + interval_;
  }
}

void FanotifyWatcher::Wait(bool listen, Clock::time_point until) {
  pollfd fds[2] = {{wake_.get(), POLLIN, 0}, {fanotify_.get(), POLLIN, 0}};
  int timeout = -1;
  if (until != Clock::time_point::max()) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count() + 1;
    timeout = static_cast<int>(std::max<int64_t>(left, 0));
  }
  poll(fds, listen ? 2 : 1, timeout);
  eventfd_t ignored;
  eventfd_read(wake_.get(), &ignored);
}

bool FanotifyWatcher::Drain(EventBatch* batch) {
  alignas(fanotify_event_metadata) char buffer[kBufferBytes];
  lookup_time_ = Clock::duration::zero();
  for (int reads = 0; reads < kMaxReads; reads++) {
    ssize_t got = read(fanotify_.get(), buffer, sizeof(buffer));
    if (got > 0) {
      TakeEvents(buffer, static_cast<size_t>(got), batch);
    } else if (got < 0 && errno != EAGAIN && errno != EINTR) {
      batch->Fail(errno, "read");
      return false;
    } else {
      break;
    }
  }
  return true;
}

void FanotifyWatcher::TakeEvents(const char* buffer, size_t bytes, EventBatch* batch) {
  const int32_t self = getpid();
  size_t at = 0;
  while (at + sizeof(fanotify_event_metadata) <= bytes) {
    fanotify_event_metadata event;
    std::memcpy(&event, buffer + at, sizeof(event));
    if (event.event_len < sizeof(event) || event.event_len > bytes - at || event.vers != FANOTIFY_METADATA_VERSION) {
      batch->Overflow();
      return;
    }
    if ((event.mask & FAN_Q_OVERFLOW) != 0) batch->Overflow();
    // A move of a directory by ourselves still makes remembered paths wrong.
    bool moves_directory = (event.mask & FAN_ONDIR) != 0 && (event.mask & kMoves) != 0;
    if (event.pid != self && (event.mask & FAN_Q_OVERFLOW) == 0) {
      TakeEvent(event.mask, buffer + at + event.metadata_len, event.event_len - event.metadata_len, batch);
    }
    if (moves_directory) places_.clear();
    at += event.event_len;
  }
}

void FanotifyWatcher::TakeEvent(uint64_t mask, const char* info, size_t bytes, EventBatch* batch) {
  fanotify_event_info_fid head;
  constexpr size_t kHandleAt = offsetof(fanotify_event_info_fid, handle);
  if (bytes < kHandleAt + sizeof(file_handle)) return;
  std::memcpy(&head, info, kHandleAt);
  if (head.hdr.len > bytes ||
      (head.hdr.info_type != FAN_EVENT_INFO_TYPE_DFID_NAME && head.hdr.info_type != FAN_EVENT_INFO_TYPE_DFID)) {
    return;
  }
  file_handle handle;
  std::memcpy(&handle, info + kHandleAt, sizeof(handle));
  size_t handle_bytes = sizeof(handle) + handle.handle_bytes;
  if (handle.handle_bytes > MAX_HANDLE_SZ || kHandleAt + handle_bytes > head.hdr.len) return;
  uint64_t fsid = 0;
  std::memcpy(&fsid, &head.fsid, sizeof(fsid));
  if (batch->overflow()) return;
  const Place& place = PlaceOf(fsid, std::string_view(info + kHandleAt, handle_bytes));
  // Whose directories take long to be named must not hold up what is told of others: all are looked at then.
  if (lookup_time_ > kLookupTime) batch->Overflow();
  if (place.id == 0) return;
  size_t name_at = kHandleAt + handle_bytes;
  std::string_view name(info + name_at, strnlen(info + name_at, head.hdr.len - name_at));
  if (place.is_ancestor) {
    batch->Add(place.id, place.path, mask | FAN_ONDIR);
    return;
  }
  path_ = place.path;
  if (name != "." && !name.empty()) {
    if (!path_.empty()) path_ += '/';
    path_ += name;
  }
  const bool is_write = (mask & ~kWrites) == 0;
  if (!is_write || !muted_.Swallow(place.id, path_)) batch->Add(place.id, path_, mask);
}

const Place& FanotifyWatcher::PlaceOf(uint64_t fsid, std::string_view handle) {
  std::string key(reinterpret_cast<const char*>(&fsid), sizeof(fsid));
  key += handle;
  auto known = places_.find(key);
  if (known != places_.end()) return known->second;
  if (places_.size() >= kMaxPlaces) places_.clear();
  const Clock::time_point start = Clock::now();
  const Place& place = places_.emplace(std::move(key), current_->Locate(fsid, handle)).first->second;
  lookup_time_ += Clock::now() - start;
  return place;
}

void FanotifyWatcher::RefreshTable() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (current_ == table_) return;
  current_ = table_;
  places_.clear();
}

}  // namespace rootfs
