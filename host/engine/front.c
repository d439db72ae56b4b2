#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "host/base/buf.h"
#include "host/base/random.h"
#include "host/engine/auth.h"
#include "host/engine/call.h"
#include "host/engine/fault.h"
#include "host/engine/front.h"
#include "host/engine/http.h"
#include "host/engine/lambda_call.h"
#include "host/engine/sqs.h"
#include "host/engine/sts.h"

/* Lambda takes requests of 70,167,211 bytes: what is larger than a payload or a message may be is
** refused by the service, in its own words. */
#define MAX_BODY    (70167211)
#define BACKLOG     4096
#define MAX_HEADERS 64 /* on the stack; more cost a malloc */

TAILQ_HEAD(call_list, service_call);

struct front {
    struct event_base *base;
    struct http_server *http;
    const struct engine_config *config;
    struct figures *figures;
    struct front_services services;
    struct auth *auth;
    struct call_list delayed; /* held up by a fault */
    struct random_pool ids;
};

struct service_call {
    struct front *front;
    struct http_request *request;
    const char *body; /* of the request's buffer */
    size_t body_len;
    char *query; /* within path's memory */
    void (*gone)(void *context);
    void *gone_context;
    bool by_worker;
    enum auth_service service;
    struct fault_fate fate;
    struct event *delay;            /* while the call is held up */
    TAILQ_ENTRY(service_call) link; /* in the front's delayed, then */
    char request_id[RANDOM_UUID_SIZE];
    char path[]; /* the target, cut at its `?` */
};

/* --- service.h: what a service reads ---------------------------------------------------------- */

const char *service_method(const struct service_call *call) {
    return http_method(call->request);
}

const char *service_path(const struct service_call *call) {
    return call->path;
}

const char *service_query(const struct service_call *call) {
    return call->query;
}

const char *service_header(const struct service_call *call, const char *name) {
    return http_header(call->request, name);
}

const char *service_body(const struct service_call *call, size_t *len_out) {
    *len_out = call->body_len;
    return call->body;
}

const char *service_request_id(const struct service_call *call) {
    return call->request_id;
}

const char *service_host(const struct service_call *call) {
    const char *host = service_header(call, "Host");
    return host != NULL ? host : "127.0.0.1";
}

/* The scope of a call that was let in names the engine's region, that of one refused nothing sure.
 */
const char *service_region(const struct service_call *call) {
    return call->front->config->region;
}

const char *service_account(const struct service_call *call) {
    return call->front->config->account;
}

bool call_by_worker(const struct service_call *call) {
    return call->by_worker;
}

/* --- service.h: what a service answers -------------------------------------------------------- */

void service_set_header(struct service_call *call, const char *name, const char *value) {
    http_set_header(call->request, name, value);
}

static const char *reason_text(int status) {
    static const struct {
        int status;
        const char *text;
    } reasons[] = {
        {200, "OK"},
        {202, "Accepted"},
        {204, "No Content"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {413, "Request Entity Too Large"},
        {429, "Too Many Requests"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return status < 500 ? "Error" : "Internal Server Error";
}

/* Half of the answer, then no more. */
static void cut_within(const struct service_call *call, int status, const char *body, size_t len) {
    struct buf bytes;

    buf_init(&bytes, MAX_BODY);
    buf_addf(&bytes, "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\n", status, reason_text(status), len);
    if (len > 1) {
        buf_adds(&bytes, "\r\n");
        buf_add(&bytes, body, len / 2);
    }
    http_cut(call->request, buf_text(&bytes), bytes.len);
    buf_free(&bytes);
}

void service_answer(struct service_call *call, int status, const char *content_type,
                    const void *body, size_t len) {
    struct http_request *request = call->request;
    const struct front *front = call->front;

    /* Who has read the answer finds its effects in the figures. */
    if (call->service == AUTH_SQS)
        figures_queues(front->figures, sqs_service_queue_count(front->services.sqs));
    service_set_header(call, "x-amzn-RequestId", call->request_id);
    if (content_type != NULL && len > 0)
        service_set_header(call, "Content-Type", content_type);
    if (call->fate.ending == FAULT_DROP)
        http_cut(request, NULL, 0);
    else if (call->fate.ending == FAULT_CUT)
        cut_within(call, status, body, len);
    free(call);
    http_answer(request, status, reason_text(status), body, len);
}

static void connection_gone(struct http_request *request, void *context) {
    struct service_call *call = context;

    (void)request; /* it is over with the answer */
    call->gone(call->gone_context);
}

void service_on_gone(struct service_call *call, void (*gone)(void *context), void *context) {
    call->gone = gone;
    call->gone_context = context;
    http_watch(call->request, connection_gone, call);
}

/* --- requests --------------------------------------------------------------------------------- */

static bool is_digits(const char *text, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return true;
}

/* `/2015-03-31/...`: Lambda's paths begin with a date, nobody else's do. */
static bool is_lambda_path(const char *path) {
    return strlen(path) > 11 && path[0] == '/' && is_digits(path + 1, 4) && path[5] == '-' &&
           is_digits(path + 6, 2) && path[8] == '-' && is_digits(path + 9, 2) && path[11] == '/';
}

/* What AWS tells by the host, the engine has to tell by the request's form. */
static enum auth_service service_of(const struct service_call *call) {
    const char *authorization;

    if (is_lambda_path(call->path))
        return AUTH_LAMBDA;
    if (service_header(call, "X-Amz-Target") != NULL)
        return AUTH_SQS;
    authorization = service_header(call, "Authorization");
    if (authorization != NULL)
        return strstr(authorization, "/sts/aws4_request") != NULL ? AUTH_STS : AUTH_SQS;
    return strstr(call->query, "Action=GetCallerIdentity") != NULL ||
                   strstr(call->body, "Action=GetCallerIdentity") != NULL
               ? AUTH_STS
               : AUTH_SQS;
}

static void verify(struct front *front, enum auth_service service, struct http_request *request,
                   const struct service_call *call, struct auth_result *out) {
    struct sigv4_header on_stack[MAX_HEADERS];
    struct sigv4_header *headers = on_stack;
    size_t count;
    const struct http_field *fields = http_fields(request, &count);

    if (count > MAX_HEADERS && (headers = malloc(count * sizeof(*headers))) == NULL) {
        *out = (struct auth_result){.result = SIGV4_NO_MEMORY};
        return;
    }
    for (size_t i = 0; i < count; i++)
        headers[i] = (struct sigv4_header){fields[i].name, fields[i].value};

    auth_verify(front->auth, service,
                &(struct sigv4_request){.method = service_method(call),
                                        .target = http_target(request),
                                        .headers = headers,
                                        .header_count = count,
                                        .body = call->body,
                                        .body_len = call->body_len},
                out);
    if (headers != on_stack)
        free(headers);
}

static struct service_call *call_new(struct front *front, struct http_request *request) {
    const char *target = http_target(request);
    size_t len = strlen(target);
    struct service_call *call = malloc(sizeof(*call) + len + 2);
    char *mark;

    if (call == NULL)
        return NULL;
    *call =
        (struct service_call){.front = front, .request = request, .fate = {.ending = FAULT_KINDS}};
    random_pool_uuid(&front->ids, call->request_id);
    memcpy(call->path, target, len + 1);
    call->path[len + 1] = '\0'; /* the query of a target that has none */
    mark = memchr(call->path, '?', len);
    if (mark != NULL)
        *mark = '\0';
    call->query = mark != NULL ? mark + 1 : call->path + len + 1;
    call->body = http_body(request, &call->body_len);
    return call;
}

/* --- injected faults --------------------------------------------------------------------------- */

bool call_is_twice(struct service_call *call) {
    return fault_twice(call->front->services.fault, FAULT_INVOKE);
}

static void serve(struct front *front, struct service_call *call) {
    switch (call->service) {
    case AUTH_LAMBDA:
        lambda_call(front->config, front->services.function, call);
        break;
    case AUTH_STS:
        sts_call(front->config, call);
        break;
    case AUTH_SQS:
        sqs_service_call(front->services.sqs, call);
        break;
    }
}

static void refuse(struct service_call *call, int status, const char *sqs_code,
                   const char *lambda_type, const char *reason, const char *message) {
    if (call->service == AUTH_LAMBDA)
        lambda_error(call, status, lambda_type, reason, message);
    else
        sqs_service_error(call, sqs_code, message);
}

/* What happens to the call before it has an effect. False: nothing does. */
static bool end_early(struct service_call *call) {
    const struct fault_fate *fate = &call->fate;

    if (fate->ending == FAULT_THROTTLE) {
        refuse(call, 429, "RequestThrottled", "TooManyRequestsException",
               "FunctionInvocationRateLimitExceeded", "Rate exceeded (an injected fault).");
    } else if (fate->ending == FAULT_ERROR) {
        bool busy = fate->status == 503;
        refuse(call, fate->status, busy ? "ServiceUnavailable" : "InternalFailure",
               busy ? "ServiceUnavailable" : "ServiceException", NULL,
               "The service has failed (an injected fault).");
    } else if (fate->ending == FAULT_CUT && !fate->late) {
        call->fate.ending = FAULT_DROP;
        service_answer(call, 500, NULL, NULL, 0);
    } else {
        return false;
    }
    return true;
}

static void delay_over(evutil_socket_t fd, short what, void *context) {
    struct service_call *call = context;
    struct front *front = call->front;

    (void)fd;
    (void)what;
    TAILQ_REMOVE(&front->delayed, call, link);
    event_free(call->delay);
    call->delay = NULL;
    if (!end_early(call))
        serve(front, call);
}

/* True when the call's fate is taken care of: it is not to be served now. */
static bool meet_fault(struct front *front, struct service_call *call) {
    unsigned operation = FAULT_INVOKE;
    struct timeval wait;

    if (call->service == AUTH_STS || (call->service == AUTH_LAMBDA && !lambda_is_invoke(call)))
        return false;
    if (call->service == AUTH_SQS)
        operation = sqs_service_operation(call);
    call->fate = fault_decide(front->services.fault, operation, call->by_worker);
    if (call->fate.delay_ms == 0)
        return end_early(call);
    wait = (struct timeval){.tv_sec = (time_t)(call->fate.delay_ms / 1000),
                            .tv_usec = (suseconds_t)(call->fate.delay_ms % 1000 * 1000)};
    call->delay = evtimer_new(front->base, delay_over, call);
    if (call->delay == NULL)
        return end_early(call); /* no memory: it is not held up */
    evtimer_add(call->delay, &wait);
    TAILQ_INSERT_TAIL(&front->delayed, call, link);
    return true;
}

static void on_request(struct http_request *request, void *context) {
    struct front *front = context;
    struct service_call *call = call_new(front, request);
    struct auth_result who;
    enum auth_service service;

    if (call == NULL) {
        http_answer(request, 500, reason_text(500), "", 0);
        return;
    }
    service = service_of(call);
    verify(front, service, request, call, &who);
    if (who.result != SIGV4_OK) {
        auth_refuse(front->auth, service, &who, call);
        return;
    }
    call->by_worker = who.by_worker;
    call->service = service;
    if (front->services.fault == NULL || !meet_fault(front, call))
        serve(front, call);
}

struct front *front_new(struct event_base *base, const struct engine_config *config,
                        struct figures *figures, int *port_out) {
    struct front *front = calloc(1, sizeof(*front));

    if (front == NULL)
        return NULL;
    front->base = base;
    front->config = config;
    front->figures = figures;
    TAILQ_INIT(&front->delayed);
    front->http = http_listen(base, port_out, BACKLOG, MAX_BODY);
    if (front->http == NULL) {
        free(front);
        return NULL;
    }
    return front;
}

bool front_open(struct front *front, const struct front_services *services) {
    front->services = *services;
    front->auth = auth_new(front->config);
    if (front->auth == NULL)
        return false;
    http_serve(front->http, on_request, front);
    return true;
}

void front_free(struct front *front) {
    struct service_call *call;

    if (front == NULL)
        return;
    while ((call = TAILQ_FIRST(&front->delayed)) != NULL) {
        TAILQ_REMOVE(&front->delayed, call, link);
        event_free(call->delay);
        free(call); /* its request goes with its connection */
    }
    http_server_free(front->http);
    auth_free(front->auth);
    free(front);
}
