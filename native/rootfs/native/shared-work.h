#ifndef ROOTFS_SHARED_WORK_H_
#define ROOTFS_SHARED_WORK_H_

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>

namespace rootfs {

// Work that pool threads begin on while its owner does something else, and that the owner himself brings to its end.
class SharedWork {
 public:
  // `work` shares out by itself what is to be done; it is called by several threads and holds all that it needs.
  static std::shared_ptr<SharedWork> Start(size_t helpers, std::function<void()> work);
  // The same in steps, for what nobody waits for: pool threads take a step where nothing else is to be done. `step`
  // says whether there is more.
  static std::shared_ptr<SharedWork> StartLater(size_t steps, std::function<bool()> step);

  // Takes part, then waits for those that began; one that has not begun by then never will. Throws what any of them
  // threw.
  void Finish();

 private:
  explicit SharedWork(std::function<bool()> step) : step_(std::move(step)) {}
  // False where nothing is left.
  bool Join();

  const std::function<bool()> step_;
  std::mutex mutex_;
  std::condition_variable left_;
  size_t inside_ = 0;
  bool closed_ = false;
  std::exception_ptr error_;
};

}  // namespace rootfs

#endif  // ROOTFS_SHARED_WORK_H_
