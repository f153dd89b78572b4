#include "sip-hash.h"

#include <cstring>
#include <random>

namespace rootfs {

namespace {

struct Key {
  uint64_t low;
  uint64_t high;
};

const Key& ProcessKey() {
  static const Key key = [] {
    std::random_device random;
    auto draw = [&random] { return (static_cast<uint64_t>(random()) << 32) | random(); };
    return Key{draw(), draw()};
  }();
  return key;
}

uint64_t Rotate(uint64_t value, int bits) { return (value << bits) | (value >> (64 - bits)); }

struct State {
  uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v1 = Rotate(v1, 13) ^ v0;
    v0 = Rotate(v0, 32);
    v2 += v3;
    v3 = Rotate(v3, 16) ^ v2;
    v0 += v3;
    v3 = Rotate(v3, 21) ^ v0;
    v2 += v1;
    v1 = Rotate(v1, 17) ^ v2;
    v2 = Rotate(v2, 32);
  }

  void Take(uint64_t word) {
    v3 ^= word;
    Round();
    v0 ^= word;
  }
};

}  // namespace

uint64_t SipHash(std::string_view text) {
  const Key& key = ProcessKey();
  State state{key.low ^ 0x736f6d6570736575u, key.high ^ 0x646f72616e646f6du, key.low ^ 0x6c7967656e657261u,
              key.high ^ 0x7465646279746573u};
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    state.Take(word);
  }
  uint64_t last = static_cast<uint64_t>(text.size()) << 56;
  for (int shift = 0; at < text.size(); at++, shift += 8) {
    last |= static_cast<uint64_t>(static_cast<unsigned char>(text[at])) << shift;
  }
  state.Take(last);
  state.v2 ^= 0xff;
  for (int i = 0; i < 3; i++) state.Round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace rootfs
