#ifndef ROOTFS_ENTRY_LOOK_H_
#define ROOTFS_ENTRY_LOOK_H_

#include <string>
#include <vector>

#include "entry-content.h"
#include "root.h"
#include "walk-record.h"

namespace rootfs {

// kUnsupported where one of the names is hidden from this process, so that "not set" would say nothing.
Status CheckXattrPatterns(const std::vector<std::string>& patterns);

// Puts the attributes that a pattern names (a name, or a prefix with a final *) into the record; what cannot be read is
// a problem of the entry.
void ReadXattrs(XattrSource source, const std::vector<std::string>& patterns, WalkRecord* record);

// Everything that a walk would tell of an entry but its path and content, read from descriptors of that one object.
Result<WalkRecord> LookAt(const Entry& entry, const std::vector<std::string>& patterns);

}  // namespace rootfs

#endif  // ROOTFS_ENTRY_LOOK_H_
