#include "shared-work.h"

#include <system_error>

#include "thread-pool.h"

namespace rootfs {

std::shared_ptr<SharedWork> SharedWork::Start(size_t helpers, std::function<void()> work) {
  std::shared_ptr<SharedWork> shared(new SharedWork([work = std::move(work)] {
    work();
    return false;
  }));
  try {
    for (size_t i = 0; i < helpers; i++) ThreadPool::Get().Submit([shared] { shared->Join(); });
  } catch (const std::system_error&) {
    // No thread is to be had: the owner does it all.
  }
  return shared;
}

std::shared_ptr<SharedWork> SharedWork::StartLater(size_t steps, std::function<bool()> step) {
  std::shared_ptr<SharedWork> shared(new SharedWork(std::move(step)));
  try {
    for (size_t i = 0; i < steps; i++) ThreadPool::Get().SubmitLater([shared] { (void)shared->Join(); });
  } catch (const std::system_error&) {
    // No thread is to be had: the owner does it all.
  }
  return shared;
}

void SharedWork::Finish() {
  while (Join()) continue;
  std::unique_lock<std::mutex> lock(mutex_);
  closed_ = true;
  left_.wait(lock, [this] { return inside_ == 0; });
  if (error_ != nullptr) std::rethrow_exception(error_);
}

bool SharedWork::Join() {
  std::unique_lock<std::mutex> lock(mutex_);
  if (closed_) return false;
  inside_++;
  lock.unlock();
  std::exception_ptr error;
  bool is_more = false;
  try {
    is_more = step_();
  } catch (...) {
    error = std::current_exception();
  }
  lock.lock();
  if (error_ == nullptr) error_ = error;
  inside_--;
  left_.notify_one();
  return is_more;
}

}  // namespace rootfs
