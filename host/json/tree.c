#include "host/json/json.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/secret.h"
#include "host/json/text.h"

enum { LEAST_BLOCK = 512, SECOND_BLOCK = 2048, MOST_BLOCK = 65536 };

struct block {
    struct block *next;
    size_t size; /* of data */
    alignas(max_align_t) char data[];
};

/* Values and texts lie in blocks, one behind the other, and go all at once. The first block is the
** tree's own: for most documents it is the only one. */
struct json_tree {
    struct block *blocks; /* the newest first */
    char *free, *end;     /* what is left of the newest */
    size_t next_size;
    struct json_value *root;
    size_t size; /* of data */
    alignas(max_align_t) char data[];
};

static void *allocate(struct json_tree *tree, size_t size, size_t align) {
    size_t padding = (align - (uintptr_t)tree->free % align) % align;
    size_t left = (size_t)(tree->end - tree->free);
    if (size > left || padding > left - size) {
        size_t block_size = size > tree->next_size ? size : tree->next_size;
        if (block_size > SIZE_MAX - sizeof(struct block))
            return NULL;
        struct block *block = malloc(sizeof(*block) + block_size);
        if (!block)
            return NULL;
        block->size = block_size;
        block->next = tree->blocks;
        tree->blocks = block;
        tree->free = block->data;
        tree->end = block->data + block_size;
        if (tree->next_size < MOST_BLOCK)
            tree->next_size *= 2;
        padding = 0;
    }
    char *place = tree->free + padding;
    tree->free = place + size;
    return place;
}

static const char *add_text(struct json_tree *tree, const struct json_reader *r, size_t *len_out) {
    if (r->raw_len == SIZE_MAX)
        return NULL;
    char *text = allocate(tree, r->raw_len + 1, 1);
    if (!text)
        return NULL;
    size_t len = r->raw_len;
    if (r->escaped)
        len = json_unescape_to(text, r->raw, r->raw_len);
    else if (len > 0)
        memcpy(text, r->raw, len);
    text[len] = '\0';
    *len_out = len;
    return text;
}

/* Sets what the token says; false when memory ran out. */
static bool fill(struct json_tree *tree, struct json_value *v, const struct json_reader *r,
                 enum json_token token) {
    switch (token) {
    case JSON_TRUE:
    case JSON_FALSE:
        v->type = JSON_T_BOOL;
        v->boolean = token == JSON_TRUE;
        break;
    case JSON_INTEGER:
        v->type = JSON_T_INTEGER;
        v->integer = r->integer;
        break;
    case JSON_DOUBLE:
        v->type = JSON_T_DOUBLE;
        v->number = r->number;
        break;
    case JSON_STRING:
        v->type = JSON_T_STRING;
        v->text = add_text(tree, r, &v->len);
        return v->text != NULL;
    case JSON_ARRAY_BEGIN:
        v->type = JSON_T_ARRAY;
        break;
    case JSON_OBJECT_BEGIN:
        v->type = JSON_T_OBJECT;
        break;
    default:
        v->type = JSON_T_NULL;
        break;
    }
    return true;
}

static const char out_of_memory[] = "out of memory";

/* Returns the error, NULL when all is well; reader errors are the reader's to tell: "". While an
** array or object is open its `next` points to the one around it, so that no stack is needed. */
static const char *build(struct json_tree *tree, struct json_reader *r) {
    struct json_value *open = NULL;
    struct json_value **tail = &tree->root;
    const char *key = NULL;
    size_t key_len = 0;
    for (;;) {
        enum json_token token = json_next(r);
        if (token == JSON_ERROR)
            return "";
        if (token == JSON_END)
            return NULL;
        if (token == JSON_KEY) {
            key = add_text(tree, r, &key_len);
            if (!key)
                return out_of_memory;
            continue;
        }
        if (token == JSON_ARRAY_END || token == JSON_OBJECT_END) {
            struct json_value *closed = open;
            open = closed->next;
            closed->next = NULL;
            tail = &closed->next;
            continue;
        }
        struct json_value *v = allocate(tree, sizeof(*v), alignof(struct json_value));
        if (!v)
            return out_of_memory;
        *v = (struct json_value){.key = key, .key_len = key_len};
        key = NULL;
        key_len = 0;
        if (!fill(tree, v, r, token))
            return out_of_memory;
        *tail = v;
        if (open)
            open->len++;
        if (token == JSON_ARRAY_BEGIN || token == JSON_OBJECT_BEGIN) {
            v->next = open;
            open = v;
            tail = &v->child;
        } else {
            tail = &v->next;
        }
    }
}

static void release(struct json_tree *tree, bool wipe) {
    if (!tree)
        return;
    struct block *next;
    for (struct block *block = tree->blocks; block; block = next) {
        next = block->next;
        if (wipe)
            secret_wipe(block->data, block->size);
        free(block);
    }
    if (wipe)
        secret_wipe(tree->data, tree->size);
    free(tree);
}

/* len: of the text. NULL: no memory. */
static struct json_tree *tree_new(size_t len) {
    size_t size = len < MOST_BLOCK / 2 ? 2 * len + LEAST_BLOCK : MOST_BLOCK;
    struct json_tree *tree = malloc(sizeof(*tree) + size);
    if (!tree)
        return NULL;
    *tree = (struct json_tree){.next_size = SECOND_BLOCK, .size = size};
    tree->free = tree->data;
    tree->end = tree->data + size;
    return tree;
}

struct json_tree *json_parse(const char *text, size_t len, unsigned max_depth, char *error_out,
                             size_t error_size) {
    struct json_reader reader;
    json_reader_init(&reader, text, len, max_depth);
    struct json_tree *tree = tree_new(len);
    const char *error = out_of_memory;
    if (tree)
        error = build(tree, &reader);
    if (!error)
        return tree;
    if (error_out && error_size > 0) {
        if (reader.error)
            json_reader_message(&reader, error_out, error_size);
        else
            snprintf(error_out, error_size, "%s", error);
    }
    release(tree, true);
    return NULL;
}

void json_tree_free(struct json_tree *tree) {
    release(tree, false);
}

void json_tree_wipe(struct json_tree *tree) {
    release(tree, true);
}

const struct json_value *json_root(const struct json_tree *tree) {
    return tree->root;
}

const struct json_value *json_get(const struct json_value *v, const char *key) {
    const struct json_value *found = NULL;
    if (!v || v->type != JSON_T_OBJECT)
        return NULL;
    size_t len = strlen(key);
    for (const struct json_value *member = v->child; member; member = member->next) {
        if (member->key_len == len && memcmp(member->key, key, len) == 0)
            found = member;
    }
    return found;
}

const char *json_get_text(const struct json_value *v, const char *key) {
    const struct json_value *member = json_get(v, key);
    return member && member->type == JSON_T_STRING ? member->text : NULL;
}
