#ifndef ROOTFS_THREAD_POOL_H_
#define ROOTFS_THREAD_POOL_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

namespace rootfs {

// A few threads of our own, so that a slow disk never starves libuv's pool. They start when needed and leave when idle.
class ThreadPool {
 public:
  // The one pool of the process; never destroyed, because its threads may outlive every caller.
  static ThreadPool& Get();

  void Submit(std::function<void()> task);
  // Done when nothing else waits, by one thread that may have to be started for it.
  void SubmitLater(std::function<void()> task);
  size_t max_threads() const { return max_threads_; }

 private:
  ThreadPool();
  void Run();
  // Throws std::system_error where there is no thread at all.
  void StartThread(std::deque<std::function<void()>>* tasks);

  const size_t max_threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  std::deque<std::function<void()>> later_;
  size_t threads_ = 0;
  size_t idle_ = 0;
};

}  // namespace rootfs

#endif  // ROOTFS_THREAD_POOL_H_
