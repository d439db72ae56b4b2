/*
** SQS's query protocol under libFuzzer: an input is a form; its first byte says to which path it goes.
** The functions of service.h are defined here, so that no front is needed.
*/
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "host/engine/sqs.h"

struct service_call {
    const char *body, *target, *path;
    size_t len;
    void (*gone)(void *context);
    void *gone_context;
    int status; /* 0: not answered yet */
};

const char *service_method(const struct service_call *call) {
    (void)call;
    return "POST";
}

const char *service_path(const struct service_call *call) {
    return call->path;
}

const char *service_query(const struct service_call *call) {
    (void)call;
    return "";
}

const char *service_header(const struct service_call *call, const char *name) {
    return strcmp(name, "X-Amz-Target") == 0 ? call->target : NULL;
}

const char *service_body(const struct service_call *call, size_t *len_out) {
    *len_out = call->len;
    return call->body;
}

const char *service_request_id(const struct service_call *call) {
    (void)call;
    return "00000000-0000-4000-8000-000000000000";
}

const char *service_host(const struct service_call *call) {
    (void)call;
    return "127.0.0.1";
}

const char *service_region(const struct service_call *call) {
    (void)call;
    return "us-east-1";
}

const char *service_account(const struct service_call *call) {
    (void)call;
    return "123456789012";
}

void service_set_header(struct service_call *call, const char *name, const char *value) {
    (void)call;
    (void)name;
    (void)value;
}

/* XML: as many tags begin as end, and every character is one that XML may hold. */
static void check_xml(const char *text, size_t len) {
    size_t begun = 0, ended = 0;
    for (size_t i = 0; i < len; i++) {
        begun += text[i] == '<';
        ended += text[i] == '>';
        if ((unsigned char)text[i] < ' ' && text[i] != '\t' && text[i] != '\n')
            abort();
    }
    if (len == 0 || begun == 0 || begun != ended)
        abort();
}

void service_answer(struct service_call *call, int status, const char *content_type,
                    const void *body, size_t len) {
    call->status = status;
    if (!call->target) {
        if (strcmp(content_type, "text/xml") != 0)
            abort();
        check_xml(body, len);
    }
}

void service_on_gone(struct service_call *call, void (*gone)(void *context), void *context) {
    call->gone = gone;
    call->gone_context = context;
}

static void post(struct sqs_service *service, const char *target, const char *path,
                 const char *body, size_t len) {
    struct service_call call = {.body = body, .target = target, .path = path, .len = len};
    sqs_service_call(service, &call);
    if (call.status == 0)
        call.gone(call.gone_context);
    if (call.status == 0 || call.status >= 500)
        abort();
}

static void ask(struct sqs_service *service, const char *target, const char *body) {
    post(service, target, "/", body, strlen(body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const paths[] = {"/", "/123456789012/q", "/123456789012/q.fifo", "//"};
    struct event_base *base = event_base_new();
    struct sqs_service *service =
        base ? sqs_service_new(base, &(struct sqs_service_options){.lenient = true}) : NULL;
    if (!service || size == 0)
        goto done;
    ask(service, "AmazonSQS.CreateQueue", "{\"QueueName\":\"q\",\"tags\":{\"<\":\"&\"}}");
    ask(service, "AmazonSQS.CreateQueue",
        "{\"QueueName\":\"q.fifo\",\"Attributes\":{\"FifoQueue\":\"true\"}}");
    ask(service, "AmazonSQS.SendMessage",
        "{\"QueueUrl\":\"http://h/123456789012/q\",\"MessageBody\":\"<]]>\"}");
    char *form = malloc(size);
    if (form) {
        memcpy(form, data + 1, size - 1);
        form[size - 1] = '\0';
        post(service, NULL, paths[data[0] % 4], form, size - 1);
    }
    free(form);
done:
    sqs_service_free(service);
    if (base)
        event_base_free(base);
    return 0;
}
