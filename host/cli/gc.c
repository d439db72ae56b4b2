/* `awsync gc`: deletes the queues that runs have left behind. Ours is what carries our tags (see
** host/channel/queue.c), never what is merely named like ours. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/aws/aws.h"
#include "host/aws/sqs.h"
#include "host/base/clock.h"
#include "host/cli/cli.h"
#include "host/cli/flags.h"

enum {
    UNDER_WAY = 16,          /* queues looked at at once */
    ATTEMPTS = 10,           /* throttling is waited out */
    SKEW_MS = 5 * 60 * 1000, /* this machine's clock may be ahead of the lambdas' */
    TAG_SIZE = 257,          /* of a value */
};

static const char help[] =
    "usage: awsync gc [--run ID] [--older-than T] [--dry-run]\n\n"
    "Deletes the SQS queues that runs of awsync have left behind, by the credentials, region and "
    "endpoint of the\n"
    "environment: queues that carry awsync's tags and whose time (tag awsync:expires) is over "
    "since "
    "five minutes.\n"
    "Queues of other programs are never touched, however they are named. Dead letters that nobody "
    "has taken are\n"
    "kept, unless --run or --older-than asks for their queue. A function's queue of claims goes by "
    "`awsync delete`.\n\n"
    "  --run ID           the queues of this run, expired or not\n"
    "  --older-than T     queues made longer ago than T (30s, 15m, 2h, 1d), expired or not\n"
    "  --dry-run          say what would be deleted, delete nothing\n\n"
    "Exit status: 0; 1 when a queue could not be listed, read or deleted; 2 for wrong usage.\n";

struct options {
    const char *run;  /* NULL: any */
    int64_t older_ms; /* -1: by expiry */
    bool dry_run, help;
};

/* --- options ---------------------------------------------------------------------------------- */

/* `15m` in milliseconds; -1: it is none. */
static int64_t read_duration(const char *text) {
    static const struct {
        char letter;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60 * 1000}, {'h', 3600 * 1000}, {'d', 24 * 3600 * 1000}};
    int64_t value = 0;
    const char *c = text;
    for (; *c >= '0' && *c <= '9' && c - text < 9; c++)
        value = value * 10 + (*c - '0');
    if (c == text || c[0] == '\0' || c[1] != '\0')
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (*c == units[i].letter)
            return value * units[i].ms;
    return -1;
}

static bool read_options(struct options *out, int argc, char **argv) {
    const char *older = NULL;
    const struct cli_flag flags[] = {
        {.name = "run", .text = &out->run},
        {.name = "older-than", .text = &older},
        {.name = "dry-run", .set = &out->dry_run},
    };
    int first;
    *out = (struct options){.older_ms = -1};
    if (!cli_flags_read(flags, 3, argc, argv, &first, &out->help))
        return false;
    if (out->help)
        return true;
    if (!cli_run_check(out->run))
        return false;
    if (older != NULL && (out->older_ms = read_duration(older)) < 0) {
        cli_error("--older-than takes a time like 30s, 15m, 2h or 1d, not \"%s\"", older);
        return false;
    }
    if (first < argc)
        cli_error("gc takes no argument, and there is \"%s\"", argv[first]);
    return first == argc;
}

/* --- queues ----------------------------------------------------------------------------------- */

enum outcome {
    PENDING,
    FOREIGN, /* no tags of ours */
    KEPT,    /* not asked for */
    LETTERS, /* kept: it has dead letters */
    VANISHED,
    DELETED, /* with --dry-run: would be */
    FAILED,
};

struct gc;

struct queue {
    struct gc *gc;
    char *url;
    const char *name; /* within url */
    /* "": no tag */
    char run[TAG_SIZE], function[TAG_SIZE], created[TAG_SIZE], expires[TAG_SIZE], kind[TAG_SIZE];
    unsigned long long letters;
    enum outcome outcome;
    struct aws_error error; /* of FAILED */
};

struct gc {
    const struct options *options;
    struct aws_client *client;
    int64_t now_ms;
    struct queue **queues; /* owned */
    size_t count, room;
    pthread_mutex_t lock; /* guards what follows, and outcomes */
    pthread_cond_t changed;
    bool listed;
    char *token; /* of the next page; owned */
    struct aws_error list_error;
    bool list_failed;
};

static void settle(struct queue *q, enum outcome outcome, const struct aws_error *error) {
    struct gc *gc = q->gc;
    pthread_mutex_lock(&gc->lock);
    q->outcome = outcome;
    if (error != NULL)
        q->error = *error;
    pthread_cond_broadcast(&gc->changed);
    pthread_mutex_unlock(&gc->lock);
}

static void settle_error(struct queue *q, const struct aws_error *error) {
    static const struct aws_error no_memory = {.code = AWS_CODE_MEMORY, .message = "out of memory"};
    if (error != NULL && sqs_is_no_queue(error))
        settle(q, VANISHED, NULL);
    else
        settle(q, FAILED, error != NULL ? error : &no_memory);
}

static void on_deleted(void *context, const struct aws_error *error) {
    struct queue *q = context;
    if (error != NULL)
        settle_error(q, error);
    else
        settle(q, DELETED, NULL);
}

static void delete_queue(struct queue *q) {
    if (q->gc->options->dry_run)
        settle(q, DELETED, NULL);
    else if (sqs_delete_queue(q->gc->client, q->url, on_deleted, q) == 0)
        settle_error(q, NULL);
}

static void on_letters(void *context, const struct aws_error *error, const struct sqs_pair *pairs,
                       size_t count) {
    struct queue *q = context;
    if (error != NULL) {
        settle_error(q, error);
        return;
    }
    for (size_t i = 0; i < count; i++)
        q->letters += strtoull(pairs[i].value, NULL, 10);
    if (q->letters > 0)
        settle(q, LETTERS, NULL);
    else
        delete_queue(q);
}

static void check_letters(struct queue *q) {
    static const char *const names[] = {"ApproximateNumberOfMessages",
                                        "ApproximateNumberOfMessagesNotVisible"};
    if (sqs_get_attributes(q->gc->client, q->url, names, 2, on_letters, q) == 0)
        settle_error(q, NULL);
}

/* Companion of a channel with max_receives: what could not be worked off. */
static bool has_dead_letters(const struct queue *q) {
    static const char suffix[] = "-dead.fifo";
    size_t len = strlen(q->name), end = sizeof suffix - 1;
    return len > end && strcmp(q->name + len - end, suffix) == 0;
}

static bool is_wanted(const struct queue *q) {
    const struct options *o = q->gc->options;
    int64_t expires = clock_parse_iso(q->expires);
    if (strcmp(q->kind, "claims") == 0)
        return false; /* a function's, not a run's: `awsync delete` */
    if (o->run != NULL && strcmp(q->run, o->run) != 0)
        return false;
    if (o->older_ms >= 0)
        return clock_parse_iso(q->created) < q->gc->now_ms - o->older_ms;
    return o->run != NULL || (expires > 0 && expires < q->gc->now_ms - SKEW_MS);
}

static void keep_tag(struct queue *q, const struct sqs_pair *tag) {
    const struct {
        const char *name;
        char *out;
    } known[] = {{"awsync:run", q->run},
                 {"awsync:function", q->function},
                 {"awsync:created", q->created},
                 {"awsync:expires", q->expires},
                 {"awsync:kind", q->kind}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(tag->name, known[i].name) == 0)
            snprintf(known[i].out, TAG_SIZE, "%s", tag->value);
}

static void on_tags(void *context, const struct aws_error *error, const struct sqs_pair *pairs,
                    size_t count) {
    struct queue *q = context;
    const struct options *o = q->gc->options;
    if (error != NULL) {
        settle_error(q, error);
        return;
    }
    for (size_t i = 0; i < count; i++)
        keep_tag(q, &pairs[i]);
    if (clock_parse_iso(q->created) < 0)
        settle(q, FOREIGN, NULL);
    else if (!is_wanted(q))
        settle(q, KEPT, NULL);
    else if (has_dead_letters(q) && o->run == NULL && o->older_ms < 0)
        check_letters(q);
    else
        delete_queue(q);
}

static void look_at(struct queue *q) {
    if (sqs_list_tags(q->gc->client, q->url, on_tags, q) == 0)
        settle_error(q, NULL);
}

/* --- the list --------------------------------------------------------------------------------- */

static bool add_queue(struct gc *gc, const char *url) {
    if (gc->count == gc->room) {
        size_t room = gc->room > 0 ? 2 * gc->room : 64;
        struct queue **grown = realloc(gc->queues, room * sizeof *grown);
        if (grown == NULL)
            return false;
        gc->queues = grown;
        gc->room = room;
    }
    struct queue *q = calloc(1, sizeof *q);
    if (q == NULL || (q->url = strdup(url)) == NULL) {
        free(q);
        return false;
    }
    const char *slash = strrchr(q->url, '/');
    q->gc = gc;
    q->name = slash != NULL ? slash + 1 : q->url;
    gc->queues[gc->count++] = q;
    return true;
}

static void list_fails(struct gc *gc, const struct aws_error *error) {
    gc->list_failed = true;
    if (error != NULL)
        gc->list_error = *error;
    else
        snprintf(gc->list_error.code, sizeof gc->list_error.code, "%s", AWS_CODE_MEMORY);
}

static void on_list(void *context, const struct aws_error *error, const char *const *urls,
                    size_t count, const char *next_token) {
    struct gc *gc = context;
    pthread_mutex_lock(&gc->lock);
    free(gc->token);
    gc->token = NULL;
    if (error != NULL)
        list_fails(gc, error);
    for (size_t i = 0; error == NULL && i < count; i++)
        if (!add_queue(gc, urls[i])) {
            list_fails(gc, NULL);
            next_token = NULL;
            break;
        }
    if (error == NULL && next_token != NULL && (gc->token = strdup(next_token)) == NULL)
        list_fails(gc, NULL);
    gc->listed = true;
    pthread_cond_broadcast(&gc->changed);
    pthread_mutex_unlock(&gc->lock);
}

/* All pages, before anything is deleted: a page's token counts queues. */
static bool list_queues(struct gc *gc) {
    char prefix[32];
    char *token = NULL;
    snprintf(prefix, sizeof prefix, "awsync-%s%s", gc->options->run != NULL ? gc->options->run : "",
             gc->options->run != NULL ? "-" : "");
    do {
        gc->listed = false;
        bool sent = sqs_list_queues(gc->client, prefix, token, on_list, gc) != 0;
        pthread_mutex_lock(&gc->lock);
        while (sent && !gc->listed)
            pthread_cond_wait(&gc->changed, &gc->lock);
        free(token);
        token = gc->token;
        gc->token = NULL;
        if (!sent)
            list_fails(gc, NULL);
        pthread_mutex_unlock(&gc->lock);
    } while (token != NULL && !gc->list_failed);
    free(token);
    if (gc->list_failed)
        cli_error("the queues could not be listed: %s: %s", gc->list_error.code,
                  gc->list_error.message);
    return !gc->list_failed;
}

/* --- report ----------------------------------------------------------------------------------- */

static void print_line(const struct queue *q, const char *what) {
    const struct {
        const char *name, *value;
    } tags[] = {{"run", q->run},
                {"function", q->function},
                {"created", q->created},
                {"expires", q->expires}};
    printf("%s %s", what, q->name);
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        if (tags[i].value[0] != '\0')
            printf(" %s=%s", tags[i].name, tags[i].value);
    if (q->letters > 0)
        printf(" letters=%llu", q->letters);
    putchar('\n');
}

static void report(const struct queue *q) {
    bool dry = q->gc->options->dry_run;
    switch (q->outcome) {
    case DELETED:
        print_line(q, dry ? "would delete" : "deleted");
        break;
    case LETTERS:
        print_line(q, "kept");
        break;
    case FAILED:
        cli_error("%s: %s: %s", q->name, q->error.code, q->error.message);
        break;
    default:
        break;
    }
}

static const char *plural(size_t count) {
    return count == 1 ? "queue" : "queues";
}

static int work(struct gc *gc) {
    size_t begun = 0, totals[FAILED + 1] = {0};
    if (!list_queues(gc))
        return CLI_FAILED;
    for (size_t i = 0; i < gc->count; i++) {
        while (begun < gc->count && begun < i + UNDER_WAY)
            look_at(gc->queues[begun++]);
        pthread_mutex_lock(&gc->lock);
        while (gc->queues[i]->outcome == PENDING)
            pthread_cond_wait(&gc->changed, &gc->lock);
        pthread_mutex_unlock(&gc->lock);
        totals[gc->queues[i]->outcome]++;
        report(gc->queues[i]);
    }
    size_t kept = totals[KEPT] + totals[LETTERS];
    printf("%zu %s %s, %zu kept, %zu not ours", totals[DELETED], plural(totals[DELETED]),
           gc->options->dry_run ? "would be deleted" : "deleted", kept, totals[FOREIGN]);
    if (totals[VANISHED] > 0)
        printf(", %zu gone meanwhile", totals[VANISHED]);
    if (totals[FAILED] > 0)
        printf(", %zu failed", totals[FAILED]);
    putchar('\n');
    if (!cli_output_flush())
        return CLI_FAILED;
    return totals[FAILED] > 0 ? CLI_FAILED : CLI_OK;
}

int cli_gc(int argc, char **argv) {
    struct options options;
    if (!read_options(&options, argc, argv))
        return CLI_USAGE;
    if (options.help) {
        fputs(help, stdout);
        return CLI_OK;
    }
    const char *attempts = getenv("AWS_MAX_ATTEMPTS");
    struct aws_options aws = {.max_attempts =
                                  attempts != NULL && attempts[0] != '\0' ? 0 : ATTEMPTS};
    struct gc gc = {.options = &options, .now_ms = clock_wall_ms()};
    int status = CLI_FAILED;
    pthread_mutex_init(&gc.lock, NULL);
    pthread_cond_init(&gc.changed, NULL);
    gc.client = aws_client_new(&aws);
    if (gc.client != NULL)
        status = work(&gc);
    else
        cli_error("out of memory");
    aws_client_free(gc.client);
    for (size_t i = 0; i < gc.count; i++) {
        free(gc.queues[i]->url);
        free(gc.queues[i]);
    }
    free(gc.queues);
    free(gc.token);
    pthread_cond_destroy(&gc.changed);
    pthread_mutex_destroy(&gc.lock);
    return status;
}
