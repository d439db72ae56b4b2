/* What AWS would have charged. List prices; nobody's free tier, discounts, taxes or data transfer. */
#ifndef AWSYNC_ENGINE_PRICES_H
#define AWSYNC_ENGINE_PRICES_H

#include "host/engine/engine.h"

/* US dollars. */
struct prices {
    const char *region, *date, *source;
    double sqs_standard, sqs_fifo; /* a billed request */
    double lambda_request;
    double lambda_gb_second;
};
extern const struct prices prices_list;

struct cost {
    uint64_t standard_units, fifo_units; /* billed requests of SQS */
    double gb_seconds;
    double sqs_standard, sqs_fifo, lambda_requests, lambda_duration, total; /* US dollars */
};
struct cost prices_estimate(const struct engine_usage *usage);

#endif
