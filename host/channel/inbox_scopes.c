/* The scopes of an inbox that are cancelled, as tags of its queue. See inbox.h. */
#include "host/channel/inbox_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"

enum {
    TAGS_MAX = 40,
    TAG_SIZE = 250, /* of SQS's 256 characters */
};

static bool is_cancelled(const struct inbox *b, size_t scope) {
    return scope / 8 < b->cancelled_bytes && b->cancelled[scope / 8] >> scope % 8 & 1;
}

static void on_tagged(void *context, const struct aws_error *error) {
    struct inbox *b = flight_land(context);
    if (b == NULL)
        return;
    b->tagging = false;
    if (error != NULL && (error->status == 0 || error->status >= 429) &&
        strcmp(error->code, AWS_CODE_CANCELLED) != 0) {
        b->tag_due = true;
        inbox_trouble(b, error, clock_mono_ms());
    }
    inbox_leave(b);
}

/* All ranges, in as many tags as there may be; what has no room runs to its own end. */
static size_t write_tags(const struct inbox *b, char (*values)[TAG_SIZE + 1], char (*names)[24]) {
    size_t count = 0, used = 0;
    for (size_t s = 1; s < b->cancelled_bytes * 8;) {
        if (!is_cancelled(b, s)) {
            s++;
            continue;
        }
        size_t from = s;
        while (is_cancelled(b, s))
            s++;
        char range[48];
        int len = from == s - 1 ? snprintf(range, sizeof range, "%zu ", from)
                                : snprintf(range, sizeof range, "%zu-%zu ", from, s - 1);
        if (count == 0 || used + (size_t)len > TAG_SIZE) {
            if (count == TAGS_MAX)
                break;
            snprintf(names[count], sizeof names[count], "awsync:cancelled.%zu", count);
            count++;
            used = 0;
        }
        memcpy(values[count - 1] + used, range, (size_t)len);
        used += (size_t)len;
        values[count - 1][used - 1] = '\0';
        if (used < TAG_SIZE)
            values[count - 1][used - 1] = ' ';
        values[count - 1][used] = '\0';
    }
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(values[i]);
        while (len > 0 && values[i][len - 1] == ' ')
            values[i][--len] = '\0';
    }
    return count;
}

void inbox_tag(struct inbox *b) {
    char(*values)[TAG_SIZE + 1] = calloc(TAGS_MAX, sizeof *values);
    char(*names)[24] = calloc(TAGS_MAX, sizeof *names);
    struct sqs_pair tags[TAGS_MAX];
    b->tag_due = false;
    if (values != NULL && names != NULL) {
        size_t count = write_tags(b, values, names);
        for (size_t i = 0; i < count; i++)
            tags[i] = (struct sqs_pair){names[i], values[i]};
        struct flight *f = flight_begin(b);
        b->tagging = f != NULL && sqs_tag_queue(b->client, b->url, tags, count, on_tagged, f) != 0;
        if (f != NULL && !b->tagging)
            flight_drop(f);
    }
    free(values);
    free(names);
}

void inbox_cancel_scope(struct inbox *b, int64_t scope) {
    pthread_mutex_lock(&b->lock);
    size_t need = (size_t)scope / 8 + 1;
    if (need > b->cancelled_bytes) {
        size_t size = need * 2;
        unsigned char *grown = realloc(b->cancelled, size);
        if (grown == NULL)
            goto done; /* the call runs to its own end */
        memset(grown + b->cancelled_bytes, 0, size - b->cancelled_bytes);
        b->cancelled = grown;
        b->cancelled_bytes = size;
    }
    if (!is_cancelled(b, (size_t)scope)) {
        b->cancelled[scope / 8] |= (unsigned char)(1 << scope % 8);
        b->tag_due = true;
        inbox_step(b);
    }
done:
    pthread_mutex_unlock(&b->lock);
}
