/* The life of a channel's queue: made or opened, used, deleted by us, gone by others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/random.h"
#include "host/channel/internal.h"

enum { DEFAULT_VISIBILITY_S = 30, RANDOM_PART = 20 };

static struct chan *new_chan(struct chan_hub *hub, const struct chan_options *options) {
    struct chan *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->hub = hub;
    c->refs = 1;
    if (options)
        c->options = *options;
    if (c->options.visibility_s <= 0)
        c->options.visibility_s = DEFAULT_VISIBILITY_S;
    sender_init(c);
    receiver_init(c);
    ack_init(c);
    return c;
}

const char *chan_options_refuse(const struct chan_options *o) {
    if (o->bounded && o->capacity > CHAN_CAPACITY_MAX)
        return "a capacity is at most 10000";
    if (o->max_receives < 0 || o->max_receives > CHAN_RECEIVES_MAX)
        return "max_receives is 1 to 1000";
    if (o->stream && (o->bounded || o->unordered || o->max_receives > 0))
        return "a stream has an order, no capacity and no max_receives";
    if (o->bounded && o->max_receives > 0)
        return "a channel with a capacity has no max_receives: a dead letter would keep its place";
    return NULL;
}

static void link_chan(struct chan *c) {
    struct chan_hub *hub = c->hub;
    c->next = hub->all;
    if (c->next)
        c->next->prev = c;
    hub->all = c;
    hub->chans++;
}

/* A companion of a channel that is linked: made along with it, or opened. */
static struct chan *add_companion(struct chan *owner, enum kind kind) {
    const char *suffix = kind == KIND_CREDITS ? "-credits" : "-dead";
    struct chan_options options = owner->options;
    options.unordered = true;
    options.max_receives = 0;
    struct chan *c = new_chan(owner->hub, &options);
    if (!c)
        return NULL;
    char *name = companion_name(owner->name, suffix);
    c->kind = kind;
    c->owner = owner;
    c->made = owner->made;
    c->life = owner->made ? LIFE_MAKING : LIFE_READY;
    c->url = owner->made ? NULL : companion_name(owner->url, suffix);
    if (!name || (!owner->made && !c->url)) {
        free(name);
        free(c->url);
        free(c);
        return NULL;
    }
    snprintf(c->name, sizeof(c->name), "%s", name);
    free(name);
    link_chan(c);
    return c;
}

static bool add_companions(struct chan *c) {
    if (c->options.bounded) {
        c->credits = add_companion(c, KIND_CREDITS);
        if (!c->credits || !hub_mark(c->credits) || (c->made && !credit_seed(c->credits)))
            return false;
    }
    if (c->options.max_receives > 0 && c->made) {
        c->dead = add_companion(c, KIND_DEAD);
        if (!c->dead || !hub_mark(c->dead))
            return false;
    }
    return true;
}

struct chan *chan_create(struct chan_hub *hub, const struct chan_options *options) {
    struct chan *c = new_chan(hub, options);
    if (!c)
        return NULL;
    char name[RANDOM_PART + 1];
    random_name(name, RANDOM_PART);
    pthread_mutex_lock(&hub->lock);
    c->life = LIFE_MAKING;
    c->made = true;
    snprintf(c->name, sizeof(c->name), "awsync-%s%s%s.fifo", hub->run, hub->run[0] ? "-" : "",
             name);
    link_chan(c);
    const char *refused = chan_options_refuse(&c->options);
    if (refused) {
        c->life = LIFE_BROKEN;
        fault_remember(c, "making of the queue", NULL, refused);
    } else if (!add_companions(c) || !hub_mark(c)) {
        c->refs = 0;
        c->made = false;
        c->life = LIFE_BROKEN; /* stays marked: the next mark that succeeds frees it */
        for (int i = 0; i < 2; i++) {
            struct chan *k = i == 0 ? c->credits : c->dead;
            if (k) {
                k->made = false;
                k->life = LIFE_BROKEN;
                sender_drop(k);
            }
        }
        c = NULL;
    } else
        hub_settle(c);
    pthread_mutex_unlock(&hub->lock);
    return c;
}

struct chan *chan_open(struct chan_hub *hub, const char *url, const struct chan_options *options) {
    pthread_mutex_lock(&hub->lock);
    struct chan *c = hub_find_url(hub, url);
    if (c) {
        c->refs++;
        goto done;
    }
    c = new_chan(hub, options);
    if (!c)
        goto done;
    c->url = strdup(url);
    if (!c->url) {
        free(c);
        c = NULL;
        goto done;
    }
    const char *slash = strrchr(url, '/');
    snprintf(c->name, sizeof(c->name), "%s", slash ? slash + 1 : url);
    c->life = LIFE_READY;
    link_chan(c);
    hub_insert_url(c);
    if (!add_companions(c)) {
        c->refs = 0;
        c->options.bounded = false;
        hub_settle(c);
        c = NULL;
    }
done:
    pthread_mutex_unlock(&hub->lock);
    return c;
}

struct chan *chan_retain(struct chan *c) {
    pthread_mutex_lock(&c->hub->lock);
    c->refs++;
    pthread_mutex_unlock(&c->hub->lock);
    return c;
}

void chan_release(struct chan *c) {
    if (!c)
        return;
    struct chan_hub *hub = c->hub;
    pthread_mutex_lock(&hub->lock);
    if (--c->refs == 0) {
        if (!hub->dead && (c->in.held.count || c->leases || c->in.ending.mark || c->offers.out))
            hub_mark(c);
        if (!hub->dead && c->credits && c->credits->in.held.count)
            hub_mark(c->credits);
        hub_settle(c);
    }
    hub_unlock(hub);
}

const struct chan_options *chan_options_of(const struct chan *c) {
    return &c->options;
}

int chan_cap(const struct chan *c) {
    return c->options.bounded ? (int)c->options.capacity : -1;
}

const char *chan_name(const struct chan *c) {
    return c->name;
}

bool queue_ready(const struct chan *c) {
    return c->life == LIFE_READY;
}

enum chan_result queue_state(struct chan *c, const char *operation, struct chan_error *error) {
    if (c->hub->dead) {
        fault_text(error, c, operation, NULL, "the hub has been freed");
        return CHAN_FAILED;
    }
    enum chan_result result = fault_report(c, error);
    if (result == CHAN_OK && (c->deleting || c->life == LIFE_GONE)) {
        fault_text(error, c, operation, NULL, "the queue has been deleted");
        result = CHAN_DELETED;
    }
    if (result == CHAN_OK && c->life == LIFE_BROKEN) {
        fault_text(error, c, operation, NULL, "the queue could not be made");
        result = CHAN_FAILED;
    }
    return result;
}

enum chan_result chan_url(struct chan *c, int64_t deadline, const char **url_out,
                          struct chan_error *error) {
    struct chan_hub *hub = c->hub;
    enum chan_result result;
    *url_out = NULL;
    pthread_mutex_lock(&hub->lock);
    for (;;) {
        result = queue_state(c, "making of the queue", error);
        if (result != CHAN_OK || c->life == LIFE_READY)
            break;
        if (hub->interrupted) {
            hub->interrupted = false;
            result = CHAN_INTERRUPTED;
            break;
        }
        if (!hub_wait(hub, deadline) && c->life == LIFE_MAKING) {
            result = CHAN_TIMEOUT;
            break;
        }
    }
    if (result == CHAN_OK)
        *url_out = c->url;
    pthread_mutex_unlock(&hub->lock);
    return result;
}

void queue_doom(struct chan *c) {
    c->deleting = true;
    turn_take(&c->deletion, c, TURN_DELETES);
}

enum chan_result chan_delete(struct chan *c, struct chan_error *error) {
    struct chan_hub *hub = c->hub;
    enum chan_result result = CHAN_OK;
    if (error)
        memset(error, 0, sizeof(*error));
    pthread_mutex_lock(&hub->lock);
    if (hub->dead) {
        result = queue_state(c, "delete", error);
    } else if (!c->deleting && c->life != LIFE_GONE) {
        queue_doom(c);
        for (int i = 0; i < 2; i++) {
            struct chan *k = i == 0 ? c->credits : c->dead;
            if (k) {
                queue_doom(k);
                hub_mark(k);
                hub_settle(k);
            }
        }
        if (!hub_mark(c)) {
            fault_text(error, c, "delete", NULL, "out of memory");
            c->deleting = false;
            turn_end(&c->deletion);
            result = CHAN_FAILED;
        }
        hub_settle(c);
    }
    pthread_mutex_unlock(&hub->lock);
    return result;
}

void queue_gone(struct chan *c) {
    if (c->life == LIFE_GONE)
        return;
    c->life = LIFE_GONE;
    turn_end(&c->deletion);
    if (sender_drop(c))
        fault_remember(c, "push", NULL, "the queue was deleted before it was acknowledged");
    ack_drop(c);
    receiver_drop(c);
    c->offers.out = false;
    if (c->dead)
        hub_mark(c->dead);
    if (c->owner)
        hub_mark(c->owner);
}

/* --- on the I/O thread ------------------------------------------------------------------------ */

static void broken(struct chan *c, const struct aws_error *error) {
    c->life = LIFE_BROKEN;
    c->maybe = error && error->may_have_run;
    sender_drop(c);
    fault_remember(c, "making of the queue", error, "out of memory");
    if (c->owner)
        hub_mark(c->owner);
}

/* A queue of dead letters that SQS does not know everywhere yet. */
static bool target_unknown(const struct chan *c, const struct aws_error *error, int64_t now) {
    return c->dead && strncmp(error->code, "InvalidParameterValue", 21) == 0 &&
           now - c->dead->born_ms < YOUNG_MS;
}

static void on_created(void *context, const struct aws_error *error, const char *url) {
    struct chan *c = hub_enter(context);
    int64_t now = clock_mono_ms();
    c->life_call = false;
    if (!error) {
        c->url = strdup(url);
        if (c->url) {
            memset(&c->life_backoff, 0, sizeof(c->life_backoff));
            c->life = LIFE_READY;
            c->born_ms = now;
            if (c->kind == KIND_CHANNEL)
                hub_insert_url(c);
        } else
            fault_delay(&c->life_backoff, now, 50, 500);
    } else if (target_unknown(c, error, now))
        fault_delay(&c->life_backoff, now, 50, 500);
    else if (fault_judge(c, &c->life_backoff, error, now) != VERDICT_AGAIN)
        broken(c, error);
    hub_leave(c);
}

static void make(struct chan *c, int64_t now) {
    struct chan_hub *hub = c->hub;
    char visibility[16], redrive[640], created[CLOCK_ISO_SIZE], expires[CLOCK_ISO_SIZE];
    snprintf(visibility, sizeof(visibility), "%d", c->options.visibility_s);
    clock_iso_date(clock_wall_ms(), created);
    clock_iso_date(hub->expires_ms, expires);
    if (c->dead && !c->dead->arn) {
        if (c->dead->life == LIFE_BROKEN || c->dead->life == LIFE_GONE)
            broken(c, c->dead->failure ? &c->dead->failure->aws : NULL);
        return; /* it calls when it is there */
    }
    struct sqs_pair attributes[5] = {
        {"FifoQueue", "true"},
        {"DeduplicationScope", "messageGroup"},
        {"FifoThroughputLimit", "perMessageGroupId"},
        {"VisibilityTimeout", visibility},
    };
    size_t attribute_count = 4;
    if (c->dead) {
        snprintf(redrive, sizeof(redrive),
                 "{\"deadLetterTargetArn\":\"%s\",\"maxReceiveCount\":%d}", c->dead->arn,
                 c->options.max_receives);
        attributes[attribute_count++] = (struct sqs_pair){"RedrivePolicy", redrive};
    }
    if (c->kind != KIND_CHANNEL)
        attributes[attribute_count++] = (struct sqs_pair){"MessageRetentionPeriod", "1209600"};
    struct sqs_pair tags[4];
    size_t count = 0;
    tags[count++] = (struct sqs_pair){"awsync:created", created};
    if (hub->expires_ms > 0)
        tags[count++] = (struct sqs_pair){"awsync:expires", expires};
    if (hub->run[0])
        tags[count++] = (struct sqs_pair){"awsync:run", hub->run};
    if (hub->function[0])
        tags[count++] = (struct sqs_pair){"awsync:function", hub->function};
    struct request *r = request_for(&c->life_request, c);
    c->life_call = request_begin(r, sqs_create_queue(hub->client, c->name, attributes,
                                                     attribute_count, tags, count, on_created, r));
    if (!c->life_call && fault_judge(c, &c->life_backoff, NULL, now) != VERDICT_AGAIN)
        broken(c, NULL);
}

static void on_deleted(void *context, const struct aws_error *error) {
    struct chan *c = hub_enter(context);
    c->life_call = false;
    enum verdict verdict = VERDICT_GONE;
    /* Sent again after a lost answer, it finds the queue gone. */
    bool twice = error && sqs_is_no_queue(error) && (c->maybe || error->attempts > 1);
    if (error && !twice)
        verdict = fault_judge(c, &c->life_backoff, error, clock_mono_ms());
    c->maybe = error && (c->maybe || error->may_have_run);
    if (verdict == VERDICT_GIVE_UP)
        fault_remember(c, "delete", error, NULL);
    if (verdict != VERDICT_AGAIN)
        queue_gone(c);
    hub_leave(c);
}

/* Of a queue whose making seemed to fail: is it there? */
static void on_found(void *context, const struct aws_error *error, const char *url) {
    struct chan *c = hub_enter(context);
    int64_t now = clock_mono_ms();
    c->life_call = false;
    if (!error) {
        c->url = strdup(url);
        if (c->url) {
            c->life = LIFE_READY;
            c->maybe = false;
        } else
            fault_delay(&c->life_backoff, now, 50, 500);
    } else if (fault_judge(c, &c->life_backoff, error, now) != VERDICT_AGAIN)
        c->life = LIFE_GONE;
    hub_leave(c);
}

void queue_step(struct chan *c, int64_t now) {
    struct aws_client *client = c->hub->client;
    if (c->life_call || now < c->life_backoff.until)
        return;
    if (c->life == LIFE_MAKING) {
        make(c, now);
        return;
    }
    if (dead_step(c))
        return;
    if (!c->deleting || c->life == LIFE_GONE)
        return;
    struct request *r = &c->life_request;
    if (c->life == LIFE_BROKEN) {
        if (!c->maybe) {
            c->life = LIFE_GONE;
            return;
        }
        request_for(r, c);
        c->life_call = request_begin(r, sqs_get_queue_url(client, c->name, on_found, r));
    } else {
        if (!sender_idle(c) || c->deletion.taken || c->acks.deleting || c->acks.returning ||
            c->in.active)
            return; /* each of them calls again when it ends */
        request_for(r, c);
        c->life_call = request_begin(r, sqs_delete_queue(client, c->url, on_deleted, r));
    }
    if (!c->life_call && fault_judge(c, &c->life_backoff, NULL, now) != VERDICT_AGAIN)
        queue_gone(c);
}

int64_t queue_wake(const struct chan *c, int64_t now) {
    bool wanted = c->life == LIFE_MAKING || (c->deleting && c->life != LIFE_GONE);
    return wanted && !c->life_call ? later(c->life_backoff.until, now) : 0;
}
