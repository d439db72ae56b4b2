/* ListQueues and ListDeadLetterSourceQueues: pages of queue URLs, by name. */
#include "host/engine/sqs_state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/base64.h"

/* A token is the name of the last queue shown, wrapped so that nobody builds on it. */
#define TOKEN_PREFIX "after:"

struct page {
    size_t max;   /* URLs */
    bool limited; /* MaxResults was given: the rest is told by a token */
    char *after;  /* owned; names up to this one were shown; NULL: the first page */
};

static bool invalid_token(struct sqs_request *request) {
    sqs_fail(request, "InvalidParameterValueException", "Invalid or expired next token.");
    return false;
}

/* False: the request has failed. */
static bool read_page(struct sqs_request *request, struct page *page) {
    const struct json_value *max = sqs_get(request->input, "MaxResults"),
                            *token = sqs_get(request->input, "NextToken");
    *page = (struct page){.max = SQS_PAGE_MAX, .limited = max != NULL};
    if (max && (max->integer < 1 || max->integer > SQS_PAGE_MAX)) {
        sqs_fail(request, "InvalidParameterValueException",
                 "Value %" PRId64 " for parameter MaxResults is invalid. Reason: MaxResults must "
                 "be an integer between 1 and 1000.",
                 max->integer);
        return false;
    }
    if (max)
        page->max = (size_t)max->integer;
    if (!token)
        return true;
    if (!max) {
        sqs_fail(request, "InvalidParameterValueException",
                 "MaxResults is a mandatory parameter when you provide a value for NextToken.");
        return false;
    }
    struct buf text;
    const size_t prefix_len = strlen(TOKEN_PREFIX);
    buf_init(&text, 1024);
    bool ok = base64_decode(&text, token->text, token->len) && text.len > prefix_len &&
              memcmp(text.data, TOKEN_PREFIX, prefix_len) == 0;
    if (!ok)
        invalid_token(request);
    page->after = ok ? strdup(text.data + prefix_len) : NULL;
    buf_free(&text);
    if (ok && !page->after)
        sqs_fail_memory(request);
    return page->after != NULL;
}

static int by_name(const void *a, const void *b) {
    const struct sqs_entry *x = *(const struct sqs_entry *const *)a,
                           *y = *(const struct sqs_entry *const *)b;
    return strcmp(x->name, y->name);
}

static void write_page(struct sqs_request *request, const char *member, const struct page *page,
                       const struct sqs_entry *const *found, size_t count) {
    struct buf text;
    size_t shown = count < page->max ? count : page->max;
    if (shown == 0)
        return;
    buf_init(&text, 1024);
    json_key(request->out, member);
    json_array_begin(request->out);
    for (size_t i = 0; i < shown; i++) {
        buf_reset(&text);
        sqs_entry_url(request, found[i]->name, &text);
        json_string(request->out, buf_text(&text));
    }
    json_array_end(request->out);
    if (shown < count && page->limited) {
        struct buf token;
        buf_init(&token, 1024);
        buf_reset(&text);
        buf_addf(&text, TOKEN_PREFIX "%s", found[shown - 1]->name);
        base64_encode(&token, buf_text(&text), text.len);
        json_member(request->out, "NextToken", buf_text(&token));
        buf_free(&token);
    }
    buf_free(&text);
}

/* The queues that begin with prefix, or (source_of given) whose dead letters go to it. */
static enum sqs_outcome list(struct sqs_request *request, const char *member, const char *prefix,
                             const struct sqs_entry *source_of) {
    struct page page;
    if (!read_page(request, &page))
        return SQS_FAILED;
    size_t count = 0;
    const struct sqs_entry **found =
        malloc((HASH_COUNT(request->service->entries) + 1) * sizeof(*found));
    bool ok = found != NULL;
    if (ok) {
        for (const struct sqs_entry *e = request->service->entries; e; e = e->hh.next) {
            const char *target = e->attributes.dead_letter_arn;
            if (strncmp(e->name, prefix, strlen(prefix)) != 0 ||
                (page.after && strcmp(e->name, page.after) <= 0) ||
                (source_of && (!target || strcmp(target, source_of->arn) != 0)))
                continue;
            found[count++] = e;
        }
        qsort(found, count, sizeof(*found), by_name);
        write_page(request, member, &page, found, count);
    }
    free(page.after);
    free(found);
    return ok ? SQS_ANSWERED : sqs_fail_memory(request);
}

enum sqs_outcome sqs_op_list_queues(struct sqs_request *request) {
    const char *prefix = sqs_get_text(request->input, "QueueNamePrefix");
    return list(request, "QueueUrls", prefix ? prefix : "", NULL);
}

enum sqs_outcome sqs_op_list_dead_letter_source_queues(struct sqs_request *request) {
    const struct sqs_entry *entry = sqs_entry_of(request);
    return entry ? list(request, "queueUrls", "", entry) : SQS_FAILED;
}
