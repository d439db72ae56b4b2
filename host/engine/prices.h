/* What AWS would have charged for what the engine has done. */
#ifndef AWSYNC_ENGINE_PRICES_H
#define AWSYNC_ENGINE_PRICES_H

#include "host/base/prices.h"
#include "host/engine/engine.h"

struct cost {
    uint64_t standard_units, fifo_units; /* billed requests of SQS */
    double gb_seconds;
    double sqs_standard, sqs_fifo, lambda_requests, lambda_duration, total; /* US dollars */
};
struct cost prices_estimate(const struct engine_usage *usage);

#endif
