// Byte strings that leave nothing behind: their memory is wiped when it is freed, since any of them may be a secret.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace tss {

template <typename T>
struct WipingAllocator : std::allocator<T> {
  template <typename U>
  struct rebind {
    using other = WipingAllocator<U>;
  };
  WipingAllocator() = default;
  template <typename U>
  WipingAllocator(const WipingAllocator<U>&) {}
  void deallocate(T* memory, std::size_t count) {
    explicit_bzero(memory, count * sizeof(T));
    std::allocator<T>::deallocate(memory, count);
  }
};

using Bytes = std::vector<uint8_t, WipingAllocator<uint8_t>>;

// A C structure that starts as zero and is wiped at the end of its scope.
template <typename T>
struct Wiped {
  T value{};
  Wiped() = default;
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
  ~Wiped() { explicit_bzero(&value, sizeof value); }
};

// Copies into a TPM2B with a buffer of fixed size; false where the bytes do not fit.
template <typename Sized, std::size_t Capacity>
bool fill(Sized& sized, uint8_t (&buffer)[Capacity], const Bytes& bytes) {
  if (bytes.size() > Capacity) return false;
  sized.size = static_cast<uint16_t>(bytes.size());
  if (!bytes.empty()) std::memcpy(buffer, bytes.data(), bytes.size());
  return true;
}

template <std::size_t Capacity>
Bytes copyOf(const uint8_t (&buffer)[Capacity], std::size_t size) {
  return Bytes(buffer, buffer + (size < Capacity ? size : Capacity));
}

}  // namespace tss
