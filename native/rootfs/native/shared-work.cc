#include "shared-work.h"

#include <system_error>

#include "thread-pool.h"

namespace rootfs {

std::shared_ptr<SharedWork> SharedWork::Start(size_t helpers, std::function<void()> work) {
  std::shared_ptr<SharedWork> shared(new SharedWork(std::move(work)));
  try {
    for (size_t i = 0; i < helpers; i++) ThreadPool::Get().Submit([shared] { shared->Join(); });
  } catch (const std::system_error&) {
    // No thread is to be had: the owner does it all.
  }
  return shared;
}

void SharedWork::Finish() {
  Join();
  std::unique_lock<std::mutex> lock(mutex_);
  closed_ = true;
  left_.wait(lock, [this] { return inside_ == 0; });
  if (error_ != nullptr) std::rethrow_exception(error_);
}

void SharedWork::Join() {
  std::unique_lock<std::mutex> lock(mutex_);
  if (closed_) return;
  inside_++;
  lock.unlock();
  std::exception_ptr error;
  try {
    work_();
  } catch (...) {
    error = std::current_exception();
  }
  lock.lock();
  if (error_ == nullptr) error_ = error;
  inside_--;
  left_.notify_one();
}

}  // namespace rootfs
