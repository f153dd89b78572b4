#ifndef ROOTFS_DEALER_H_
#define ROOTFS_DEALER_H_

#include <atomic>
#include <cstddef>

namespace rootfs {

// Deals out the numbers below `count` to several threads, `stride` at a time.
class Dealer {
 public:
  explicit Dealer(size_t count, size_t stride = 32) : count_(count), stride_(stride) {}

  template <typename Work>
  void ForEach(Work work) {
    for (size_t from = next_.fetch_add(stride_); from < count_; from = next_.fetch_add(stride_)) {
      for (size_t i = from; i < count_ && i < from + stride_; i++) work(i);
    }
  }

 private:
  const size_t count_;
  const size_t stride_;
  std::atomic<size_t> next_{0};
};

}  // namespace rootfs

#endif  // ROOTFS_DEALER_H_
