#include <algorithm>
#include <cstring>

#include "entry-stat.h"
#include "path-claims.h"

namespace rootfs {

namespace {

constexpr size_t kHead = 16;  // of a record, and of an entry in it
constexpr uint16_t kExecute = 0111;

size_t Align(size_t at) { return (at + 3) / 4 * 4; }

template <typename T>
T At(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

bool EndsIn(std::string_view name, std::string_view suffix) {
  if (name.size() < suffix.size()) return false;
  const char* end = name.data() + name.size() - suffix.size();
  return std::equal(suffix.begin(), suffix.end(), end,
                    [](char wanted, char is) { return wanted == (is >= 'A' && is <= 'Z' ? is + ('a' - 'A') : is); });
}

struct Entry {
  uint64_t size;
  uint16_t mode;
  uint16_t type;
  uint16_t problem;
  std::string_view name;
};

bool Stays(const PathClaims& claims, const SiftRule& rule, int64_t directory, const Entry& entry) {
  if (entry.problem != 0 || entry.type != static_cast<uint16_t>(EntryType::kFile)) return true;
  if (entry.size >= rule.min_program_bytes && (entry.mode & kExecute) != 0) return true;
  PathClaims::Found found;
  if (!claims.Find(directory, entry.name, &found)) return true;
  return std::any_of(rule.suffixes.begin(), rule.suffixes.end(),
                     [&](const std::string& suffix) { return EndsIn(entry.name, suffix); });
}

// One record of DirectoryListing::Advance: head, path, entries.
bool SiftRecord(const PathClaims& claims, const SiftRule& rule, std::string_view record, std::string* sifted) {
  const size_t path_bytes = At<uint32_t>(record, 4);
  const uint32_t count = At<uint32_t>(record, 8);
  if (path_bytes > record.size() - kHead) return false;
  const int64_t directory = claims.FindDirectory(record.substr(kHead, path_bytes));
  const size_t start = sifted->size();
  size_t at = kHead + Align(path_bytes);
  if (at > record.size()) return false;
  sifted->append(record.substr(0, at));
  uint32_t kept = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (record.size() - at < kHead) return false;
    const size_t name_bytes = At<uint16_t>(record, at + 10);
    const size_t end = at + kHead + Align(name_bytes);
    if (end > record.size()) return false;
    const Entry entry = {At<uint64_t>(record, at), At<uint16_t>(record, at + 8), At<uint16_t>(record, at + 12),
                         At<uint16_t>(record, at + 14), record.substr(at + kHead, name_bytes)};
    if (Stays(claims, rule, directory, entry)) {
      sifted->append(record.substr(at, end - at));
      kept++;
    }
    at = end;
  }
  if (at != record.size()) return false;
  if (kept == 0 && At<uint32_t>(record, 12) == 0) {
    sifted->resize(start);
    return true;
  }
  const uint32_t bytes = static_cast<uint32_t>(sifted->size() - start);
  std::memcpy(sifted->data() + start, &bytes, sizeof(bytes));
  std::memcpy(sifted->data() + start + 8, &kept, sizeof(kept));
  return true;
}

}  // namespace

bool SiftClaimed(const PathClaims& claims, const SiftRule& rule, std::string_view batch, std::string* sifted) {
  for (size_t at = 0; at < batch.size();) {
    if (batch.size() - at < kHead) return false;
    const size_t bytes = At<uint32_t>(batch, at);
    if (bytes < kHead || bytes > batch.size() - at) return false;
    if (!SiftRecord(claims, rule, batch.substr(at, bytes), sifted)) return false;
    at += bytes;
  }
  return true;
}

}  // namespace rootfs
