/*
** The functions of host/aws that the channel room uses, over the SQS of channel_fake_queue.h: each makes a
** call that the thread of channel_fake_thread.h carries out. Included by channel.c only.
*/

enum event_kind { EVENT_TASK, EVENT_ARRIVE, EVENT_ANSWER };

struct fake_call {
    enum fake_op op;
    char target[160]; /* URL or name */
    size_t count;
    struct sqs_send sends[SQS_BATCH_MAX]; /* bodies and ids owned */
    char *receipts[SQS_BATCH_MAX];
    struct sqs_receive receive;
    char attempt[129];
    int64_t wait_until;          /* of a receive; -1: not arrived yet */
    int64_t late_until;          /* it runs then, not when it arrives */
    struct fake_queue *waits_at; /* of a long poll that has found nothing yet */
    struct fake_call *next_waiting;
    void (*done)(void);
    void *context;
    /* answer */
    struct aws_error error;
    bool failed, lost, odd;
    bool cut; /* of a long poll: its client has gone, and the server does not know */
    char url[160], arn[160], hidden[24];
    struct sqs_outcome outcomes[SQS_BATCH_MAX];
    struct sqs_message messages[SQS_BATCH_MAX]; /* bodies, receipts and ids owned */
    size_t message_count;
};

struct fake_event {
    struct fake_event *next;
    enum event_kind kind;
    int64_t at_us;
    uint64_t id; /* of the timer or call */
    aws_task task;
    void *context;
    struct fake_call *call;
};

struct aws_client {
    struct fake_server *server;
    unsigned number;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct fake_event *events; /* by time, then in order */
    uint64_t ids;
    bool ending;
    size_t open; /* calls under way */
};

static uint64_t client_add(struct aws_client *client, struct fake_event *e, int64_t delay_us) {
    e->at_us = clock_mono_us() + delay_us;
    struct fake_event **at = &client->events;
    while (*at && (*at)->at_us <= e->at_us)
        at = &(*at)->next;
    e->next = *at;
    *at = e;
    pthread_cond_signal(&client->wake);
    return e->id;
}

static struct fake_event *new_event(enum event_kind kind) {
    struct fake_event *e = calloc(1, sizeof(*e));
    e->kind = kind;
    return e;
}

bool aws_post(struct aws_client *client, aws_task task, void *context) {
    struct fake_event *e = new_event(EVENT_TASK);
    e->task = task;
    e->context = context;
    pthread_mutex_lock(&client->lock);
    client_add(client, e, 0);
    pthread_mutex_unlock(&client->lock);
    return true;
}

uint64_t aws_timer(struct aws_client *client, int64_t delay_ms, aws_task task, void *context) {
    struct fake_event *e = new_event(EVENT_TASK);
    e->task = task;
    e->context = context;
    pthread_mutex_lock(&client->lock);
    uint64_t id = e->id = ++client->ids;
    client_add(client, e, delay_ms * 1000);
    pthread_mutex_unlock(&client->lock);
    return id;
}

void aws_timer_cancel(struct aws_client *client, uint64_t id) {
    pthread_mutex_lock(&client->lock);
    for (struct fake_event **at = &client->events; *at; at = &(*at)->next)
        if ((*at)->kind == EVENT_TASK && (*at)->id == id) {
            struct fake_event *e = *at;
            *at = e->next;
            free(e);
            break;
        }
    pthread_mutex_unlock(&client->lock);
}

void aws_cancel(struct aws_client *client, uint64_t id) {
    pthread_mutex_lock(&client->lock);
    for (struct fake_event **at = &client->events; *at; at = &(*at)->next)
        if ((*at)->kind != EVENT_TASK && (*at)->id == id) {
            struct fake_event *e = *at;
            *at = e->next;
            struct fake_call *call = e->call;
            call->failed = true;
            memset(&call->error, 0, sizeof(call->error));
            snprintf(call->error.code, sizeof(call->error.code), AWS_CODE_CANCELLED);
            e->kind = EVENT_ANSWER;
            client_add(client, e, 0);
            break;
        }
    pthread_mutex_unlock(&client->lock);
}

static uint64_t submit(struct aws_client *client, struct fake_call *call, void *context) {
    struct fake_event *e = new_event(EVENT_ARRIVE);
    call->context = context;
    call->wait_until = -1;
    e->call = call;
    pthread_mutex_lock(&client->lock);
    uint64_t id = e->id = ++client->ids;
    client->open++;
    client_add(client, e, client->server->latency_ms * 500);
    pthread_mutex_unlock(&client->lock);
    return id;
}

static struct fake_call *new_call(enum fake_op op, const char *target, void (*done)(void)) {
    struct fake_call *call = calloc(1, sizeof(*call));
    call->op = op;
    call->done = done;
    snprintf(call->target, sizeof(call->target), "%s", target);
    return call;
}

static void free_call(struct fake_call *call) {
    for (size_t i = 0; i < call->count; i++) {
        free((char *)call->sends[i].body);
        free((char *)call->sends[i].group_id);
        free((char *)call->sends[i].deduplication_id);
        free(call->receipts[i]);
    }
    for (size_t i = 0; i < call->message_count; i++) {
        free((char *)call->messages[i].body);
        free((char *)call->messages[i].receipt_handle);
        free((char *)call->messages[i].deduplication_id);
    }
    free(call);
}

/* --- the functions of sqs.h ------------------------------------------------------------------- */

uint64_t sqs_create_queue(struct aws_client *client, const char *name,
                          const struct sqs_pair *attributes, size_t attribute_count,
                          const struct sqs_pair *tags, size_t tag_count, sqs_url_done done,
                          void *context) {
    struct fake_call *call = new_call(OP_CREATE, name, (void (*)(void))done);
    struct fake_server *s = client->server;
    char note[1024];
    size_t at = 0;
    int visibility = 30;
    for (size_t i = 0; i < attribute_count; i++) {
        at += (size_t)snprintf(note + at, sizeof(note) - at, "%s=%s\n", attributes[i].name,
                               attributes[i].value);
        if (strcmp(attributes[i].name, "VisibilityTimeout") == 0)
            visibility = (int)strtol(attributes[i].value, NULL, 10);
    }
    for (size_t i = 0; i < tag_count; i++)
        at += (size_t)snprintf(note + at, sizeof(note) - at, "tag %s=%s\n", tags[i].name,
                               tags[i].value);
    pthread_mutex_lock(&s->lock);
    call->receive.visibility_s = visibility;
    call->sends[0].body = strdup(note);
    call->count = 1;
    pthread_mutex_unlock(&s->lock);
    return submit(client, call, context);
}

uint64_t sqs_get_queue_url(struct aws_client *client, const char *name, sqs_url_done done,
                           void *context) {
    return submit(client, new_call(OP_URL, name, (void (*)(void))done), context);
}

uint64_t sqs_delete_queue(struct aws_client *client, const char *url, sqs_done done,
                          void *context) {
    return submit(client, new_call(OP_DELETE_QUEUE, url, (void (*)(void))done), context);
}

uint64_t sqs_send_batch(struct aws_client *client, const char *url, const struct sqs_send *entries,
                        size_t count, sqs_batch_done done, void *context) {
    struct fake_call *call = new_call(OP_SEND, url, (void (*)(void))done);
    size_t bytes = 0;
    call->count = count;
    for (size_t i = 0; i < count; i++) {
        call->sends[i] = entries[i];
        char *body = malloc(entries[i].body_len + 1);
        memcpy(body, entries[i].body, entries[i].body_len);
        call->sends[i].body = body;
        call->sends[i].group_id = strdup(entries[i].group_id);
        call->sends[i].deduplication_id = strdup(entries[i].deduplication_id);
        bytes += entries[i].body_len;
    }
    if (count == 0 || count > SQS_BATCH_MAX || bytes > SQS_PAYLOAD_MAX) {
        pthread_mutex_lock(&client->server->lock);
        snprintf(client->server->error, sizeof(client->server->error), "batch of %zu, %zu bytes",
                 count, bytes);
        pthread_mutex_unlock(&client->server->lock);
    }
    return submit(client, call, context);
}

static uint64_t receipts_call(struct aws_client *client, enum fake_op op, const char *url,
                              const char *const *receipts, size_t count, sqs_batch_done done,
                              void *context) {
    struct fake_call *call = new_call(op, url, (void (*)(void))done);
    call->count = count;
    for (size_t i = 0; i < count; i++)
        call->receipts[i] = strdup(receipts[i]);
    return submit(client, call, context);
}

uint64_t sqs_delete_batch(struct aws_client *client, const char *url,
                          const char *const *receipt_handles, size_t count, sqs_batch_done done,
                          void *context) {
    return receipts_call(client, OP_DELETE, url, receipt_handles, count, done, context);
}

uint64_t sqs_change_visibility_batch(struct aws_client *client, const char *url,
                                     const char *const *receipt_handles, size_t count,
                                     int visibility_s, sqs_batch_done done, void *context) {
    struct fake_call *call = new_call(OP_VISIBILITY, url, (void (*)(void))done);
    call->count = count;
    call->receive.visibility_s = visibility_s;
    for (size_t i = 0; i < count; i++)
        call->receipts[i] = strdup(receipt_handles[i]);
    return submit(client, call, context);
}

uint64_t sqs_get_attributes(struct aws_client *client, const char *url, const char *const *names,
                            size_t count, sqs_pairs_done done, void *context) {
    (void)names;
    (void)count;
    return submit(client, new_call(OP_ATTRIBUTES, url, (void (*)(void))done), context);
}

uint64_t sqs_receive(struct aws_client *client, const char *url, const struct sqs_receive *in,
                     sqs_receive_done done, void *context) {
    struct fake_call *call = new_call(OP_RECEIVE, url, (void (*)(void))done);
    call->receive = *in;
    snprintf(call->attempt, sizeof(call->attempt), "%s", in->attempt_id);
    return submit(client, call, context);
}

bool sqs_is_no_queue(const struct aws_error *error) {
    return strcmp(error->code, "QueueDoesNotExist") == 0;
}
