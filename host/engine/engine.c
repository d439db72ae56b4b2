#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/thread.h>

#include "host/engine/engine.h"
#include "host/engine/fault.h"
#include "host/engine/front.h"
#include "host/engine/function.h"
#include "host/engine/internal.h"
#include "host/engine/sqs.h"

struct engine {
    struct engine_config config;
    struct figures figures;
    struct event_base *base;
    struct event *stop; /* made active by engine_stop */
    struct front *front;
    struct function *function; /* NULL: no Lambda */
    struct sqs_service *sqs;
    struct fault *fault; /* NULL: none are injected */
    pthread_t thread;
    bool running;
};

static void on_stop(evutil_socket_t fd, short what, void *context) {
    struct engine *engine = context;

    (void)fd;
    (void)what;
    event_base_loopbreak(engine->base);
}

/* Answers what waits, so that the front has no open call, and ends the workers. On the engine's
** thread while there is one: workers die with the thread that has started them. */
static void close_services(struct engine *engine) {
    function_free(engine->function);
    engine->function = NULL;
    if (engine->sqs != NULL)
        sqs_service_free(engine->sqs);
    engine->sqs = NULL;
    front_free(engine->front);
    engine->front = NULL;
}

static void *run(void *context) {
    struct engine *engine = context;
    sigset_t pipe;

    /* A client that has left is no reason to end the process. Workers get their signals unblocked. */
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    event_base_loop(engine->base, EVLOOP_NO_EXIT_ON_EMPTY);
    close_services(engine);
    return NULL;
}

/* A worker has several descriptors here. Returns the soft limit as it was, -1: unknown. */
static int64_t raise_open_files(void) {
    struct rlimit limit;
    int64_t before;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return -1;
    before = (int64_t)limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return before;
}

/* The three standard descriptors must be taken: a pipe of ours must not become a worker's stdin. */
static void fill_standard_files(void) {
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= 2);
    if (fd >= 0)
        close(fd);
}

static struct event_base *make_base(void) {
    struct event_config *config = NULL;
    struct event_base *base = NULL;

    if (evthread_use_pthreads() != 0 || (config = event_config_new()) == NULL)
        return NULL;
    /* Timers run from now on, not from the start of this turn of the loop: none is early. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
    base = event_base_new_with_config(config);
    event_config_free(config);
    /* Three: events have the middle one unless they say otherwise. */
    if (base != NULL && event_base_priority_init(base, 3) != 0) {
        event_base_free(base);
        base = NULL;
    }
    return base;
}

/* --- for struct sqs_service_options --- */

static void bill(void *context, unsigned operation, bool fifo, uint64_t units) {
    struct engine *engine = context;
    figures_request(&engine->figures, operation, fifo, units);
}

static bool is_twice(void *context, unsigned operation) {
    const struct engine *engine = context;
    return fault_twice(engine->fault, operation);
}

/* Everything but the thread. error_out is filled on failure. */
static bool prepare(struct engine *engine, const struct engine_options *options, char *error_out,
                    size_t error_size) {
    int port = options->port;
    int64_t nofile_soft = raise_open_files();

    snprintf(error_out, error_size, "out of memory");
    fill_standard_files();
    if (!engine_config_init(&engine->config, options))
        return false;
    engine->base = make_base();
    if (engine->base == NULL)
        return false;
    engine->stop = event_new(engine->base, -1, EV_PERSIST, on_stop, engine);
    engine->front = front_new(engine->base, &engine->config, &engine->figures, &port);
    if (engine->front == NULL) {
        int error = errno;
        char text[128];
        if (error == EADDRINUSE)
            snprintf(error_out, error_size, "port %d is in use", options->port);
        else
            snprintf(error_out, error_size, "port %d: %s", options->port,
                     strerror_r(error, text, sizeof(text)));
        return false;
    }
    if (engine->stop == NULL || !engine_config_set_port(&engine->config, port, options))
        return false;
    if (options->fault != NULL && (engine->fault = fault_new(options->fault)) == NULL)
        return false;
    engine->sqs = sqs_service_new(engine->base, &(struct sqs_service_options){
                                                    .lenient = options->lenient,
                                                    .bill = bill,
                                                    .twice = is_twice,
                                                    .context = engine,
                                                });
    if (engine->sqs == NULL)
        return false;
    if (engine->config.function_name != NULL) {
        engine->function =
            function_new(engine->base, &engine->config, &engine->figures, engine->sqs, nofile_soft);
        if (engine->function == NULL)
            return false;
    }
    return front_open(engine->front, &(struct front_services){.sqs = engine->sqs,
                                                              .function = engine->function,
                                                              .fault = engine->fault});
}

static bool check_options(const struct engine_options *options, char *error_out,
                          size_t error_size) {
    const char *problem = NULL;

    if (options->port < 0 || options->port > 65535)
        problem = "the port must be 0 to 65535";
    else if ((options->access_key_id == NULL) != (options->secret_access_key == NULL))
        problem = "access key id and secret belong together";
    else if (options->function_name != NULL &&
             (options->command == NULL || options->command[0] == NULL))
        problem = "the function has no command";
    else if (options->function_name != NULL && strlen(options->function_name) > ENGINE_NAME_MAX)
        problem = "the name of the function has over 64 characters";
    else if (options->max_retries < 0 || options->max_retries > 2)
        problem = "retries must be 0 to 2";
    else if (options->reserved < 0)
        problem = "the reserved concurrency must not be negative";
    if (problem != NULL)
        snprintf(error_out, error_size, "%s", problem);
    return problem == NULL;
}

struct engine *engine_start(const struct engine_options *options, char *error_out,
                            size_t error_size) {
    struct engine *engine;

    if (!check_options(options, error_out, error_size))
        return NULL;
    engine = calloc(1, sizeof(*engine));
    if (engine == NULL) {
        snprintf(error_out, error_size, "out of memory");
        return NULL;
    }
    figures_init(&engine->figures);
    if (prepare(engine, options, error_out, error_size)) {
        int error = pthread_create(&engine->thread, NULL, run, engine);
        engine->running = error == 0;
        if (engine->running)
            return engine;
        snprintf(error_out, error_size, "no thread could be started");
    }
    engine_stop(engine);
    return NULL;
}

void engine_stop(struct engine *engine) {
    if (engine == NULL)
        return;
    if (engine->running) {
        /* Stays active until the loop runs, should that not have begun yet. */
        event_active(engine->stop, EV_TIMEOUT, 0);
        pthread_join(engine->thread, NULL);
    } else {
        close_services(engine);
    }
    if (engine->stop != NULL)
        event_free(engine->stop);
    if (engine->base != NULL)
        event_base_free(engine->base);
    engine_config_free(&engine->config);
    figures_destroy(&engine->figures);
    fault_free(engine->fault);
    free(engine);
}

int engine_port(const struct engine *engine) {
    return engine->config.port;
}

const char *engine_endpoint(const struct engine *engine) {
    return engine->config.endpoint;
}

const char *engine_region(const struct engine *engine) {
    return engine->config.region;
}

const char *engine_access_key_id(const struct engine *engine) {
    return engine->config.access_key_id;
}

const char *engine_secret_access_key(const struct engine *engine) {
    return engine->config.secret_access_key;
}

void engine_figures(struct engine *engine, struct engine_figures *out) {
    figures_read(&engine->figures, out);
}

void engine_usage(struct engine *engine, struct engine_usage *out) {
    figures_usage(&engine->figures, out);
    out->memory_mb = engine->config.memory_mb;
}

void engine_faults(struct engine *engine, uint64_t *counts_out) {
    fault_read(engine->fault, counts_out);
}

bool engine_wait_idle(struct engine *engine, int64_t timeout_ms) {
    return figures_wait_idle(&engine->figures, timeout_ms);
}
