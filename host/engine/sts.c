#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "host/base/buf.h"
#include "host/engine/call.h"
#include "host/engine/sts.h"

#define NAMESPACE  "https://sts.amazonaws.com/doc/2011-06-15/"
#define ANSWER_MAX (256 * 1024)

static void add_escaped(struct buf *out, const char *text) {
    for (; *text != '\0'; text++)
        switch (*text) {
        case '&':
            buf_adds(out, "&amp;");
            break;
        case '<':
            buf_adds(out, "&lt;");
            break;
        case '>':
            buf_adds(out, "&gt;");
            break;
        default:
            buf_addc(out, *text);
        }
}

static void answer(struct service_call *call, int status, struct buf *body) {
    if (buf_ok(body))
        service_answer(call, status, "text/xml", buf_text(body), body->len);
    else
        service_answer(call, 500, "text/xml", NULL, 0);
    buf_free(body);
}

void sts_error(struct service_call *call, int status, const char *code, const char *message) {
    struct buf body;

    buf_init(&body, ANSWER_MAX);
    buf_addf(&body, "<ErrorResponse xmlns=\"" NAMESPACE "\"><Error><Type>%s</Type><Code>%s</Code>",
             status < 500 ? "Sender" : "Receiver", code);
    buf_adds(&body, "<Message>");
    add_escaped(&body, message);
    buf_addf(&body, "</Message></Error><RequestId>%s</RequestId></ErrorResponse>",
             service_request_id(call));
    answer(call, status, &body);
}

static void get_caller_identity(const struct engine_config *config, struct service_call *call) {
    const char *name = config->function_name != NULL ? config->function_name : "function";
    struct buf body;

    buf_init(&body, ANSWER_MAX);
    buf_adds(&body, "<GetCallerIdentityResponse xmlns=\"" NAMESPACE "\"><GetCallerIdentityResult>");
    if (call_by_worker(call))
        buf_addf(&body,
                 "<Arn>arn:aws:sts::%s:assumed-role/%s-role/%s</Arn>"
                 "<UserId>AROA%.16s:%s</UserId>",
                 config->account, name, name, config->worker_key_id + 4, name);
    else
        buf_addf(&body, "<Arn>arn:aws:iam::%s:user/awsync</Arn><UserId>%s</UserId>",
                 config->account, config->access_key_id);
    buf_addf(&body,
             "<Account>%s</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>%s"
             "</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
             config->account, service_request_id(call));
    answer(call, 200, &body);
}

void sts_call(const struct engine_config *config, struct service_call *call) {
    struct evkeyvalq form;
    size_t len;
    const char *text = service_body(call, &len);
    const char *action = NULL;
    struct buf message;

    TAILQ_INIT(&form);
    if (len == 0)
        text = service_query(call);
    if (evhttp_parse_query_str(text, &form) == 0)
        action = evhttp_find_header(&form, "Action");
    if (action == NULL) {
        sts_error(call, 400, "MissingAction", "The request must contain the parameter Action.");
    } else if (strcmp(action, "GetCallerIdentity") == 0) {
        get_caller_identity(config, call);
    } else {
        buf_init(&message, ANSWER_MAX);
        buf_addf(&message, "Could not find operation %s for version 2011-06-15", action);
        sts_error(call, 400, "InvalidAction", buf_text(&message));
        buf_free(&message);
    }
    evhttp_clear_headers(&form);
}
