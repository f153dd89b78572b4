#include "survey.h"

#include <cerrno>
#include <chrono>
#include <exception>
#include <system_error>

#include "read-deadline.h"
#include "thread-pool.h"

namespace rootfs {

namespace {

constexpr size_t kBatchBytes = 64 * 1024;
constexpr size_t kMaxReadyBytes = 4 * 1024 * 1024;
constexpr size_t kMaxOpen = 64;
constexpr size_t kMaxLinkBytes = 8 * 1024 * 1024;
constexpr auto kBatchTime = std::chrono::milliseconds(50);

}  // namespace

std::shared_ptr<Survey> Survey::Start(std::shared_ptr<const Root> root, SurveyOptions options) {
  std::shared_ptr<Survey> survey(new Survey(std::move(root), options));
  survey->begun_.push_back(std::make_unique<DirectoryListing>(nullptr, nullptr));
  survey->StartHelpers();
  return survey;
}

Result<std::string> Survey::Next() {
  const auto deadline = std::chrono::steady_clock::now() + kBatchTime;
  std::unique_lock<std::mutex> lock(mutex_);
  while (ready_.size() < kBatchBytes) {
    if (!ready_.empty() && std::chrono::steady_clock::now() >= deadline) break;
    // A tree of directories alone has nothing to tell for long.
    Status in_time = CheckReadDeadline();
    if (!in_time.ok) return in_time;
    if (Step(&lock)) continue;
    if (active_ == 0) break;
    changed_.wait(lock);
  }
  if (ready_.empty() && !failure_.ok) return failure_;
  std::string batch;
  batch.swap(ready_);
  lock.unlock();
  StartHelpers();
  return batch;
}

void Survey::Stop() {
  std::lock_guard<std::mutex> lock(mutex_);
  stopped_ = true;
  levels_.clear();
  begun_.clear();
  changed_.notify_all();
}

// Helpers leave when the reader is slow, so that nothing of theirs waits on the pool's threads, and are called again.
void Survey::StartHelpers() {
  for (;;) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      bool is_over = stopped_ || (levels_.empty() && begun_.empty());
      if (helping_ >= options_.helpers || is_over || ready_.size() >= kMaxReadyBytes) return;
      helping_++;
    }
    try {
      ThreadPool::Get().Submit([self = shared_from_this()] { self->Help(); });
    } catch (const std::system_error&) {
      // The reader does it all by itself then.
      std::lock_guard<std::mutex> lock(mutex_);
      helping_--;
      return;
    }
  }
}

void Survey::Help() {
  std::unique_lock<std::mutex> lock(mutex_);
  try {
    while (!stopped_ && ready_.size() < kMaxReadyBytes) {
      if (Step(&lock)) continue;
      if (active_ == 0) break;
      changed_.wait(lock);
    }
  } catch (const std::exception&) {
    Fail(Status::Fail(Code::kSystem, ENOMEM, "malloc"));
    changed_.notify_all();
  }
  helping_--;
}

bool Survey::Step(std::unique_lock<std::mutex>* lock) {
  std::unique_ptr<DirectoryListing> listing = Take();
  if (listing == nullptr) return false;
  active_++;
  lock->unlock();
  Told told;
  Status status;
  UniqueFd fd;
  try {
    status = listing->Advance(*root_, {options_.max_entries, options_.max_depth, &entries_}, &told);
  } catch (const std::exception&) {
    status = Status::Fail(Code::kSystem, ENOMEM, "malloc");
  }
  if (listing->IsDone()) {
    UniqueFd done = listing->TakeFd();
    // Closed here where nothing in it is to be listed.
    if (listing->directories().size() > 0) fd = std::move(done);
  }
  lock->lock();
  active_--;
  if (!status.ok) {
    Fail(status);
  } else if (!stopped_ && failure_.ok) {
    ready_ += told.records;
    KeepLinks(told.links);
    Keep(std::move(listing), std::move(fd));
  }
  changed_.notify_all();
  return true;
}

std::unique_ptr<DirectoryListing> Survey::Take() {
  if (!begun_.empty()) {
    std::unique_ptr<DirectoryListing> listing = std::move(begun_.back());
    begun_.pop_back();
    return listing;
  }
  if (levels_.empty()) return nullptr;
  Level& level = levels_.back();
  auto listing = std::make_unique<DirectoryListing>(MakePath(level.parent, level.names[level.next++]), level.fd);
  if (level.next == level.names.size()) levels_.pop_back();
  return listing;
}

void Survey::Keep(std::unique_ptr<DirectoryListing> listing, UniqueFd fd) {
  if (!listing->IsDone()) {
    begun_.push_back(std::move(listing));
  } else if (listing->directories().size() > 0) {
    auto open = levels_.size() < kMaxOpen ? std::make_shared<const UniqueFd>(std::move(fd)) : nullptr;
    levels_.push_back(Level{listing->path(), std::move(listing->directories()), std::move(open), 0});
  }
}

void Survey::KeepLinks(const std::string& links) {
  if (links_.size() + links.size() > kMaxLinkBytes) are_links_cut_ = true;
  if (!are_links_cut_) links_ += links;
}

Result<std::string> Survey::Links() {
  std::lock_guard<std::mutex> lock(mutex_);
  const bool is_over = levels_.empty() && begun_.empty() && active_ == 0 && !stopped_ && failure_.ok;
  if (!is_over || are_links_cut_) return Status::Fail(Code::kLimit, 0, "links");
  return links_;
}

void Survey::Fail(const Status& status) {
  if (failure_.ok) failure_ = status;
  levels_.clear();
  begun_.clear();
}

}  // namespace rootfs
