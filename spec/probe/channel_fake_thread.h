/*
** The thread that stands for the I/O thread, with timed events: a call of channel_fake_client.h arrives after half
** of the latency and is answered after the other half. Included by channel.c only.
*/

/* --- arrival at the server, answer, thread ---------------------------------------------------- */

static void call_error(struct fake_call *call, const char *code, long status, bool may_have_run) {
    call->failed = true;
    snprintf(call->error.code, sizeof(call->error.code), "%s", code);
    snprintf(call->error.message, sizeof(call->error.message), "injected");
    snprintf(call->error.request_id, sizeof(call->error.request_id), "req-1");
    call->error.status = status;
    call->error.may_have_run = may_have_run;
    call->error.attempts = 1;
}

static void apply_fault(struct fake_call *call, const struct fake_fault *f) {
    if (strcmp(f->kind, "throttle") == 0)
        call_error(call, "RequestThrottled", 403, false);
    else if (strcmp(f->kind, "reset") == 0)
        call_error(call, AWS_CODE_CONNECT, 0, false);
    else if (strcmp(f->kind, "internal") == 0)
        call_error(call, "InternalFailure", 500, true);
    else if (strcmp(f->kind, "denied") == 0)
        call_error(call, "AccessDeniedException", 403, false);
    else if (strcmp(f->kind, "noqueue") == 0)
        call_error(call, "QueueDoesNotExist", 400, false);
    else if (strcmp(f->kind, "lost") == 0)
        call->lost = true;
    else if (strcmp(f->kind, "odd") == 0)
        call->odd = true; /* it runs, and the answer is an error that is final */
}

static void take_messages(struct fake_queue *q, struct fake_call *call) {
    struct fake_message *got[SQS_BATCH_MAX];
    int visibility = call->receive.visibility_s;
    size_t count = fake_receive(q, call->attempt, call->receive.max_messages,
                                visibility < 0 ? q->visibility_ms : visibility * 1000, got);
    for (size_t i = 0; i < count; i++) {
        char receipt[32];
        snprintf(receipt, sizeof(receipt), "%u.%u", got[i]->number, got[i]->receives);
        char *body = malloc(got[i]->len + 1);
        memcpy(body, got[i]->body, got[i]->len + 1);
        call->messages[i] = (struct sqs_message){
            .body = body,
            .body_len = got[i]->len,
            .receipt_handle = strdup(receipt),
            .message_id = "m",
            .deduplication_id = strdup(got[i]->dedup),
            .receive_count = (int)got[i]->receives,
            .sent_ms = got[i]->sent_ms,
        };
    }
    call->message_count = count;
}

static void stop_waiting(struct fake_call *call) {
    if (!call->waits_at)
        return;
    struct fake_call **at = &call->waits_at->waiting;
    while (*at != call)
        at = &(*at)->next_waiting;
    *at = call->next_waiting;
    call->waits_at = NULL;
}

static void start_waiting(struct fake_queue *q, struct fake_call *call) {
    struct fake_call **at = &q->waiting;
    while (*at)
        at = &(*at)->next_waiting;
    *at = call;
    call->next_waiting = NULL;
    call->waits_at = q;
}

/* Who came first is served first, whichever client looks first. */
static void serve_waiting(struct fake_server *s, struct fake_queue *q) {
    fake_bury(s, q);
    for (struct fake_call *call = q->waiting, *next; call; call = next) {
        next = call->next_waiting;
        bool over = call->cut && clock_mono_ms() >= call->wait_until;
        if (!over)
            take_messages(q, call);
        if (!over && call->message_count == 0)
            continue;
        stop_waiting(call);
        if (call->cut)
            free_call(call);
    }
}

static void receive(struct fake_server *s, struct fake_queue *q, struct fake_call *call) {
    serve_waiting(s, q);
    if (call->message_count == 0 && !call->waits_at)
        take_messages(q, call);
    if (call->message_count == 0 && !call->waits_at && clock_mono_ms() < call->wait_until)
        start_waiting(q, call);
}

/* What the server goes on with when the client of a long poll has gone. */
static void cut(struct fake_server *s, struct fake_call *call) {
    struct fake_queue *q = fake_find(s, call->target);
    struct fake_call *left = q ? calloc(1, sizeof(*left)) : NULL;
    call_error(call, AWS_CODE_TIMEOUT, 0, true);
    if (!left)
        return;
    left->op = call->op;
    left->receive = call->receive;
    left->wait_until = call->wait_until;
    left->cut = true;
    memcpy(left->attempt, call->attempt, sizeof(left->attempt));
    start_waiting(q, left);
}

static void entries_of(struct fake_queue *q, struct fake_call *call, const struct fake_fault *f) {
    for (size_t i = 0; i < call->count; i++) {
        struct sqs_outcome *o = &call->outcomes[i];
        if (f && (f->entries >> i & 1)) {
            o->sender_fault = strcmp(f->kind, "reject") == 0;
            snprintf(o->code, sizeof(o->code), "%s", f->code);
            continue;
        }
        o->ok = true;
        if (call->op == OP_SEND) {
            fake_send(q, &call->sends[i]);
            continue;
        }
        o->ok = call->op == OP_DELETE ? fake_delete(q, call->receipts[i])
                                      : fake_show(q, call->receipts[i], call->receive.visibility_s);
        o->sender_fault = !o->ok;
        snprintf(o->code, sizeof(o->code), "%s", o->ok ? "" : "InvalidParameterValue");
    }
}

static bool with_entries(const struct fake_fault *f) {
    return f && (strcmp(f->kind, "partial") == 0 || strcmp(f->kind, "reject") == 0);
}

/* Returns the delay of the answer in microseconds, or -1 when the call stays (a long poll). */
static int64_t arrive(struct aws_client *client, struct fake_call *call) {
    struct fake_server *s = client->server;
    int64_t delay = s->latency_ms * 500, now = clock_mono_ms();
    const struct fake_fault *f = NULL;
    pthread_mutex_lock(&s->lock);
    bool first = call->wait_until < 0;
    if (first) {
        struct fake_log *l = fake_note(s, call->op, call->target);
        l->count = call->op == OP_CREATE ? 0 : call->count;
        l->max = call->receive.max_messages;
        l->wait = call->receive.wait_s;
        l->client = client->number;
        snprintf(l->what, sizeof(l->what), "%.39s",
                 call->op == OP_SEND ? call->sends[0].deduplication_id : call->attempt);
        call->wait_until = now + call->receive.wait_s * 1000;
        f = fake_pick(s, call->op, call->target);
        if (f) {
            l->fault = f->kind;
            if (strcmp(f->kind, "late") == 0)
                call->late_until = now + f->ms;
            else
                delay += f->ms * 1000;
            if (strcmp(f->kind, "cut") == 0)
                cut(s, call);
            else
                apply_fault(call, f);
            if (call->failed)
                goto done;
        }
    }
    if (now < call->late_until) {
        delay = -1;
        goto done;
    }
    if (call->op == OP_CREATE) {
        struct fake_queue *q = fake_make(s, call->target, call->receive.visibility_s);
        snprintf(q->note, sizeof(q->note), "%s", call->sends[0].body);
        const char *redrive = strstr(q->note, "arn:fake:"),
                   *max = strstr(q->note, "maxReceiveCount\":");
        if (redrive && max) {
            snprintf(q->dead, sizeof(q->dead), "%.*s", (int)strcspn(redrive + 9, "\""),
                     redrive + 9);
            q->max_receives = (unsigned)strtoul(max + 17, NULL, 10);
        }
        snprintf(call->url, sizeof(call->url), "%s", q->url);
        goto done;
    }
    struct fake_queue *q = fake_find(s, call->target);
    if (!q || now - q->made_ms < s->young_ms) {
        call_error(call, "QueueDoesNotExist", 400, false);
        goto done;
    }
    switch (call->op) {
    case OP_URL:
        snprintf(call->url, sizeof(call->url), "%s", q->url);
        break;
    case OP_DELETE_QUEUE:
        q->deleted = true;
        break;
    case OP_ATTRIBUTES:
        snprintf(call->url, sizeof(call->url), "%zu", fake_visible(q));
        snprintf(call->hidden, sizeof(call->hidden), "%zu", fake_total(q) - fake_visible(q));
        snprintf(call->arn, sizeof(call->arn), "arn:fake:%s", q->name);
        break;
    case OP_RECEIVE:
        receive(s, q, call);
        if (call->waits_at && now < call->wait_until)
            delay = -1;
        break;
    default:
        entries_of(q, call, with_entries(f) ? f : NULL);
        serve_waiting(s, q);
        break;
    }
done:
    if (call->odd)
        call_error(call, "OddFailure", 400, true);
    if (call->lost && delay >= 0)
        call_error(call, AWS_CODE_TIMEOUT, 0, true);
    pthread_mutex_unlock(&s->lock);
    return delay;
}

static void answer(struct fake_call *call) {
    const struct aws_error *error = call->failed ? &call->error : NULL;
    const struct sqs_pair pairs[] = {{"ApproximateNumberOfMessages", call->url},
                                     {"ApproximateNumberOfMessagesNotVisible", call->hidden},
                                     {"QueueArn", call->arn}};
    switch (call->op) {
    case OP_CREATE:
    case OP_URL:
        ((sqs_url_done)call->done)(call->context, error, error ? NULL : call->url);
        break;
    case OP_DELETE_QUEUE:
        ((sqs_done)call->done)(call->context, error);
        break;
    case OP_ATTRIBUTES:
        ((sqs_pairs_done)call->done)(call->context, error, error ? NULL : pairs, error ? 0 : 3);
        break;
    case OP_RECEIVE:
        ((sqs_receive_done)call->done)(call->context, error, error ? NULL : call->messages,
                                       error ? 0 : call->message_count);
        break;
    default:
        ((sqs_batch_done)call->done)(call->context, error, error ? NULL : call->outcomes,
                                     error ? 0 : call->count);
        break;
    }
}

enum { LOOK_AGAIN_US = 1000 };

/* An arrival: the event becomes its answer, or looks again a little later. The call is out of
** the list meanwhile and cannot be cancelled then, as one that has just been answered. */
static void run_event(struct aws_client *client, struct fake_event *e) {
    if (e->kind == EVENT_TASK) {
        e->task(e->context);
        free(e);
    } else if (e->kind == EVENT_ARRIVE) {
        int64_t delay = arrive(client, e->call);
        pthread_mutex_lock(&client->lock);
        if (delay >= 0)
            e->kind = EVENT_ANSWER;
        client_add(client, e, delay >= 0 ? delay : LOOK_AGAIN_US);
        pthread_mutex_unlock(&client->lock);
    } else {
        pthread_mutex_lock(&client->lock);
        client->open--;
        pthread_mutex_unlock(&client->lock);
        pthread_mutex_lock(&client->server->lock);
        stop_waiting(e->call);
        pthread_mutex_unlock(&client->server->lock);
        answer(e->call);
        free_call(e->call);
        free(e);
    }
}

/* The end: calls are answered as cancelled, posted tasks run, timers are dropped. */
static void drain(struct aws_client *client) {
    while (client->events) {
        struct fake_event *e = client->events;
        client->events = e->next;
        pthread_mutex_unlock(&client->lock);
        if (e->kind == EVENT_TASK) {
            if (e->id == 0)
                e->task(e->context);
            free(e);
        } else {
            call_error(e->call, AWS_CODE_CANCELLED, 0, false);
            e->kind = EVENT_ANSWER;
            run_event(client, e);
        }
        pthread_mutex_lock(&client->lock);
    }
}

static void *client_thread(void *context) {
    struct aws_client *client = context;
    pthread_mutex_lock(&client->lock);
    while (!client->ending) {
        int64_t now = clock_mono_us();
        struct fake_event *e = client->events;
        if (e && e->at_us <= now) {
            client->events = e->next;
            pthread_mutex_unlock(&client->lock);
            run_event(client, e);
            pthread_mutex_lock(&client->lock);
        } else if (e) {
            struct timespec until = {.tv_sec = (time_t)(e->at_us / 1000000),
                                     .tv_nsec = (long)(e->at_us % 1000000) * 1000};
            pthread_cond_timedwait(&client->wake, &client->lock, &until);
        } else
            pthread_cond_wait(&client->wake, &client->lock);
    }
    drain(client);
    pthread_mutex_unlock(&client->lock);
    return NULL;
}

static struct aws_client *fake_client(struct fake_server *server) {
    struct aws_client *client = calloc(1, sizeof(*client));
    client->server = server;
    pthread_mutex_lock(&server->lock);
    server->refs++;
    client->number = ++server->clients;
    pthread_mutex_unlock(&server->lock);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&client->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&client->lock, NULL);
    pthread_create(&client->thread, NULL, client_thread, client);
    return client;
}

static size_t fake_client_open(struct aws_client *client) {
    pthread_mutex_lock(&client->lock);
    size_t open = client->open;
    pthread_mutex_unlock(&client->lock);
    return open;
}

static void fake_client_free(struct aws_client *client) {
    pthread_mutex_lock(&client->lock);
    client->ending = true;
    pthread_cond_signal(&client->wake);
    pthread_mutex_unlock(&client->lock);
    pthread_join(client->thread, NULL);
    pthread_cond_destroy(&client->wake);
    pthread_mutex_destroy(&client->lock);
    fake_release(client->server);
    free(client);
}
