#include "host/aws/budget.h"

#include <stdio.h>
#include <string.h>

#include "host/base/prices.h"
#include "host/json/json.h"

#define NANO 1e9
/* Of a share, to calls in all; and of what is left of that, to those of one announcement. */
#define GIVEN_AWAY (7.0 / 8)
#define ANNOUNCED  (3.0 / 4)

enum {
    TYPICAL_MS = 100,  /* of a call, until something is known */
    CALL_REQUESTS = 5, /* that a call makes at least: its claim, a value, its exit record */
    DEFAULT_MEMORY_MB = 128,
    ANNOUNCED_MAX = 1000000,
};

/* The dearest request is taken: which ones they were is not counted. */
static double request_price(void) {
    return prices_list.sqs_fifo;
}

static double time_price(const struct budget *b, double ms) {
    return ms / 1000 * b->memory_mb / 1024 * prices_list.lambda_gb_second;
}

static int64_t typical_ms(const struct budget *b) {
    return b->heard > 0 ? b->heard_ms / (int64_t)b->heard : b->typical_ms;
}

/* Of one more call. */
static int64_t call_price(const struct budget *b) {
    double dollars = prices_list.lambda_request + CALL_REQUESTS * request_price() +
                     time_price(b, (double)typical_ms(b));
    return (int64_t)(dollars * NANO + 0.5);
}

bool budget_read(const char *text, int64_t *limit_out) {
    struct json_reader reader;
    double dollars = 0;

    if (*text == '$')
        text++;
    json_reader_init(&reader, text, strlen(text), 1);
    switch (json_next(&reader)) {
    case JSON_INTEGER:
        dollars = (double)reader.integer;
        break;
    case JSON_DOUBLE:
        dollars = reader.number;
        break;
    default:
        return false;
    }
    if (json_next(&reader) != JSON_END || !(dollars > 0) || dollars > 1e9)
        return false;
    *limit_out = (int64_t)(dollars * NANO + 0.5);
    return *limit_out > 0;
}

void budget_begin(struct budget *b, int64_t limit, int memory_mb,
                  const struct budget_claim *claim) {
    *b = (struct budget){.limit = limit,
                         .memory_mb = memory_mb > 0 ? memory_mb : DEFAULT_MEMORY_MB,
                         .share = limit,
                         .typical_ms = TYPICAL_MS};
    if (claim == NULL || claim->share <= 0)
        return;
    b->before = claim->spent > 0 ? claim->spent : 0;
    b->share = claim->share < limit ? claim->share : limit;
    if (claim->typical_ms > TYPICAL_MS)
        b->typical_ms = claim->typical_ms;
}

int64_t budget_estimate(const struct budget *b, const struct budget_use *use) {
    double own = prices_list.lambda_request + (double)use->requests * request_price() +
                 time_price(b, (double)use->ms);
    return b->before + (int64_t)(own * NANO + 0.5) + b->paid;
}

bool budget_ok(const struct budget *b, const struct budget_use *use) {
    return b->limit == 0 || budget_estimate(b, use) <= b->limit;
}

/* The part of the share that the next call gets. Seven eighths are given away in all, however many
** calls there are: a half to the first (chains), a quarter to the second (binary trees), then in
** each round half as much as in the round before to eight times as many: a sixteenth to 8, a 32nd
** to 64, a 64th to 512. */
static double part(uint64_t index) {
    double round = 1.0 / 16, places = 8;

    if (index < 2)
        return index == 0 ? 1.0 / 2 : 1.0 / 4;
    for (double left = (double)(index - 2); left >= places && places < 1e12; places *= 8) {
        left -= places;
        round /= 2;
    }
    return round / places;
}

static bool has_money(const struct budget *b, const struct budget_use *use, int64_t price) {
    return b->paid + price <= b->share / 2 && budget_estimate(b, use) + price <= b->limit;
}

/* The part of the next call. What is announced, and parts by rounds, never come to more than is
** given away in all. */
static double next_part(struct budget *b) {
    double next = b->announced > 0 ? b->part : part(b->calls), left = GIVEN_AWAY - b->given;

    if (b->announced > 0)
        b->announced--;
    next = next < left ? next : left;
    b->given += next;
    return next;
}

bool budget_call(struct budget *b, const struct budget_use *use, struct budget_claim *out) {
    int64_t price = call_price(b), given;

    *out = (struct budget_claim){0};
    if (b->limit == 0)
        return true;
    if (!has_money(b, use, price))
        return false;
    given = (int64_t)((double)b->share * next_part(b) + 0.5);
    b->calls++;
    b->paid += price;
    /* A share of 0 would say that there is no limit. */
    *out = (struct budget_claim){.spent = budget_estimate(b, use),
                                 .share = given > 0 ? given : 1,
                                 .typical_ms = typical_ms(b)};
    return true;
}

void budget_heard(struct budget *b, int64_t ms) {
    if (ms < 0)
        return;
    b->heard++;
    b->heard_ms += ms;
}

/* `$0.50`, `$0.0000024`: cents at least, digits as many as it takes to see something. */
static void write_dollars(int64_t nano, char *out, size_t size) {
    int digits = 2;
    int64_t unit = 10000000; /* of the last digit shown */

    while (digits < 9 && nano < 10 * unit && nano % unit != 0) {
        unit /= 10;
        digits++;
    }
    snprintf(out, size, "$%lld.%0*lld", (long long)(nano / 1000000000), digits,
             (long long)(nano % 1000000000 / unit));
}

enum { DOLLARS_SIZE = 32 };

void budget_message(const struct budget *b, const struct budget_use *use, char *out, size_t size) {
    char limit[DOLLARS_SIZE], estimate[DOLLARS_SIZE], before[DOLLARS_SIZE], share[DOLLARS_SIZE];
    int64_t all = budget_estimate(b, use), price = call_price(b);
    long long gb_ms = (long long)(use->ms * b->memory_mb / 1024);

    write_dollars(b->limit, limit, sizeof(limit));
    write_dollars(all > b->limit ? all : all + price, estimate, sizeof(estimate));
    write_dollars(b->before, before, sizeof(before));
    write_dollars(b->share, share, sizeof(share));
    if (all + price > b->limit)
        snprintf(out, size,
                 "AWSYNC_MAX_COST of %s is spent (estimate %s: here %llu requests, %lld.%03lld "
                 "GB-seconds and %llu calls, and %s by the callers before)",
                 limit, estimate, (unsigned long long)use->requests, gb_ms / 1000, gb_ms % 1000,
                 (unsigned long long)b->calls, before);
    else
        snprintf(out, size,
                 "AWSYNC_MAX_COST of %s is spent as far as it is this call's: its share, %s, does "
                 "not pay for more than %llu call%s and theirs",
                 limit, share, (unsigned long long)b->calls, b->calls == 1 ? "" : "s");
}

bool budget_announce(struct budget *b, const struct budget_use *use, uint64_t calls, char *why,
                     size_t why_size) {
    char limit[DOLLARS_SIZE], estimate[DOLLARS_SIZE], spent[DOLLARS_SIZE], share[DOLLARS_SIZE];
    int64_t all;

    if (b->limit == 0 || calls == 0)
        return true;
    if (calls > ANNOUNCED_MAX)
        calls = ANNOUNCED_MAX;
    all = call_price(b) * (int64_t)calls;
    if (has_money(b, use, all)) {
        b->announced = calls;
        b->part = (GIVEN_AWAY - b->given) * ANNOUNCED / (double)calls;
        return true;
    }
    write_dollars(b->limit, limit, sizeof(limit));
    write_dollars(all, estimate, sizeof(estimate));
    write_dollars(budget_estimate(b, use), spent, sizeof(spent));
    write_dollars(b->share / 2 > b->paid ? b->share / 2 - b->paid : 0, share, sizeof(share));
    snprintf(
        why, why_size,
        "AWSYNC_MAX_COST of %s does not pay for %llu calls (estimate %s, %s are spent, and this "
        "invocation may spend %s on calls of its own)",
        limit, (unsigned long long)calls, estimate, spent, share);
    return false;
}
