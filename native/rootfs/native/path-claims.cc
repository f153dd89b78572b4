#include "path-claims.h"

#include <algorithm>
#include <cstddef>
#include <unordered_set>
#include <utility>

namespace rootfs {

namespace {

constexpr size_t kMaxPathBytes = 4096;                        // PATH_MAX: no package can hold a longer one
constexpr uint64_t kClaimBytes = 100;                         // what a claim takes up beside its path
constexpr size_t kMaxNameBytes = UINT32_MAX - kMaxPathBytes;  // of all, which bounds their number too

bool IsName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('\0') == std::string_view::npos;
}

// The root, or an absolute path of names.
bool IsPlain(std::string_view directory) {
  for (size_t at = 0; at < directory.size();) {
    const size_t end = std::min(directory.find('/', at + 1), directory.size());
    if (directory[at] != '/' || !IsName(directory.substr(at + 1, end - at - 1))) return false;
    at = end;
  }
  return true;
}

}  // namespace

void PathClaims::Rename(std::string_view from, std::string_view to, std::string_view except_for) {
  const std::string_view key = texts_.emplace_back(from);
  const std::string_view other = texts_.emplace_back(to);
  renames_[key] = {other, texts_.emplace_back(except_for)};
  if (renamed_sizes_.size() <= from.size()) renamed_sizes_.resize(from.size() + 1);
  renamed_sizes_[from.size()] = true;
}

void PathClaims::AddLines(std::string_view list, uint32_t owner, std::string_view list_name) {
  if (!Hold(list.size())) return;
  for (size_t at = 0; at < list.size();) {
    const size_t newline = list.find('\n', at);
    const size_t end = newline == std::string_view::npos ? list.size() : newline;
    const std::string_view line = list.substr(at, end - at);
    at = end + 1;
    if (line.size() < 2 || line[0] != '/' || line == "/.") continue;
    const bool may_be_renamed = line.size() < renamed_sizes_.size() && renamed_sizes_[line.size()];
    auto renamed = may_be_renamed ? renames_.find(line) : renames_.end();
    const bool is_renamed = renamed != renames_.end() && renamed->second.except_for != list_name;
    Add(is_renamed ? renamed->second.to : line, owner);
  }
}

void PathClaims::Add(std::string_view path, uint32_t owner) {
  const size_t slash = path.rfind('/');
  // What is settled may be read by other threads.
  if (is_settled_ || path.empty() || path[0] != '/' || path.size() > kMaxPathBytes) return;
  const std::string_view name = path.substr(slash + 1);
  if (!IsName(name) || !Hold(path.size() + kClaimBytes)) return;
  if (names_.size() > kMaxNameBytes) {
    is_cut_ = true;
    return;
  }
  const uint32_t directory = DirectoryNumber(path.substr(0, slash));
  claims_.push_back({directory, static_cast<uint32_t>(names_.size()), static_cast<uint32_t>(name.size()), owner});
  names_ += name;
}

bool PathClaims::Hold(uint64_t bytes) {
  bytes_ += bytes;
  return bytes_ <= max_bytes_;
}

// Most paths share their directory with the one before.
uint32_t PathClaims::DirectoryNumber(std::string_view directory) {
  if (last_directory_ != UINT32_MAX && directories_[last_directory_] == directory) return last_directory_;
  auto known = numbers_.find(directory);
  if (known == numbers_.end()) {
    const std::string_view text = texts_.emplace_back(directory);
    known = numbers_.emplace(text, static_cast<uint32_t>(directories_.size())).first;
    directories_.push_back(text);
  }
  last_directory_ = known->second;
  return last_directory_;
}

size_t PathClaims::HeldBytes() const {
  constexpr size_t kDirectoryBytes = 200;
  return names_.capacity() + claims_.capacity() * sizeof(Claim) + directories_.size() * kDirectoryBytes;
}

void PathClaims::Settle(const std::vector<std::string_view>& real) {
  if (std::exchange(is_settled_, true)) return;
  numbers_.clear();
  renames_.clear();
  std::vector<int64_t> groups(directories_.size(), -1);
  for (size_t i = 0; i < groups.size() && i < real.size(); i++) {
    if (real[i].empty()) continue;
    const std::string_view path = real[i].substr(1);
    auto known = numbers_.find(path);
    if (known == numbers_.end()) {
      // Nearly all are what they were listed as.
      const bool is_listed = directories_[i].size() == path.size() + 1 && directories_[i].substr(1) == path;
      const std::string_view text = is_listed ? directories_[i].substr(1) : texts_.emplace_back(path);
      known = numbers_.emplace(text, static_cast<uint32_t>(numbers_.size())).first;
    }
    groups[i] = known->second;
  }
  Sort(groups);
}

std::vector<std::string_view> PathClaims::FindLinked(const std::vector<std::string>& links) {
  std::unordered_set<std::string_view, SipHasher> at(links.begin(), links.end());
  ByPath<bool> known;  // whether a link leads there, by the path of a directory
  known.emplace(std::string_view(), false);
  std::vector<std::string_view> found;
  linked_.clear();
  is_plain_.assign(directories_.size(), true);
  for (uint32_t i = 0; i < directories_.size(); i++) {
    const std::string_view directory = directories_[i];
    is_plain_[i] = IsPlain(directory);
    if (!is_plain_[i]) continue;
    // Up to what is known, then back.
    size_t end = directory.size();
    while (known.count(directory.substr(0, end)) == 0) end = directory.rfind('/', end - 1);
    bool is_linked = known[directory.substr(0, end)];
    while (end < directory.size()) {
      end = std::min(directory.find('/', end + 1), directory.size());
      is_linked = is_linked || at.count(directory.substr(0, end)) > 0;
      known.emplace(directory.substr(0, end), is_linked);
    }
    if (!is_linked) continue;
    linked_.push_back(i);
    found.push_back(directory);
  }
  return found;
}

void PathClaims::SettleLinked(const std::vector<std::string_view>& real) {
  std::vector<std::string_view> all(directories_.size());
  is_plain_.resize(all.size());
  for (size_t i = 0; i < all.size(); i++) {
    if (is_plain_[i]) all[i] = directories_[i].empty() ? "/" : directories_[i];
  }
  for (size_t i = 0; i < linked_.size(); i++) all[linked_[i]] = i < real.size() ? real[i] : std::string_view();
  Settle(all);
}

// Counts where each directory's claims begin, puts them there in order, and sorts each by name.
void PathClaims::Sort(const std::vector<int64_t>& groups) {
  std::vector<size_t> starts(numbers_.size() + 1, 0);
  for (const Claim& claim : claims_) {
    if (groups[claim.directory] >= 0) starts[static_cast<size_t>(groups[claim.directory]) + 1]++;
  }
  for (size_t i = 1; i < starts.size(); i++) starts[i] += starts[i - 1];
  std::vector<uint32_t> order(starts.back());
  std::vector<size_t> next(starts.begin(), starts.end() - 1);
  for (size_t i = 0; i < claims_.size(); i++) {
    const int64_t group = groups[claims_[i].directory];
    if (group >= 0) order[next[static_cast<size_t>(group)]++] = static_cast<uint32_t>(i);
  }
  // Of one path the last claim counts, which is the last one of the directory that was listed last.
  auto before = [this](uint32_t a, uint32_t b) {
    const int compared = NameOf(claims_[a]).compare(NameOf(claims_[b]));
    if (compared != 0) return compared < 0;
    const bool is_one = claims_[a].directory == claims_[b].directory;
    return is_one ? a < b : claims_[a].directory < claims_[b].directory;
  };
  std::vector<Claim> sorted;
  sorted.reserve(order.size());
  group_ends_.clear();
  for (size_t group = 0; group + 1 < starts.size(); group++) {
    const auto first = order.begin() + static_cast<std::ptrdiff_t>(starts[group]);
    const auto end = order.begin() + static_cast<std::ptrdiff_t>(starts[group + 1]);
    const size_t kept = sorted.size();
    // Most lists are in order already.
    if (!std::is_sorted(first, end, before)) std::sort(first, end, before);
    for (auto claim = first; claim != end; ++claim) {
      if (sorted.size() > kept && NameOf(sorted.back()) == NameOf(claims_[*claim])) sorted.pop_back();
      sorted.push_back(claims_[*claim]);
    }
    group_ends_.push_back(sorted.size());
  }
  claims_ = std::move(sorted);
}

int64_t PathClaims::FindDirectory(std::string_view path) const {
  if (group_ends_.empty()) return -1;
  auto found = numbers_.find(path);
  return found == numbers_.end() ? -1 : static_cast<int64_t>(found->second);
}

bool PathClaims::Find(int64_t directory, std::string_view name, Found* found) const {
  if (directory < 0) return false;
  const size_t group = static_cast<size_t>(directory);
  const auto first = claims_.begin() + static_cast<std::ptrdiff_t>(group == 0 ? 0 : group_ends_[group - 1]);
  const auto end = claims_.begin() + static_cast<std::ptrdiff_t>(group_ends_[group]);
  auto claim = std::lower_bound(first, end, name, [this](const Claim& a, std::string_view b) { return NameOf(a) < b; });
  if (claim == end || NameOf(*claim) != name) return false;
  *found = Found{claim->owner, directories_[claim->directory]};
  return true;
}

}  // namespace rootfs
