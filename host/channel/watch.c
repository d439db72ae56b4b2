/* What happens to a running call: it is cancelled, or its time is over. See inbox.h. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/aws/sqs.h"
#include "host/base/clock.h"
#include "host/channel/inbox.h"

struct watch {
    pthread_mutex_t lock;
    struct aws_client *client;
    bool active, asking, cancelled, spoken;
    unsigned epoch;
    struct watch_options options;
    char url[INBOX_URL_SIZE]; /* of the parent's inbox */
    int64_t look_at;
    bool timer; /* is running: it fires at the earlier of look_at and last words, or before */
    int64_t timer_at;
};

struct look {
    struct watch *watch;
    unsigned epoch;
};

static void arm(struct watch *w);

struct watch *watch_new(struct aws_client *client) {
    struct watch *w = calloc(1, sizeof *w);
    if (w == NULL)
        return NULL;
    w->client = client;
    pthread_mutex_init(&w->lock, NULL);
    return w;
}

void watch_free(struct watch *w) {
    if (w == NULL)
        return;
    pthread_mutex_destroy(&w->lock);
    free(w);
}

/* --- with the lock held, on the I/O thread ------------------------------------------------------ */

static void cancel(struct watch *w) {
    if (w->cancelled)
        return;
    w->cancelled = true;
    w->options.on_cancel(w->options.context);
}

/* `1-3 7` */
static bool has_scope(const char *ranges, int64_t scope) {
    for (const char *at = ranges; *at != '\0';) {
        char *end;
        long long from = strtoll(at, &end, 10), to = from;
        if (end == at)
            return false;
        if (*end == '-')
            to = strtoll(end + 1, &end, 10);
        if (scope >= from && scope <= to)
            return true;
        at = *end == ' ' ? end + 1 : end;
        if (at == end && *at != '\0')
            return false;
    }
    return false;
}

static bool is_over(const char *expires) {
    int64_t at = clock_parse_iso(expires);
    return at >= 0 && at < clock_wall_ms();
}

static struct watch *land(struct look *look) {
    struct watch *w = look->watch;
    pthread_mutex_lock(&w->lock);
    bool ours = w->active && look->epoch == w->epoch;
    free(look);
    if (ours)
        return w;
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void later(struct watch *w) {
    w->asking = false;
    w->look_at = clock_mono_ms() + WATCH_EVERY_MS;
    arm(w);
    pthread_mutex_unlock(&w->lock);
}

static void not_there(struct watch *w, const struct aws_error *error) {
    if (sqs_is_no_queue(error)) /* it was made long enough ago to be known everywhere */
        cancel(w);
}

static void on_tags(void *context, const struct aws_error *error, const struct sqs_pair *pairs,
                    size_t count) {
    struct watch *w = land(context);
    if (w == NULL)
        return;
    if (error != NULL)
        not_there(w, error);
    for (size_t i = 0; error == NULL && i < count; i++) {
        bool ranges = strncmp(pairs[i].name, "awsync:cancelled.", 17) == 0;
        bool expires = strcmp(pairs[i].name, "awsync:expires") == 0;
        if ((ranges && has_scope(pairs[i].value, w->options.scope)) ||
            (expires && is_over(pairs[i].value)))
            cancel(w);
    }
    later(w);
}

static void look(struct watch *w) {
    struct look *l = malloc(sizeof *l);
    if (l != NULL)
        *l = (struct look){.watch = w, .epoch = w->epoch};
    w->asking = l != NULL && sqs_list_tags(w->client, w->url, on_tags, l) != 0;
    if (w->asking)
        return;
    free(l);
    w->look_at = clock_mono_ms() + WATCH_EVERY_MS;
}

static int64_t next_time(const struct watch *w) {
    int64_t at = 0;
    if (w->options.scope > 0 && !w->cancelled && !w->asking)
        at = w->look_at;
    int64_t words = w->spoken ? 0 : w->options.last_words_ms;
    return at == 0 || (words != 0 && words < at) ? words : at;
}

static void on_timer(void *context) {
    struct watch *w = context;
    pthread_mutex_lock(&w->lock);
    w->timer = false;
    int64_t now = clock_mono_ms();
    if (w->active) {
        if (!w->spoken && w->options.last_words_ms > 0 && now >= w->options.last_words_ms) {
            w->spoken = true;
            w->options.on_last_words(w->options.context);
        }
        if (w->options.scope > 0 && !w->cancelled && !w->asking && now >= w->look_at)
            look(w);
        arm(w);
    }
    pthread_mutex_unlock(&w->lock);
}

/* Timers are not taken back: one that fires too early or too late for this call does nothing. */
static void arm(struct watch *w) {
    int64_t at = next_time(w), now = clock_mono_ms();
    if (at == 0 || (w->timer && w->timer_at <= at))
        return;
    w->timer = aws_timer(w->client, at > now ? at - now : 0, on_timer, w) != 0;
    w->timer_at = at;
}

/* --- the program's side ------------------------------------------------------------------------- */

void watch_begin(struct watch *w, const struct watch_options *options) {
    pthread_mutex_lock(&w->lock);
    w->epoch++;
    w->active = true;
    w->asking = w->cancelled = w->spoken = false;
    w->options = *options;
    int64_t made;
    inbox_read_address(options->addresses, options->base, w->url, &made);
    if (options->addresses[0] == '\0')
        w->options.scope = 0;
    w->options.addresses = w->options.base = NULL;
    w->look_at = clock_mono_ms() + WATCH_EVERY_MS;
    arm(w);
    pthread_mutex_unlock(&w->lock);
}

void watch_end(struct watch *w) {
    pthread_mutex_lock(&w->lock);
    w->active = false;
    w->epoch++;
    pthread_mutex_unlock(&w->lock);
}
