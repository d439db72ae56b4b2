/* The queue of an inbox: made and deleted. See inbox_parts.h. */
#include "host/channel/inbox_parts.h"

#include <stdio.h>
#include <string.h>

#include "host/base/clock.h"

enum {
    VISIBILITY_S = 5, /* so late comes what was in an answer that was lost */
    CLOSE_GIVE_UP_MS =
        5000, /* at the end, of nothing but faults: the queue's tags tell what it was */
};

static void on_made(void *context, const struct aws_error *error, const char *url) {
    struct inbox *b = flight_land(context);
    if (b == NULL)
        return;
    int64_t now = clock_mono_ms();
    b->making = false;
    if (error == NULL) {
        b->url = strdup(url);
        b->life = b->url != NULL ? INBOX_READY : INBOX_MAKING;
        b->born_ms = now;
        inbox_no_trouble(b);
    } else {
        bool again = error->status == 0 || error->status == 429 || error->status >= 500;
        inbox_trouble(b, error, now);
        int64_t patience = b->closing ? CLOSE_GIVE_UP_MS : INBOX_GIVE_UP_MS;
        if (!again || now - b->trouble_since > patience)
            b->life = INBOX_BROKEN;
    }
    inbox_leave(b);
}

void inbox_make(struct inbox *b) {
    char created[CLOCK_ISO_SIZE], expires[CLOCK_ISO_SIZE], visibility[8];
    clock_iso_date(clock_wall_ms(), created);
    clock_iso_date(b->expires_ms, expires);
    snprintf(visibility, sizeof visibility, "%d", VISIBILITY_S);
    const struct sqs_pair attributes[] = {{"VisibilityTimeout", visibility}};
    const struct sqs_pair tags[] = {
        {"awsync:created", created},
        {"awsync:expires", expires},
        {"awsync:run", b->run},
        {"awsync:function", b->function},
    };
    struct flight *f = flight_begin(b);
    b->making = f != NULL && sqs_create_queue(b->client, b->name, attributes, 1, tags,
                                              b->function[0] != '\0' ? 4 : 3, on_made, f) != 0;
    if (f != NULL && !b->making)
        flight_drop(f);
    if (!b->making)
        inbox_trouble(b, &(struct aws_error){.code = AWS_CODE_MEMORY}, clock_mono_ms());
}

static void on_deleted(void *context, const struct aws_error *error) {
    struct inbox *b = flight_land(context);
    if (b == NULL)
        return;
    b->deleting = false;
    bool late = b->trouble_since > 0 && clock_mono_ms() - b->trouble_since > CLOSE_GIVE_UP_MS;
    bool again = error != NULL && !late && !sqs_is_no_queue(error) &&
                 (error->status == 0 || error->status == 429 || error->status >= 500) &&
                 strcmp(error->code, AWS_CODE_CANCELLED) != 0;
    if (again)
        inbox_trouble(b, error, clock_mono_ms());
    else
        b->life = INBOX_GONE;
    inbox_leave(b);
}

void inbox_delete_queue(struct inbox *b) {
    struct flight *f = flight_begin(b);
    b->deleting = f != NULL && sqs_delete_queue(b->client, b->url, on_deleted, f) != 0;
    if (f != NULL && !b->deleting)
        flight_drop(f);
    if (!b->deleting)
        b->life = INBOX_GONE;
}
