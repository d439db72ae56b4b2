/* uthash that reports a failed addition (hh.tbl of the element stays NULL) instead of ending the
** program. */
#ifndef AWSYNC_ENGINE_SQS_HASH_H
#define AWSYNC_ENGINE_SQS_HASH_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#endif
