/* `awsync logs`: what a function has written, from CloudWatch Logs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "host/base/clock.h"
#include "host/cli/cli.h"
#include "host/cli/cloud.h"
#include "host/cli/flags.h"

static const char help[] =
    "usage: awsync logs NAME [--since MINUTES] [--filter PATTERN] [--follow]\n\n"
    "Prints what the Lambda function NAME and all its instances have logged, in the order of "
    "time.\n\n"
    "  --since MINUTES    how far back (10)\n"
    "  --filter PATTERN   only what matches this filter pattern of CloudWatch Logs: `ERROR`, say\n"
    "  --follow           go on with what comes, until Ctrl-C\n\n"
    "CloudWatch Logs shows a line some seconds after it was written.\n"
    "Exit status: 0; 1 when the log cannot be read; 2 for wrong usage.\n";

/* Lines arrive late and out of order: a follower looks back so far each time. */
enum { POLL_MS = 2000, LOOK_BACK_MS = 15000, BODY_MAX = 64 << 10 };

struct seen { /* an event that was printed */
    UT_hash_handle hh;
    int64_t at;
    char id[];
};

struct logs {
    const char *name, *filter;
    bool follow;
    int minutes;
    struct aws_client *client;
    struct seen *seen;
    int64_t from; /* ms since 1970 */
};

static void forget(struct logs *logs, int64_t before) {
    struct seen *next;
    for (struct seen *seen = logs->seen; seen != NULL; seen = next) {
        next = seen->hh.next;
        if (seen->at < before) {
            HASH_DEL(logs->seen, seen);
            free(seen);
        }
    }
}

/* True when it was not printed before. */
static bool is_new(struct logs *logs, const char *id, int64_t at) {
    struct seen *seen;
    size_t len = strlen(id);
    HASH_FIND(hh, logs->seen, id, len, seen);
    if (seen != NULL)
        return false;
    seen = calloc(1, sizeof *seen + len + 1);
    if (seen != NULL) {
        memcpy(seen->id, id, len + 1);
        seen->at = at;
        HASH_ADD_KEYPTR(hh, logs->seen, seen->id, len, seen);
    }
    return true;
}

static void print_event(struct logs *logs, const struct json_value *event) {
    const struct json_value *at = json_get(event, "timestamp"),
                            *message = json_get(event, "message");
    const char *id = json_get_text(event, "eventId");
    if (message == NULL || message->type != JSON_T_STRING)
        return;
    int64_t time = at != NULL && at->type == JSON_T_INTEGER ? at->integer : 0;
    if (id != NULL && !is_new(logs, id, time))
        return;
    char stamp[CLOCK_ISO_SIZE];
    clock_iso_date(time, stamp);
    size_t len = message->len;
    while (len > 0 && (message->text[len - 1] == '\n' || message->text[len - 1] == '\r'))
        len--;
    printf("%s ", stamp);
    fwrite(message->text, 1, len, stdout);
    putchar('\n');
    if (time > logs->from + LOOK_BACK_MS)
        logs->from = time - LOOK_BACK_MS;
}

/* One page; *token, owned, is that of the next one or NULL. */
static bool read_page(struct logs *logs, char **token) {
    struct buf body;
    struct json_writer w;
    struct aws_answer answer;
    char group[128];
    snprintf(group, sizeof group, "/aws/lambda/%s", logs->name);
    buf_init(&body, BODY_MAX);
    json_writer_init(&w, &body);
    json_object_begin(&w);
    json_member(&w, "logGroupName", group);
    json_key(&w, "startTime");
    json_integer(&w, logs->from);
    if (logs->filter != NULL)
        json_member(&w, "filterPattern", logs->filter);
    if (*token != NULL)
        json_member(&w, "nextToken", *token);
    json_object_end(&w);
    free(*token);
    *token = NULL;
    cloud_logs(logs->client, "FilterLogEvents", &body, &answer);
    buf_free(&body);
    /* there is no group before the function's first call */
    bool none = logs->follow && cloud_is(&answer, "ResourceNotFound");
    bool ok = none || !cloud_failed(&answer, logs->name);
    struct json_tree *tree = answer.ok ? cloud_json(&answer) : NULL;
    if (answer.ok && tree == NULL) {
        cli_error("%s: the answer of CloudWatch Logs is no JSON", logs->name);
        ok = false;
    }
    const struct json_value *events = tree != NULL ? json_get(json_root(tree), "events") : NULL;
    for (const struct json_value *e = events != NULL ? events->child : NULL; e != NULL; e = e->next)
        print_event(logs, e);
    const char *next = tree != NULL ? json_get_text(json_root(tree), "nextToken") : NULL;
    if (next != NULL)
        *token = strdup(next);
    json_tree_free(tree);
    aws_answer_free(&answer);
    return ok;
}

/* All pages from logs->from on, which moves only when they are through. */
static bool read_all(struct logs *logs) {
    int64_t begin = logs->from, next = begin;
    char *token = NULL;
    bool ok;
    do {
        logs->from = begin;
        ok = read_page(logs, &token);
        next = logs->from > next ? logs->from : next;
    } while (ok && token != NULL);
    free(token);
    logs->from = next;
    forget(logs, next);
    if (!cli_output_flush())
        return false;
    return ok;
}

int cli_logs(int argc, char **argv) {
    struct logs logs = {.minutes = 10};
    bool asked;
    int first;
    const struct cli_flag flags[] = {
        {.name = "since", .number = &logs.minutes, .least = 0, .most = 1000000},
        {.name = "filter", .text = &logs.filter},
        {.name = "follow", .letter = 'f', .set = &logs.follow},
    };
    if (!cli_flags_read(flags, 3, argc, argv, &first, &asked))
        return CLI_USAGE;
    if (asked) {
        fputs(help, stdout);
        return CLI_OK;
    }
    if (first + 1 != argc) {
        cli_error("logs takes one NAME; see `awsync logs --help`");
        return CLI_USAGE;
    }
    logs.name = argv[first];
    if (!cloud_name_valid(logs.name))
        return CLI_USAGE;
    logs.client = aws_client_new(NULL);
    if (logs.client == NULL) {
        cli_error("out of memory");
        return CLI_FAILED;
    }
    logs.from = clock_wall_ms() - (int64_t)logs.minutes * 60000;
    bool ok = read_all(&logs);
    while (ok && logs.follow) {
        cloud_sleep(POLL_MS);
        ok = read_all(&logs);
    }
    forget(&logs, INT64_MAX);
    aws_client_free(logs.client);
    return ok ? CLI_OK : CLI_FAILED;
}
