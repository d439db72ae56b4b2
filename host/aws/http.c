#include "host/aws/http.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "host/aws/roots.h"
#include "host/base/ascii.h"
#include "host/base/clock.h"
#include "host/base/secret.h"

enum {
    CONNECT_MS = 10000,
    IDLE_CONNECTIONS = 256, /* kept open */
    IDLE_EASIES = 64,       /* kept for the next exchange */
    IDLE_S = 55,            /* longest idle time of a connection that is used again */
    IDLE_ONCE_S = 10,       /* the same where a stale connection would mean a lost answer */
    KEPT_ANSWER = 64 << 10, /* larger buffers are given back */
    FROZEN_MS = 2000,       /* a jump between the clocks: the process was frozen */
};

struct http {
    CURLM *multi;
    CURL *easies[IDLE_EASIES];
    size_t easy_count;
    struct http_exchange *active;
    int64_t clock_gap; /* wall clock minus monotonic clock */
    bool stale;        /* kept-alive connections are from before a freeze */
    pthread_mutex_t
        lock; /* multi is exchanged under it, as http_wake may come from other threads */
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready = CURLE_FAILED_INIT;

static void init_curl(void) {
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static CURLM *new_multi(void) {
    CURLM *multi = curl_multi_init();
    if (multi != NULL)
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS);
    return multi;
}

struct http *http_new(void) {
    pthread_once(&curl_once, init_curl);
    struct http *http = curl_ready == CURLE_OK ? calloc(1, sizeof *http) : NULL;
    if (http == NULL)
        return NULL;
    http->multi = new_multi();
    if (http->multi == NULL || pthread_mutex_init(&http->lock, NULL) != 0) {
        if (http->multi != NULL)
            curl_multi_cleanup(http->multi);
        free(http);
        return NULL;
    }
    http->clock_gap = clock_wall_ms() - clock_mono_ms();
    return http;
}

void http_free(struct http *http) {
    if (http == NULL)
        return;
    for (size_t i = 0; i < http->easy_count; i++)
        curl_easy_cleanup(http->easies[i]);
    curl_multi_cleanup(http->multi);
    pthread_mutex_destroy(&http->lock);
    free(http);
}

void http_exchange_init(struct http_exchange *x, size_t answer_max, bool secret) {
    *x = (struct http_exchange){0};
    buf_init(&x->answer, answer_max);
    x->answer.secret = secret;
    buf_init(&x->header_lines, HTTP_HEADERS_MAX);
}

void http_exchange_free(struct http_exchange *x) {
    http_headers_free(x);
    buf_free(&x->answer);
    buf_free(&x->header_lines);
}

bool http_header_add(struct http_exchange *x, const char *name, const char *value) {
    struct buf line;
    buf_init_secret(&line, 256 << 10);
    buf_adds(&line, name);
    if (value == NULL)
        buf_addc(&line, ':');
    else if (*value == '\0')
        buf_addc(&line, ';'); /* libcurl's way to send an empty one */
    else
        buf_addf(&line, ": %s", value);
    struct curl_slist *list =
        buf_ok(&line) ? curl_slist_append(x->request_headers, buf_text(&line)) : NULL;
    buf_wipe(&line);
    if (list != NULL)
        x->request_headers = list;
    return list != NULL;
}

void http_headers_free(struct http_exchange *x) {
    for (struct curl_slist *s = x->request_headers; s != NULL; s = s->next)
        secret_wipe(s->data, strlen(s->data));
    curl_slist_free_all(x->request_headers);
    x->request_headers = NULL;
}

/* --- callbacks of libcurl --------------------------------------------------------------------- */

static size_t on_body(char *data, size_t size, size_t count, void *context) {
    struct http_exchange *x = context;
    size_t len = size * count;
    return buf_add(&x->answer, data, len) ? len : 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *context) {
    struct http_exchange *x = context;
    size_t all = size * count, len = all;
    while (len > 0 && strchr("\r\n \t", data[len - 1]) != NULL)
        len--;
    if (len >= 5 &&
        memcmp(data, "HTTP/", 5) == 0) /* the answer behind a 100 Continue or a proxy's */
        buf_reset(&x->header_lines);
    else if (len > 0)
        return buf_add(&x->header_lines, data, len) && buf_addc(&x->header_lines, '\0') ? all : 0;
    return all;
}

static size_t on_read(char *out, size_t size, size_t count, void *context) {
    struct http_exchange *x = context;
    size_t len = size * count, left = x->body_len - x->body_at;
    if (len > left)
        len = left;
    memcpy(out, (const char *)x->body + x->body_at, len);
    x->body_at += len;
    return len;
}

/* libcurl would rewind to send a request again whose answer a kept-alive connection has lost: what is
** sent once is not sent again (finish has the words for it). */
static int on_seek(void *context, curl_off_t offset, int origin) {
    (void)context, (void)offset, (void)origin;
    return CURL_SEEKFUNC_FAIL;
}

/* As libcurl's own, but not for the programs that this one starts. */
static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)context, (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* --- handles ---------------------------------------------------------------------------------- */

/* What all exchanges have in common is set once for a handle. */
static CURL *new_easy(void) {
    CURL *easy = curl_easy_init();
    if (easy == NULL)
        return NULL;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 86400L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT,
                     1L); /* a cancel must not wait for the name resolver */
#endif
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    return easy;
}

static void give_back(struct http *http, struct http_exchange *x) {
    CURL *easy = x->easy;
    x->easy = NULL;
    curl_multi_remove_handle(http->multi, easy);
    if (x->prev != NULL)
        x->prev->next = x->next;
    else
        http->active = x->next;
    if (x->next != NULL)
        x->next->prev = x->prev;
    /* Nothing in the pool may point to what the exchange has lent. */
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
    if (http->easy_count < IDLE_EASIES)
        http->easies[http->easy_count++] = easy;
    else
        curl_easy_cleanup(easy);
}

/* --- begin and end ---------------------------------------------------------------------------- */

/* After a freeze the kept-alive connections are dead without knowing it: the other end has long
** closed them. They are dropped as soon as nothing is under way; until then new exchanges take
** fresh ones. */
static bool check_frozen(struct http *http) {
    int64_t gap = clock_wall_ms() - clock_mono_ms();
    int64_t jump = gap - http->clock_gap;
    if (jump > FROZEN_MS || jump < -FROZEN_MS) {
        http->stale = true;
        http->clock_gap = gap;
    }
    if (http->stale && http->active == NULL) {
        CURLM *multi = new_multi();
        if (multi != NULL) {
            pthread_mutex_lock(&http->lock);
            CURLM *old = http->multi;
            http->multi = multi;
            pthread_mutex_unlock(&http->lock);
            curl_multi_cleanup(old);
            http->stale = false;
        }
    }
    return http->stale;
}

/* Like the other options whose text libcurl copies, it can fail for lack of memory. */
static CURLcode set_body(struct http_exchange *x) {
    CURL *easy = x->easy;
    bool wants_body = strcmp(x->method, "GET") != 0 && strcmp(x->method, "DELETE") != 0;
    if (x->body_len == 0 && !wants_body) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    } else {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->body_len);
        if (x->once && x->body_len > 0) {
            curl_easy_setopt(easy, CURLOPT_POSTFIELDS, NULL);
            curl_easy_setopt(easy, CURLOPT_READDATA, x);
        } else {
            curl_easy_setopt(easy, CURLOPT_POSTFIELDS, x->body_len > 0 ? x->body : "");
        }
    }
    return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, x->method);
}

/* A proxy of the environment never stands before this machine itself: as Go's net/http has it. */
static bool is_loopback(const char *url) {
    const char *host = strstr(url, "://");
    if (host == NULL)
        return false;
    host += 3;
    if (strncmp(host, "[::1]", 5) == 0)
        return true;
    size_t len = strcspn(host, ":/");
    return (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == len) ||
           (len == 9 && ascii_same_n(host, "localhost", 9));
}

/* Who has to vouch for the server: the user's bundle, else what is built in, else libcurl's default.
** All exchanges of a client have the same bundle or none: on a handle of the pool there is no other. */
static CURLcode set_trust(CURL *easy, const char *ca_bundle) {
    if (ca_bundle != NULL)
        return curl_easy_setopt(easy, CURLOPT_CAINFO, ca_bundle);
    return roots_use != NULL ? roots_use(easy) : CURLE_OK;
}

static bool refuse(struct http_exchange *x, enum http_outcome outcome, const char *message) {
    x->outcome = outcome;
    error_copy(x->message, sizeof x->message, message);
    return false;
}

bool http_begin(struct http *http, struct http_exchange *x) {
    bool fresh = check_frozen(http);
    x->status = 0;
    x->sent = false;
    x->body_at = 0;
    x->message[0] = '\0';
    x->took_ms = 0;
    if (x->answer.cap > KEPT_ANSWER)
        buf_free(&x->answer);
    buf_reset(&x->answer);
    buf_reset(&x->header_lines);

    CURL *easy = http->easy_count > 0 ? http->easies[--http->easy_count] : new_easy();
    if (easy == NULL)
        return refuse(x, HTTP_NO_MEMORY, "out of memory");
    x->easy = easy;
    x->began_ms = clock_mono_ms();
    int64_t connect_ms = x->timeout_ms < CONNECT_MS ? x->timeout_ms : CONNECT_MS;
    CURLcode set = curl_easy_setopt(easy, CURLOPT_URL, x->url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, x->request_headers);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)x->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, x->once ? (long)IDLE_ONCE_S : (long)IDLE_S);
    /* A request without a body is whole with its headers: libcurl would send it again. */
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, fresh || (x->once && x->body_len == 0) ? 1L : 0L);
    if (set == CURLE_OK)
        set = curl_easy_setopt(easy, CURLOPT_NOPROXY,
                               x->no_proxy || is_loopback(x->url) ? "*" : NULL);
    if (set == CURLE_OK)
        set = set_trust(easy, x->ca_bundle);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->message);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, x);
    if (set == CURLE_OK)
        set = set_body(x);

    x->prev = NULL;
    x->next = http->active;
    if (x->next != NULL)
        x->next->prev = x;
    http->active = x;
    if (set == CURLE_OK && curl_multi_add_handle(http->multi, easy) == CURLM_OK)
        return true;
    give_back(http, x);
    return refuse(x, HTTP_NO_MEMORY, "out of memory");
}

void http_abort(struct http *http, struct http_exchange *x) {
    if (x->easy != NULL)
        give_back(http, x);
}

static enum http_outcome outcome_of(CURLcode code, bool sent) {
    switch (code) {
    case CURLE_OK:
        return HTTP_ANSWERED;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_TIMEOUT;
    case CURLE_WRITE_ERROR:
        return HTTP_TOO_LONG;
    case CURLE_OUT_OF_MEMORY:
        return HTTP_NO_MEMORY;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return HTTP_BAD_URL;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CIPHER:
        return HTTP_UNTRUSTED;
    default:
        return sent ? HTTP_LOST : HTTP_NOT_CONNECTED;
    }
}

static void finish(struct http *http, struct http_exchange *x, CURLcode code) {
    long request_size = 0;
    curl_off_t uploaded = 0;
    curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &x->status);
    curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &request_size);
    curl_easy_getinfo(x->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    x->sent = request_size > 0 || uploaded > 0;
    x->took_ms = clock_mono_ms() - x->began_ms;
    x->outcome = outcome_of(code, x->sent);
    if (code == CURLE_SEND_FAIL_REWIND)
        error_copy(
            x->message, sizeof x->message,
            "the connection was closed before an answer came, and the request may have had its "
            "effect: it is not sent again");
    else if (code != CURLE_OK && x->message[0] == '\0')
        error_copy(x->message, sizeof x->message, curl_easy_strerror(code));
    give_back(http, x);
    x->done(x);
}

void http_perform(struct http *http) {
    int running = 0, left = 0;
    curl_multi_perform(http->multi, &running);
    for (CURLMsg *m; (m = curl_multi_info_read(http->multi, &left)) != NULL;) {
        struct http_exchange *x = NULL;
        CURLcode code = m->data.result;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&x);
        finish(http, x, code);
    }
}

void http_poll(struct http *http, int timeout_ms) {
    curl_multi_poll(http->multi, NULL, 0, timeout_ms, NULL);
}

void http_wake(struct http *http) {
    pthread_mutex_lock(&http->lock);
    curl_multi_wakeup(http->multi);
    pthread_mutex_unlock(&http->lock);
}
