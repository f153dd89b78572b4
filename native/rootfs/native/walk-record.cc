#include "walk-record.h"

namespace rootfs {

namespace {

void Overwrite(std::string* bytes, size_t at, uint32_t value) {
  for (size_t i = 0; i < sizeof(value); i++) (*bytes)[at + i] = static_cast<char>(value >> (8 * i));
}

}  // namespace

void WalkRecord::Append(std::string_view path, std::string* batch) const {
  size_t start = batch->size();
  AppendInteger(uint32_t{0}, batch);
  AppendStat(stat, batch);
  AppendInteger(static_cast<uint8_t>(problem), batch);
  AppendInteger(static_cast<uint8_t>((has_target ? 1 : 0) | (has_sha256 ? 2 : 0) | (has_xattrs ? 4 : 0)), batch);
  AppendInteger(static_cast<uint16_t>(xattrs.size()), batch);
  AppendInteger(static_cast<uint32_t>(path.size()), batch);
  AppendInteger(static_cast<uint32_t>(target.size()), batch);
  *batch += path;
  *batch += target;
  if (has_sha256) batch->append(reinterpret_cast<const char*>(sha256.data()), sha256.size());
  for (const auto& [name, value] : xattrs) {
    AppendInteger(static_cast<uint16_t>(name.size()), batch);
    AppendInteger(static_cast<uint32_t>(value.size()), batch);
    *batch += name;
    *batch += value;
  }
  Overwrite(batch, start, static_cast<uint32_t>(batch->size() - start));
}

}  // namespace rootfs
