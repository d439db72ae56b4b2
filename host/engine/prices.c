#include "host/engine/prices.h"

struct cost prices_estimate(const struct engine_usage *usage) {
    const struct prices *p = &prices_list;
    struct cost cost = {0};
    for (int i = 0; i < ENGINE_SQS_OPERATIONS; i++) {
        cost.standard_units += usage->sqs[i].units[ENGINE_STANDARD];
        cost.fifo_units += usage->sqs[i].units[ENGINE_FIFO];
    }
    cost.gb_seconds = (double)usage->billed_ms / 1000 * usage->memory_mb / 1024;
    cost.sqs_standard = (double)cost.standard_units * p->sqs_standard;
    cost.sqs_fifo = (double)cost.fifo_units * p->sqs_fifo;
    cost.lambda_requests = (double)usage->attempts * p->lambda_request;
    cost.lambda_duration = cost.gb_seconds * p->lambda_gb_second;
    cost.total = cost.sqs_standard + cost.sqs_fifo + cost.lambda_requests + cost.lambda_duration;
    return cost;
}
