#include "sift-directory.h"

#include <algorithm>
#include <cerrno>

#include "directory-listing.h"

namespace rootfs {

namespace {

constexpr uint16_t kExecute = 0111;

bool EndsIn(std::string_view name, std::string_view suffix) {
  if (name.size() < suffix.size()) return false;
  const char* end = name.data() + name.size() - suffix.size();
  return std::equal(suffix.begin(), suffix.end(), end,
                    [](char wanted, char is) { return wanted == (is >= 'A' && is <= 'Z' ? is + ('a' - 'A') : is); });
}

uint16_t Number(Problem problem) { return static_cast<uint16_t>(problem); }

}  // namespace

DirectorySift::DirectorySift(const Root& root, const SiftRule& rule, const SurveyRecord& record)
    : root_(root),
      rule_(rule),
      record_(record),
      claimed_(rule.claims == nullptr ? -1 : rule.claims->FindDirectory(record.path)),
      problem_(static_cast<Problem>(record.problem)) {}

Status DirectorySift::Run(Sifted* sifted) {
  RecordWriter writer(record_.path, &sifted->stays);
  RecordWriter by_head(record_.path, &sifted->by_head);
  for (const SurveyEntry& listed : record_.entries) {
    SurveyEntry entry = listed;
    bool is_claimed = false;
    const Verdict by_name = JudgeName(entry, &is_claimed);
    if (by_name == Verdict::kAway) continue;
    bool is_there = true;
    if (entry.problem == kNotSeen) {
      Status seen = See(&entry, &is_there);
      if (!seen.ok) return seen;
    }
    if (!is_there) continue;
    const bool is_large_program = entry.size >= rule_.min_program_bytes && (entry.mode & kExecute) != 0;
    if (by_name == Verdict::kStays || entry.problem != 0 || is_large_program) {
      writer.Add(entry);
    } else if (!is_claimed && entry.size >= rule_.min_bytes) {
      by_head.Add(entry);
    }
  }
  writer.Finish(problem_);
  by_head.Finish(Problem::kNone);
  return {};
}

DirectorySift::Verdict DirectorySift::JudgeName(const SurveyEntry& entry, bool* is_claimed) const {
  const bool is_wanted = std::any_of(rule_.suffixes.begin(), rule_.suffixes.end(),
                                     [&](const std::string& suffix) { return EndsIn(entry.name, suffix); });
  if (rule_.claims == nullptr || is_wanted) return Verdict::kStays;
  PathClaims::Found found;
  *is_claimed = rule_.claims->Find(claimed_, entry.name, &found);
  if (!*is_claimed || entry.problem != kNotSeen) return Verdict::kByHead;
  const size_t dot = entry.name.rfind('.');
  const bool is_quiet = dot != std::string_view::npos && rule_.quiet.count(std::string(entry.name.substr(dot + 1))) > 0;
  return is_quiet ? Verdict::kAway : Verdict::kByHead;
}

Status DirectorySift::See(SurveyEntry* entry, bool* is_there) {
  if (!fd_.valid() && !is_closed_) {
    Status opened = Open();
    if (!opened.ok) return opened;
  }
  *is_there = fd_.valid();
  if (!*is_there) return {};
  Result<EntryStat> stat = StatName(fd_.get(), std::string(entry->name).c_str());
  if (!stat.ok()) {
    if (IsExhausted(stat.status)) return stat.status;
    *is_there = stat.status.code != Code::kNotFound;
    entry->problem = Number(Problem::kUnreadable);
    return {};
  }
  entry->size = stat.value.size;
  entry->mode = stat.value.mode;
  entry->problem = Number(Problem::kNone);
  if (!stat.value.identity.SameMount(root_.identity())) {
    entry->problem = Number(Problem::kMount);
  } else if (stat.value.type != EntryType::kFile) {
    // Something took its place since it was listed, and that may be a directory that nobody listed.
    entry->problem = Number(Problem::kChanged);
  }
  return {};
}

Status DirectorySift::Open() {
  Result<UniqueFd> directory = root_.OpenToList(record_.path);
  if (directory.ok()) {
    fd_ = std::move(directory.value);
    return {};
  }
  if (IsExhausted(directory.status)) return directory.status;
  is_closed_ = true;
  problem_ = ProblemOfDirectory(root_, record_.path, directory.status);
  return {};
}

}  // namespace rootfs
