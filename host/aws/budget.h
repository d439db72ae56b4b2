/*
** AWSYNC_MAX_COST: what a run may cost, in US dollars, and whether it has been spent. Plain
** arithmetic: no process sees the whole run, and no request is made to find out.
**
** Two bounds. What an invocation sees itself (its requests, its time, its calls, and what its
** callers had spent before it) must stay within the limit: that ends loops. And the limit is
** divided: who makes calls pays for them out of one half of its share, and seven eighths of the
** share are divided among them for calls of their own: all calls together cost at most four times
** the limit by this estimate, wherever a recursion branches. docs/costs.md has the figures and how far they can be off.
*/
#ifndef AWSYNC_AWS_BUDGET_H
#define AWSYNC_AWS_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What travels with a call, in its claims. Nanodollars. */
struct budget_claim {
    int64_t spent;      /* by its caller, and by the callers before it, when it was made */
    int64_t share;      /* what it may spend on calls, theirs included */
    int64_t typical_ms; /* how long calls have lasted so far */
};

/* What one invocation has done. The caller has the figures. */
struct budget_use {
    uint64_t requests; /* sent to AWS */
    int64_t ms;        /* since its begin */
};

struct budget {
    int64_t limit; /* nanodollars; 0: none */
    int memory_mb;
    int64_t before, share, typical_ms; /* the claim's */
    uint64_t calls;                    /* made */
    int64_t paid;                      /* for them */
    double given;                      /* parts of the share that they have got */
    uint64_t announced;                /* calls that are still to be made of a plan */
    double part;                       /* of the share, for each of them */
    uint64_t heard;                    /* calls whose end is known */
    int64_t heard_ms;
};

/* Reads `0.5`, `2` or `$2.50`; nanodollars. False: it is no amount above 0, or over a billion. */
bool budget_read(const char *text, int64_t *limit_out);

/* An invocation begins. limit 0: none. memory_mb: of the function; 0: 128. claim NULL: it is no
** call of ours, its share is the whole limit. A claim without a share, of a caller that knew no
** limit, counts as none. */
void budget_begin(struct budget *b, int64_t limit, int memory_mb, const struct budget_claim *claim);
/* What this invocation sees of the run's cost. Nanodollars. */
int64_t budget_estimate(const struct budget *b, const struct budget_use *use);
/* False: it is spent. */
bool budget_ok(const struct budget *b, const struct budget_use *use);
/* So many calls are about to be made: they are given equal parts of the share. False: there is no
** money for all of them, nothing has changed, and why is `AWSYNC_MAX_COST of $0.50 does not pay for
** 400000 calls (estimate $1.16 ...)`. */
bool budget_announce(struct budget *b, const struct budget_use *use, uint64_t calls, char *why,
                     size_t why_size);
/* A call is to be made. False: there is no money for it, nothing has changed. */
bool budget_call(struct budget *b, const struct budget_use *use, struct budget_claim *out);
/* A call has ended and has lasted so long. */
void budget_heard(struct budget *b, int64_t ms);
/* Why one of the two said false: `AWSYNC_MAX_COST of $0.50 is spent (estimate $0.52: ...)`. */
void budget_message(const struct budget *b, const struct budget_use *use, char *out, size_t size);

#endif
