#include "host/engine/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/engine/sqs.h"

enum { DEFAULT_SEED = 1, DELAY_MAX_MS = 600000, PART_MAX = 256 };

struct fault {
    struct fault_spec spec;
    uint64_t calls, deliveries; /* decided so far */
    atomic_uint_fast64_t counts[FAULT_KINDS];
};

static const char *const names[FAULT_KINDS] = {
    [FAULT_DROP] = "drop",         [FAULT_DELAY] = "delay",         [FAULT_ERROR] = "error",
    [FAULT_THROTTLE] = "throttle", [FAULT_DUPLICATE] = "duplicate", [FAULT_CUT] = "cut",
};

const char *fault_name(enum fault_kind kind) {
    return names[kind];
}

/* --- the specification ------------------------------------------------------------------------ */

__attribute__((format(printf, 3, 4))) static bool refuse(char *error_out, size_t error_size,
                                                         const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(error_out, error_size, format, args);
    va_end(args);
    return false;
}

/* A plain decimal number; *end_out is behind it. */
static bool read_decimal(const char *text, double *out, const char **end_out) {
    size_t len = strspn(text, "0123456789.");
    char *end;
    *out = strtod(text, &end);
    *end_out = end;
    return len > 0 && end == text + len;
}

static bool read_rate(const char *name, const char *text, double *out, const char **end_out,
                      char *error_out, size_t error_size) {
    if (read_decimal(text, out, end_out) && *out <= 1)
        return true;
    return refuse(error_out, error_size, "%s is a rate from 0 to 1, not \"%s\"", name, text);
}

/* `200ms` or `1.5s` */
static bool read_delay(const char *text, int64_t *ms_out, char *error_out, size_t error_size) {
    double value = 0;
    const char *unit = text;
    bool ok = *text == ':' && read_decimal(text + 1, &value, &unit);
    if (ok && strcmp(unit, "s") == 0)
        value *= 1000;
    else if (strcmp(unit, "ms") != 0)
        ok = false;
    *ms_out = ok && value <= DELAY_MAX_MS ? (int64_t)value : 0;
    if (ok && *ms_out > 0)
        return true;
    return refuse(error_out, error_size,
                  "delay is RATE:TIME with a time from 1ms to 600s, such as delay=0.1:200ms");
}

static bool read_seed(const char *text, uint64_t *out, char *error_out, size_t error_size) {
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && errno == 0)
        return true;
    return refuse(error_out, error_size, "seed is a whole number, not \"%s\"", text);
}

/* Names joined by `+`. text is cut up. */
static bool read_only(char *text, uint64_t *out, char *error_out, size_t error_size) {
    *out = 0;
    for (char *name = text; name;) {
        char *plus = strchr(name, '+');
        unsigned i = 0;
        if (plus)
            *plus = '\0';
        while (i < SQS_OPERATION_COUNT && strcmp(sqs_operation_name(i), name) != 0)
            i++;
        if (strcmp(name, "Invoke") == 0)
            i = FAULT_INVOKE;
        if (i == SQS_OPERATION_COUNT)
            return refuse(error_out, error_size,
                          "only names operations of SQS and Invoke, and \"%s\" is none", name);
        *out |= UINT64_C(1) << i;
        name = plus ? plus + 1 : NULL;
    }
    return true;
}

static bool read_fault(struct fault_spec *out, enum fault_kind kind, const char *value,
                       char *error_out, size_t error_size) {
    const char *end;
    if (!read_rate(names[kind], value, &out->rate[kind], &end, error_out, error_size))
        return false;
    if (kind == FAULT_DELAY)
        return read_delay(end, &out->delay_ms, error_out, error_size);
    return *end == '\0' || refuse(error_out, error_size, "%s is a rate from 0 to 1, not \"%s\"",
                                  names[kind], value);
}

/* One `name=value`. seen: a bit for each fault, and two for seed and only. */
static bool read_part(struct fault_spec *out, char *part, unsigned *seen, char *error_out,
                      size_t error_size) {
    char *value = strchr(part, '=');
    unsigned i = 0;
    if (!value)
        return refuse(error_out, error_size, "\"%s\" is no name=value", part);
    *value++ = '\0';
    while (i < FAULT_KINDS && strcmp(names[i], part) != 0)
        i++;
    if (strcmp(part, "only") == 0)
        i++;
    else if (i == FAULT_KINDS && strcmp(part, "seed") != 0)
        return refuse(error_out, error_size,
                      "there is no fault \"%s\": it is drop, delay, error, throttle, duplicate or "
                      "cut; besides seed and only",
                      part);
    if (*seen & 1U << i)
        return refuse(error_out, error_size, "%s is there twice", part);
    *seen |= 1U << i;
    if (i < FAULT_KINDS)
        return read_fault(out, (enum fault_kind)i, value, error_out, error_size);
    if (i == FAULT_KINDS)
        return read_seed(value, &out->seed, error_out, error_size);
    return read_only(value, &out->only, error_out, error_size);
}

bool fault_parse(struct fault_spec *out, const char *text, char *error_out, size_t error_size) {
    char *copy = strdup(text), *next;
    unsigned seen = 0;
    bool ok = copy != NULL;
    *out = (struct fault_spec){.seed = DEFAULT_SEED};
    if (!copy)
        refuse(error_out, error_size, "out of memory");
    for (char *part = copy; ok && part; part = next) {
        next = strchr(part, ',');
        if (next)
            *next++ = '\0';
        ok = read_part(out, part, &seen, error_out, error_size);
    }
    free(copy);
    double sum = out->rate[FAULT_DROP] + out->rate[FAULT_ERROR] + out->rate[FAULT_THROTTLE] +
                 out->rate[FAULT_CUT];
    if (ok && sum > 1.000001)
        return refuse(error_out, error_size,
                      "drop, error, throttle and cut are more than 1 together");
    return ok;
}

/* --- decisions -------------------------------------------------------------------------------- */

/* splitmix64: a different, even number for each x. */
static uint64_t mix(uint64_t x) {
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

enum draw_of { DRAW_ENDING, DRAW_HALF, DRAW_DELAY, DRAW_TWICE };

/* Uniform in [0, 1), of the nth decision. */
static double draw(const struct fault *fault, uint64_t n, enum draw_of what) {
    uint64_t x = mix(mix(mix(fault->spec.seed) ^ n) ^ (uint64_t)what);
    return (double)(x >> 11) / (double)(UINT64_C(1) << 53);
}

struct fault *fault_new(const struct fault_spec *spec) {
    struct fault *fault = calloc(1, sizeof(*fault));
    if (fault)
        fault->spec = *spec;
    return fault;
}

void fault_free(struct fault *fault) {
    free(fault);
}

static bool is_eligible(const struct fault *fault, unsigned operation) {
    return fault && (fault->spec.only == 0 || fault->spec.only & UINT64_C(1) << operation);
}

static void count(struct fault *fault, enum fault_kind kind) {
    atomic_fetch_add_explicit(&fault->counts[kind], 1, memory_order_relaxed);
}

struct fault_fate fault_decide(struct fault *fault, unsigned operation, bool by_worker) {
    static const enum fault_kind endings[] = {FAULT_DROP, FAULT_ERROR, FAULT_THROTTLE, FAULT_CUT};
    struct fault_fate fate = {.ending = FAULT_KINDS, .status = 500};
    if (!is_eligible(fault, operation) || (fault->spec.workers_only && !by_worker))
        return fate;
    uint64_t n = fault->calls++;
    double at = draw(fault, n, DRAW_ENDING);
    for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
        if (at >= 0 && at < fault->spec.rate[endings[i]]) {
            fate.ending = endings[i];
            count(fault, fate.ending);
        }
        at -= fault->spec.rate[endings[i]];
    }
    fate.late = draw(fault, n, DRAW_HALF) < 0.5;
    if (fate.late)
        fate.status = 503;
    if (draw(fault, n, DRAW_DELAY) < fault->spec.rate[FAULT_DELAY]) {
        fate.delay_ms = fault->spec.delay_ms;
        count(fault, FAULT_DELAY);
    }
    return fate;
}

bool fault_twice(struct fault *fault, unsigned operation) {
    if (!is_eligible(fault, operation) ||
        draw(fault, fault->deliveries++, DRAW_TWICE) >= fault->spec.rate[FAULT_DUPLICATE])
        return false;
    count(fault, FAULT_DUPLICATE);
    return true;
}

void fault_read(const struct fault *fault, uint64_t counts_out[FAULT_KINDS]) {
    for (size_t i = 0; i < FAULT_KINDS; i++)
        counts_out[i] = fault ? atomic_load_explicit(&fault->counts[i], memory_order_relaxed) : 0;
}
