/*
** libFuzzer target of the JSON room: the reader walks, skips and builds a tree; all three must
** agree, and what was read must come back equal after it was written. The first byte of the input
** chooses the depth limit.
*/
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool fact, const char *what) {
    if (fact)
        return;
    fprintf(stderr, "broken promise: %s\n", what);
    abort();
}

/* Checks every token on the way; true when the text is a document. */
static bool walk(const char *text, size_t len, unsigned depth) {
    struct json_reader r;
    struct buf plain;
    size_t before = 0;
    json_reader_init(&r, text, len, depth);
    buf_init(&plain, len);
    enum json_token token;
    do {
        token = json_next(&r);
        require(r.at <= len && r.at >= before, "the reader goes forward and stays inside");
        require(r.depth <= depth, "depth is bounded");
        before = r.at;
        if (token == JSON_STRING || token == JSON_KEY) {
            buf_reset(&plain);
            require(json_unescape(&plain, r.raw, r.raw_len), "what was read can be unescaped");
            require(json_utf8_valid(buf_text(&plain), plain.len), "unescaped text is UTF-8");
            require(r.escaped || plain.len == r.raw_len, "text without escapes keeps its length");
        }
        require(token != JSON_DOUBLE || isfinite(r.number), "numbers are finite");
    } while (token != JSON_ERROR && token != JSON_END);
    char message[64];
    json_reader_message(&r, message, sizeof message);
    require(json_next(&r) == token, "the last token is given again");
    buf_free(&plain);
    return token == JSON_END;
}

static bool skip(const char *text, size_t len, unsigned depth) {
    struct json_reader r;
    json_reader_init(&r, text, len, depth);
    return json_skip(&r, json_next(&r)) && json_next(&r) == JSON_END;
}

/* Writes v and what it holds; depth is bounded by the reader's limit. */
static void write_value(struct json_writer *w, const struct json_value *v) {
    switch (v->type) {
    case JSON_T_NULL:
        json_null(w);
        break;
    case JSON_T_BOOL:
        json_bool(w, v->boolean);
        break;
    case JSON_T_INTEGER:
        json_integer(w, v->integer);
        break;
    case JSON_T_DOUBLE:
        require(json_double(w, v->number), "doubles can be written");
        break;
    case JSON_T_STRING:
        require(json_string_n(w, v->text, v->len), "strings can be written");
        break;
    case JSON_T_ARRAY:
        json_array_begin(w);
        for (const struct json_value *item = v->child; item; item = item->next)
            write_value(w, item);
        json_array_end(w);
        break;
    case JSON_T_OBJECT:
        json_object_begin(w);
        for (const struct json_value *item = v->child; item; item = item->next) {
            require(json_key_n(w, item->key, item->key_len), "keys can be written");
            write_value(w, item);
        }
        json_object_end(w);
        break;
    }
}

static bool equal(const struct json_value *a, const struct json_value *b) {
    if (a->type != b->type || a->len != b->len || a->key_len != b->key_len)
        return false;
    if (a->key_len && memcmp(a->key, b->key, a->key_len) != 0)
        return false;
    if (a->type == JSON_T_STRING && memcmp(a->text, b->text, a->len) != 0)
        return false;
    if (a->boolean != b->boolean || a->integer != b->integer ||
        memcmp(&a->number, &b->number, sizeof a->number) != 0)
        return false;
    const struct json_value *x = a->child, *y = b->child;
    for (; x && y; x = x->next, y = y->next) {
        if (!equal(x, y))
            return false;
    }
    return !x && !y;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    unsigned depth = data[0] % 64 + 1;
    const char *text = (const char *)data + 1;
    size_t len = size - 1;
    char error[64] = "";
    bool document = walk(text, len, depth);
    require(skip(text, len, depth) == document, "skipping agrees with walking");
    struct json_tree *tree = json_parse(text, len, depth, error, sizeof error);
    require((tree != NULL) == document, "the tree agrees with walking");
    require(document || error[0] != '\0', "errors have a message");
    if (tree) {
        struct buf out;
        struct json_writer w;
        buf_init(&out, SIZE_MAX);
        json_writer_init(&w, &out);
        write_value(&w, json_root(tree));
        require(buf_ok(&out), "memory");
        struct json_tree *again = json_parse(buf_text(&out), out.len, depth, error, sizeof error);
        require(again && equal(json_root(tree), json_root(again)),
                "what is written reads back equal");
        json_tree_free(again);
        buf_free(&out);
    }
    json_tree_wipe(tree);
    return 0;
}
