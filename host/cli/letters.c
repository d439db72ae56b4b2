/* `awsync dead-letters`: what has failed max_receives times and waits for somebody to look at it. */
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/aws/aws.h"
#include "host/aws/sqs.h"
#include "host/base/buf.h"
#include "host/base/clock.h"
#include "host/channel/channel.h"
#include "host/cli/cli.h"
#include "host/cli/flags.h"
#include "host/json/json.h"

enum {
    ATTEMPTS = 10, /* throttling is waited out */
    PATIENCE_MS = 60000,
    SHORT = 60, /* bytes of a value in a line */
};

static const char help[] =
    "usage: awsync dead-letters [--run ID] [--json]\n\n"
    "Lists the queues of dead letters that channels with max_receives have left, by the "
    "credentials, region and\n"
    "endpoint of the environment: each with how many letters it has, and of up to ten of them how "
    "often they were\n"
    "received, since when they are there, and the beginning of the value. A letter stays where it "
    "is; being looked at\n"
    "counts as a receive.\n\n"
    "  --run ID    only those of this run\n"
    "  --json      one JSON object a line for each queue, with whole values\n\n"
    "Exit status: 0; 1 when a queue could not be listed or read; 2 for wrong usage.\n";

/* One call at a time, waited for. */
struct desk {
    struct aws_client *client;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool answered, failed;
    struct aws_error error;
    char **urls; /* owned */
    size_t count, room;
    char *token; /* owned */
    unsigned long long letters;
};

static void answer(struct desk *d, const struct aws_error *error) {
    d->answered = true;
    d->failed = error != NULL;
    if (error != NULL)
        d->error = *error;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

static bool await(struct desk *d, uint64_t id) {
    if (id == 0) {
        d->error = (struct aws_error){.code = AWS_CODE_MEMORY, .message = "out of memory"};
        return false;
    }
    pthread_mutex_lock(&d->lock);
    while (!d->answered)
        pthread_cond_wait(&d->changed, &d->lock);
    pthread_mutex_unlock(&d->lock);
    return !d->failed;
}

static bool is_dead_queue(const char *url) {
    static const char suffix[] = "-dead.fifo";
    size_t len = strlen(url), end = sizeof suffix - 1;
    return len > end && strcmp(url + len - end, suffix) == 0;
}

static bool keep_url(struct desk *d, const char *url) {
    if (d->count == d->room) {
        size_t room = d->room > 0 ? 2 * d->room : 16;
        char **grown = realloc(d->urls, room * sizeof *grown);
        if (grown == NULL)
            return false;
        d->urls = grown;
        d->room = room;
    }
    d->urls[d->count] = strdup(url);
    return d->urls[d->count] != NULL && ++d->count > 0;
}

static void on_list(void *context, const struct aws_error *error, const char *const *urls,
                    size_t count, const char *next_token) {
    static const struct aws_error memory = {.code = AWS_CODE_MEMORY, .message = "out of memory"};
    struct desk *d = context;
    pthread_mutex_lock(&d->lock);
    free(d->token);
    d->token = NULL;
    for (size_t i = 0; error == NULL && i < count; i++)
        if (is_dead_queue(urls[i]) && !keep_url(d, urls[i]))
            error = &memory;
    if (error == NULL && next_token != NULL && (d->token = strdup(next_token)) == NULL)
        error = &memory;
    answer(d, error);
}

static bool list(struct desk *d, const char *run) {
    char prefix[sizeof "awsync--" + CLI_RUN_MAX];
    snprintf(prefix, sizeof prefix, "awsync-%s%s", run != NULL ? run : "", run != NULL ? "-" : "");
    bool ok = true;
    do {
        char *token = d->token;
        d->token = NULL;
        d->answered = false;
        ok = await(d, sqs_list_queues(d->client, prefix, token, on_list, d));
        free(token);
    } while (ok && d->token != NULL);
    if (!ok)
        cli_error("the queues could not be listed: %s: %s", d->error.code, d->error.message);
    return ok;
}

static void on_count(void *context, const struct aws_error *error, const struct sqs_pair *pairs,
                     size_t count) {
    struct desk *d = context;
    pthread_mutex_lock(&d->lock);
    d->letters = 0;
    for (size_t i = 0; error == NULL && i < count; i++)
        d->letters += strtoull(pairs[i].value, NULL, 10);
    answer(d, error);
}

/* --- a queue ---------------------------------------------------------------------------------- */

static void print_text(const char *name, unsigned long long total,
                       const struct chan_letter *letters, size_t count) {
    printf("%s: %llu %s\n", name, total, total == 1 ? "letter" : "letters");
    for (size_t i = 0; i < count; i++) {
        char sent[CLOCK_ISO_SIZE];
        clock_iso_date(letters[i].sent_ms, sent);
        printf("  %s  received %d times  ", sent, letters[i].receives);
        size_t len = letters[i].len;
        if (len > SHORT)
            for (len = SHORT; len > 0 && (letters[i].data[len] & 0xC0) == 0x80;)
                len--; /* whole characters */
        for (size_t k = 0; k < len; k++)
            putchar(iscntrl((unsigned char)letters[i].data[k]) ? ' ' : letters[i].data[k]);
        puts(len < letters[i].len ? "..." : "");
    }
}

static bool print_json(const char *name, const char *url, unsigned long long total,
                       const struct chan_letter *letters, size_t count) {
    struct buf out;
    struct json_writer w;
    buf_init(&out, 64 << 20);
    json_writer_init(&w, &out);
    json_object_begin(&w);
    bool ok =
        json_member(&w, "queue", name) && json_member(&w, "url", url) && json_key(&w, "letters");
    json_integer(&w, (int64_t)total);
    ok = ok && json_key(&w, "shown");
    json_array_begin(&w);
    for (size_t i = 0; ok && i < count; i++) {
        char sent[CLOCK_ISO_SIZE];
        clock_iso_date(letters[i].sent_ms, sent);
        json_object_begin(&w);
        ok = json_member(&w, "since", sent) && json_key(&w, "receives");
        json_integer(&w, letters[i].receives);
        ok = ok && json_key(&w, "value") && json_string_n(&w, letters[i].data, letters[i].len);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    ok = ok && buf_ok(&out);
    if (ok)
        printf("%.*s\n", (int)out.len, out.data);
    else
        cli_error("out of memory");
    buf_free(&out);
    return ok;
}

/* Gone since it was listed: nothing to show, and no failure. */
static bool is_gone(const struct aws_error *error) {
    return error->code[0] != '\0' && sqs_is_no_queue(error);
}

static bool show(struct desk *d, const char *url, bool json, bool *shown) {
    static const char *const names[] = {"ApproximateNumberOfMessages",
                                        "ApproximateNumberOfMessagesNotVisible"};
    const char *slash = strrchr(url, '/'), *name = slash != NULL ? slash + 1 : url;
    struct chan_letter letters[SQS_BATCH_MAX];
    struct chan_error error = {0};
    size_t count = 0;
    *shown = false;
    d->answered = false;
    if (!await(d, sqs_get_attributes(d->client, url, names, 2, on_count, d))) {
        if (is_gone(&d->error))
            return true;
        cli_error("%s: %s: %s", name, d->error.code, d->error.message);
        return false;
    }
    if (d->letters == 0)
        return true;
    if (chan_dead_letters(d->client, url, clock_mono_ms() + PATIENCE_MS, false, letters, &count,
                          &error) != CHAN_OK) {
        if (is_gone(&error.aws))
            return true;
        cli_error("%s", error.text);
        return false;
    }
    bool ok = true;
    *shown = true;
    if (json)
        ok = print_json(name, url, d->letters, letters, count);
    else
        print_text(name, d->letters, letters, count);
    for (size_t i = 0; i < count; i++)
        free(letters[i].data);
    return ok;
}

static int work(struct desk *d, const char *run, bool json) {
    if (!list(d, run))
        return CLI_FAILED;
    bool ok = true;
    size_t queues = 0;
    for (size_t i = 0; i < d->count; i++) {
        bool shown;
        ok = show(d, d->urls[i], json, &shown) && ok;
        queues += shown;
    }
    if (!json)
        printf("%zu %s with dead letters\n", queues, queues == 1 ? "queue" : "queues");
    return cli_output_flush() && ok ? CLI_OK : CLI_FAILED;
}

int cli_dead_letters(int argc, char **argv) {
    const char *run = NULL;
    bool json = false, wants_help = false;
    const struct cli_flag flags[] = {
        {.name = "run", .text = &run},
        {.name = "json", .set = &json},
    };
    int first;
    if (!cli_flags_read(flags, sizeof flags / sizeof flags[0], argc, argv, &first, &wants_help))
        return CLI_USAGE;
    if (wants_help) {
        fputs(help, stdout);
        return CLI_OK;
    }
    if (first < argc) {
        cli_error("dead-letters takes no argument, and there is \"%s\"", argv[first]);
        return CLI_USAGE;
    }
    if (!cli_run_check(run))
        return CLI_USAGE;
    const char *attempts = getenv("AWS_MAX_ATTEMPTS");
    struct aws_options aws = {.max_attempts =
                                  attempts != NULL && attempts[0] != '\0' ? 0 : ATTEMPTS};
    struct desk d = {0};
    int status = CLI_FAILED;
    pthread_mutex_init(&d.lock, NULL);
    pthread_cond_init(&d.changed, NULL);
    d.client = aws_client_new(&aws);
    if (d.client != NULL)
        status = work(&d, run, json);
    else
        cli_error("out of memory");
    aws_client_free(d.client);
    for (size_t i = 0; i < d.count; i++)
        free(d.urls[i]);
    free(d.urls);
    free(d.token);
    pthread_cond_destroy(&d.changed);
    pthread_mutex_destroy(&d.lock);
    return status;
}
