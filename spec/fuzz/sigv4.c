/*
** Fuzzes sigv4/. Input: method, target, header lines, an empty line, body; lines end with a line
** feed, a header line that begins with a blank is folded to the one before.
**
** Whatever comes in: verify never says that it is signed by a secret that nobody knows. And what
** sign and presign accept, verify accepts; with one digit of the signature changed it does not.
**
** Compile with clang -fsanitize=fuzzer,address,undefined, with sigv4/, host/base/ and -lcrypto;
** spec/fuzz/corpus/sigv4 has the first inputs.
*/
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host/base/random.h"
#include "sigv4/sigv4.h"

enum { MAX_HEADERS = 64, SECRET_LEN = 40, MAX_OUT = 1 << 20 };
static const int64_t NOW_MS = INT64_C(1767323045000); /* 20260102T030405Z, as the corpus has it */

static char secret[SECRET_LEN + 1];
static struct sigv4_cache *cache;

static bool look_up(void *context, const char *access_key_id, struct sigv4_credentials *out) {
    (void)context;
    *out = (struct sigv4_credentials){
        .access_key_id = access_key_id,
        .secret_access_key = secret,
        .session_token = *access_key_id == 'T' ? "TOKEN" : NULL,
    };
    return true;
}

static void insist(bool condition, const char *what) {
    if (condition)
        return;
    fprintf(stderr, "sigv4: %s\n", what);
    abort();
}

/* Cuts the line at *at; *at is moved behind it, to NULL after the last one. */
static char *next_line(char **at) {
    char *line = *at ? *at : NULL;
    char *end = line ? strchr(line, '\n') : NULL;
    if (end)
        *end = '\0';
    *at = end ? end + 1 : NULL;
    return line;
}

static size_t read_headers(struct sigv4_header *headers, char **at) {
    size_t count = 0;
    while (*at && **at && count < MAX_HEADERS) {
        char *next = *at;
        /* A folded header keeps its line ends. */
        char *end = strchr(next, '\n');
        while (end && (end[1] == ' ' || end[1] == '\t'))
            end = strchr(end + 1, '\n');
        if (end)
            *end = '\0';
        *at = end ? end + 1 : NULL;
        if (*next == '\0')
            break;
        char *colon = strchr(next, ':');
        if (colon)
            *colon = '\0';
        headers[count++] = (struct sigv4_header){next, colon ? colon + 1 : ""};
    }
    return count;
}

static enum sigv4_result verify(const struct sigv4_request *request, bool raw_path) {
    struct sigv4_rules rules = {.now_ms = NOW_MS,
                                .skew_ms = INT64_MAX / 4,
                                .raw_path = raw_path,
                                .lookup = look_up};
    struct sigv4_identity identity;
    struct sigv4_stages stages = {0};
    enum sigv4_result result = sigv4_verify(request, &rules, cache, &identity, &stages);
    sigv4_stages_free(&stages);
    return result;
}

/* What the signer decides on goes out, so that its own can come in. */
static void drop_signer_headers(struct sigv4_request *request, struct sigv4_header *headers) {
    static const char *const names[] = {"authorization", "x-amz-date", "x-amz-security-token"};
    size_t kept = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        bool drop = false;
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            drop = drop || strcasecmp(headers[i].name, names[k]) == 0;
        if (!drop)
            headers[kept++] = headers[i];
    }
    request->header_count = kept;
}

static void spoil(char *signature_end) {
    signature_end[-1] = signature_end[-1] == '0' ? '1' : '0';
}

static void round_trips(struct sigv4_request *request, struct sigv4_header *headers,
                        bool raw_path) {
    bool temporary = request->body_len % 2 == 1;
    struct sigv4_scope scope = {.region = "us-east-1",
                                .service = "sqs",
                                .wall_ms = NOW_MS,
                                .raw_path = raw_path,
                                .expires_s = 60};
    struct sigv4_credentials credentials;
    struct sigv4_signed out;
    look_up(NULL, temporary ? "TEMPORARY" : "AKIDEXAMPLE", &credentials);
    drop_signer_headers(request, headers);
    size_t count = request->header_count;
    if (sigv4_sign(request, &credentials, &scope, cache, &out, NULL) == SIGV4_OK) {
        headers[request->header_count++] = (struct sigv4_header){"X-Amz-Date", out.amz_date};
        if (temporary)
            headers[request->header_count++] =
                (struct sigv4_header){"X-Amz-Security-Token", credentials.session_token};
        headers[request->header_count++] =
            (struct sigv4_header){"Authorization", out.authorization};
        insist(verify(request, raw_path) == SIGV4_OK, "signed, but not verified");
        spoil(out.authorization + strlen(out.authorization));
        insist(verify(request, raw_path) == SIGV4_MISMATCH, "verified a spoilt signature");
    }
    sigv4_signed_free(&out);

    struct buf target;
    buf_init(&target, MAX_OUT);
    request->header_count = count;
    if (sigv4_presign(request, &credentials, &scope, cache, &target, NULL) == SIGV4_OK) {
        request->target = target.data;
        insist(verify(request, raw_path) == SIGV4_OK, "presigned, but not verified");
        spoil(target.data + target.len);
        insist(verify(request, raw_path) == SIGV4_MISMATCH, "verified a spoilt query");
    }
    buf_free(&target);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    random_name(secret, SECRET_LEN);
    cache = sigv4_cache_new();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sigv4_header headers[MAX_HEADERS + 3];
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    char *at = text;
    struct sigv4_request request = {.headers = headers};
    request.method = next_line(&at);
    request.target = next_line(&at);
    if (!request.target)
        request.target = "";
    request.header_count = read_headers(headers, &at);
    if (at) {
        request.body = at;
        request.body_len = size - (size_t)(at - text);
    }
    for (int raw_path = 0; raw_path <= 1; raw_path++)
        insist(verify(&request, raw_path) != SIGV4_OK, "verified what nobody signed");
    round_trips(&request, headers, size % 3 == 0);
    free(text);
    return 0;
}
