#include "thread-pool.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>

namespace rootfs {

namespace {

constexpr auto kIdleTime = std::chrono::seconds(1);

}  // namespace

ThreadPool& ThreadPool::Get() {
  static ThreadPool* pool = new ThreadPool();
  return *pool;
}

ThreadPool::ThreadPool() : max_threads_(std::clamp(std::thread::hardware_concurrency(), 1u, 4u)) {}

void ThreadPool::Submit(std::function<void()> task) {
  std::lock_guard<std::mutex> lock(mutex_);
  tasks_.push_back(std::move(task));
  if (idle_ >= tasks_.size() || threads_ >= max_threads_) {
    wake_.notify_one();
  } else {
    StartThread(&tasks_);
  }
}

void ThreadPool::SubmitLater(std::function<void()> task) {
  std::lock_guard<std::mutex> lock(mutex_);
  later_.push_back(std::move(task));
  if (threads_ > 0) {
    wake_.notify_one();
  } else {
    StartThread(&later_);
  }
}

void ThreadPool::StartThread(std::deque<std::function<void()>>* tasks) {
  try {
    std::thread([this] { Run(); }).detach();
    threads_++;
  } catch (const std::system_error&) {
    // Without any thread nobody would ever take the task; with some it only waits longer.
    if (threads_ > 0) return;
    tasks->pop_back();
    throw;
  }
}

void ThreadPool::Run() {
  pthread_setname_np(pthread_self(), "rootfs-pool");
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    idle_++;
    bool woken = wake_.wait_for(lock, kIdleTime, [this] { return !tasks_.empty() || !later_.empty(); });
    idle_--;
    if (!woken) break;
    std::deque<std::function<void()>>& tasks = tasks_.empty() ? later_ : tasks_;
    std::function<void()> task = std::move(tasks.front());
    tasks.pop_front();
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
  threads_--;
}

}  // namespace rootfs
