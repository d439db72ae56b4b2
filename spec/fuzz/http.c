/*
** The head of a request and a chunked body under libFuzzer: an input is what a client sends; its first byte says in
** how large pieces a body comes. What was read must be as the contract in http_head.h has it.
*/
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/engine/http_head.h"

enum { BODY_MAX = 4096 };

static void must(bool condition) {
    if (!condition)
        abort();
}

/* A text that ends before the head does. */
static void check_text(const char *at, const char *text, size_t len) {
    must(at >= text && at < text + len && memchr(at, '\0', (size_t)(text + len - at)) != NULL);
    must(strpbrk(at, "\r\n") == NULL);
}

static void check_head(const struct http_head *head, const char *text, size_t len) {
    check_text(head->method, text, len);
    check_text(head->target, text, len);
    must(*head->target != '\0' && strchr(head->target, ' ') == NULL);
    for (size_t i = 0; i < head->count; i++) {
        const struct http_field *field = &head->fields[i];
        check_text(field->name, text, len);
        check_text(field->value, text, len);
        must(strlen(field->name) == field->name_len && field->name_len > 0);
        must(http_head_find(head, field->name, field->name_len) != NULL);
    }
    must(!head->chunked || (head->length == 0 && !head->old));
}

/* In pieces of `step` bytes, or in one: the same status and the same body. */
static int read_body(const char *text, size_t len, size_t step, struct buf *out, size_t *used_out) {
    struct http_chunks chunks = {0};
    int status = 100;

    *used_out = 0;
    while (status == 100 && *used_out < len) {
        size_t left = len - *used_out, used;
        status = http_chunks_read(&chunks, text + *used_out, left < step ? left : step, out, &used);
        must(used > 0 && (status != 100 || used == (left < step ? left : step)));
        *used_out += used;
    }
    return status;
}

static void check_chunks(const char *text, size_t len, size_t step) {
    struct buf whole, pieces;
    size_t whole_used, pieces_used;

    buf_init(&whole, BODY_MAX);
    buf_init(&pieces, BODY_MAX);
    int status = read_body(text, len, SIZE_MAX, &whole, &whole_used);
    must(read_body(text, len, step, &pieces, &pieces_used) == status);
    must(whole_used == pieces_used && whole.len == pieces.len);
    must(whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0);
    must(status == 100 || status == 200 || status == 400 || status == 413);
    buf_free(&whole);
    buf_free(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct http_head head = {0};
    size_t searched = 0, at_once = 0, len = 0;

    if (size == 0)
        return 0;
    size_t step = 1 + data[0] % 32;
    char *text = malloc(size); /* one byte more than is there would be seen */
    must(text != NULL);
    memcpy(text, data + 1, --size);
    for (size_t there = 0; len == 0 && there < size;) {
        there = size - there < step ? size : there + step;
        len = http_head_length(text, there, &searched);
    }
    must(http_head_length(text, size, &at_once) == len && len <= size);
    if (len > 0 && http_head_read(&head, text, len) == 0) {
        check_head(&head, text, len);
        if (head.chunked)
            check_chunks(text + len, size - len, step);
    }
    http_head_free(&head);
    free(text);
    return 0;
}
