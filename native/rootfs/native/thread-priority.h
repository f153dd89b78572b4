#ifndef ROOTFS_THREAD_PRIORITY_H_
#define ROOTFS_THREAD_PRIORITY_H_

#include "status.h"

namespace rootfs {

// Lets the calling thread use the disk only when nobody else does (ioprio_set(2), class idle), or after others of the
// same class (best effort, level 7).
Status LowerThreadPriority(bool idle);

}  // namespace rootfs

#endif  // ROOTFS_THREAD_PRIORITY_H_
