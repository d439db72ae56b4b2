#include "host/aws/lambda.h"

#include <stdlib.h>
#include <string.h>

#include "host/aws/request.h"
#include "host/base/base64.h"

enum { TIMEOUT_MS = 910000, EVENT_TIMEOUT_MS = 60000, TOLD_TIMEOUT_MS = 20000, LOG_MAX = 64 << 10 };

struct call {
    lambda_done done;
    void *context;
};

/* Percent-encodes all but the unreserved characters: an ARN's colons too. */
static void add_encoded(struct buf *out, const char *text) {
    static const char hex[] = "0123456789ABCDEF";
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (strchr(plain, c) != NULL) {
            buf_addc(out, *text);
        } else {
            buf_addc(out, '%');
            buf_addc(out, hex[c >> 4]);
            buf_addc(out, hex[c & 15]);
        }
    }
}

static void invoke_done(void *context, const struct aws_response *response) {
    struct call *call = context;
    if (response->error != NULL) {
        call->done(call->context, response->error, NULL);
        free(call);
        return;
    }
    struct buf log;
    buf_init(&log, LOG_MAX);
    const char *tail = aws_response_header(response, "x-amz-log-result");
    bool decoded = tail != NULL && base64_decode(&log, tail, strlen(tail));
    struct lambda_result result = {
        .status = response->status,
        .payload = response->body,
        .payload_len = response->body_len,
        .function_error = aws_response_header(response, "x-amz-function-error"),
        .log_result = decoded ? buf_text(&log) : NULL,
        .request_id = aws_response_header(response, "x-amzn-requestid"),
    };
    if (result.request_id == NULL)
        result.request_id = "";
    call->done(call->context, NULL, &result);
    buf_free(&log);
    free(call);
}

/* Client errors that are ours to say, before anything is sent. */
static const char *refusal(const struct lambda_invoke *in) {
    size_t len = strlen(in->function);
    if (len == 0 || len > 256)
        return "the function's name has 1 to 256 characters";
    if (in->client_context != NULL && strlen(in->client_context) > 2687)
        return "the client context is longer than 3583 bytes as base64";
    return NULL;
}

uint64_t lambda_invoke(struct aws_client *client, const struct lambda_invoke *in, lambda_done done,
                       void *context) {
    static const char *const types[] = {
        [LAMBDA_REQUEST_RESPONSE] = "RequestResponse",
        [LAMBDA_EVENT] = "Event",
        [LAMBDA_DRY_RUN] = "DryRun",
    };
    uint64_t id = 0;
    struct buf target, client_context;
    struct call *call = malloc(sizeof *call);
    buf_init(&target, 4096);
    buf_init(&client_context, 8192);
    if (call == NULL)
        goto done;
    *call = (struct call){done, context};
    const char *wrong = refusal(in);
    if (wrong != NULL) {
        id = request_refuse(client, "ValidationException", wrong, invoke_done, call);
        goto done;
    }

    buf_adds(&target, "/2015-03-31/functions/");
    add_encoded(&target, in->function);
    buf_adds(&target, "/invocations");
    if (in->qualifier != NULL) {
        buf_adds(&target, "?Qualifier=");
        add_encoded(&target, in->qualifier);
    }
    struct aws_header headers[4];
    size_t count = 0;
    bool sync = in->type == LAMBDA_REQUEST_RESPONSE;
    headers[count++] = (struct aws_header){"Content-Type", "application/json"};
    headers[count++] = (struct aws_header){"X-Amz-Invocation-Type", types[in->type]};
    if (sync && in->log_tail)
        headers[count++] = (struct aws_header){"X-Amz-Log-Type", "Tail"};
    if (in->client_context != NULL) {
        base64_encode(&client_context, in->client_context, strlen(in->client_context));
        headers[count++] = (struct aws_header){"X-Amz-Client-Context", buf_text(&client_context)};
    }
    if (!buf_ok(&target) || !buf_ok(&client_context))
        goto done;
    struct aws_request request = {
        .service = AWS_LAMBDA,
        .method = "POST",
        .target = buf_text(&target),
        .headers = headers,
        .header_count = count,
        .body = in->payload,
        .body_len = in->payload_len,
        .timeout_ms = in->told             ? TOLD_TIMEOUT_MS
                      : !sync              ? EVENT_TIMEOUT_MS
                      : in->timeout_ms > 0 ? in->timeout_ms
                                           : TIMEOUT_MS,
        .unsafe = in->type != LAMBDA_DRY_RUN && !in->told,
        .patience_ms = in->told ? LAMBDA_PATIENCE_MS : 0,
    };
    id = aws_submit(client, &request, invoke_done, call);
done:
    if (id == 0)
        free(call);
    buf_free(&target);
    buf_free(&client_context);
    return id;
}
