/* What a run has used, and what AWS would charge for it. */
#include <inttypes.h>
#include <stdio.h>

#include "host/cli/cli.h"
#include "host/engine/prices.h"

static void print_requests(const struct engine_usage *usage) {
    fprintf(stderr, "%-30s %12s %12s %12s %12s\n", "SQS requests", "standard", "billed", "FIFO",
            "billed");
    for (int i = 0; i < ENGINE_SQS_OPERATIONS; i++) {
        const struct engine_requests *row = &usage->sqs[i];
        if (row->calls[ENGINE_STANDARD] + row->calls[ENGINE_FIFO] > 0)
            fprintf(stderr, "  %-28s %12" PRIu64 " %12" PRIu64 " %12" PRIu64 " %12" PRIu64 "\n",
                    row->operation, row->calls[ENGINE_STANDARD], row->units[ENGINE_STANDARD],
                    row->calls[ENGINE_FIFO], row->units[ENGINE_FIFO]);
    }
}

static void print_count(const char *what, uint64_t count, double price, double dollars) {
    fprintf(stderr, "  %-28s %12" PRIu64 " x $%.2f per million %19.8f\n", what, count, price * 1e6,
            dollars);
}

static void print_cost(const struct engine_usage *usage) {
    const struct prices *p = &prices_list;
    struct cost cost = prices_estimate(usage);
    fprintf(stderr, "US dollars (%s, list prices of %s, free tier not taken off)\n", p->region,
            p->date);
    print_count("SQS standard", cost.standard_units, p->sqs_standard, cost.sqs_standard);
    print_count("SQS FIFO", cost.fifo_units, p->sqs_fifo, cost.sqs_fifo);
    print_count("Lambda requests", usage->attempts, p->lambda_request, cost.lambda_requests);
    fprintf(stderr, "  %-28s %12.6f x $%.10f %22.8f\n", "Lambda GB-seconds", cost.gb_seconds,
            p->lambda_gb_second, cost.lambda_duration);
    fprintf(stderr, "  %-28s %47.8f\n", "total, about", cost.total);
}

static void print_faults(struct engine *engine) {
    uint64_t counts[FAULT_KINDS];
    engine_faults(engine, counts);
    fputs("Injected faults", stderr);
    for (int i = 0; i < FAULT_KINDS; i++)
        fprintf(stderr, "  %s %" PRIu64, fault_name((enum fault_kind)i), counts[i]);
    fputc('\n', stderr);
}

void cli_stats_print(struct engine *engine, bool faulty) {
    struct engine_usage usage;
    engine_usage(engine, &usage);
    flockfile(stderr);
    print_requests(&usage);
    fprintf(stderr, "Lambda invocations %24" PRIu64 ", %" PRIu64 " ms billed at %d MB\n",
            usage.attempts, usage.billed_ms, usage.memory_mb);
    print_cost(&usage);
    if (faulty)
        print_faults(engine);
    funlockfile(stderr);
}
