/* Private to the codec: what its files share. */
#ifndef AWSYNC_CODEC_INTERNAL_H
#define AWSYNC_CODEC_INTERNAL_H

#include <stdint.h>
#include <stdnoreturn.h>

#include <lauxlib.h>
#include <lua.h>

#include "host/base/buf.h"
#include "host/binding/codec.h"
#include "host/json/json.h"

/* --- a map from addresses to numbers (codec_map.c) -------------------------------------------- */

enum { CODEC_MAP_FIRST = 64 };

struct codec_map {
    const void **keys; /* NULL: free */
    uint32_t *values;
    size_t cap; /* a power of two */
    size_t count;
    const void *first_keys[CODEC_MAP_FIRST];
    uint32_t first_values[CODEC_MAP_FIRST];
};

enum codec_map_result { CODEC_MAP_NEW, CODEC_MAP_OLD, CODEC_MAP_NO_MEMORY };

void codec_map_init(struct codec_map *map);
void codec_map_free(struct codec_map *map);
/* Adds the key with this value unless it is there; then old gets the value that it has. */
enum codec_map_result codec_map_put(struct codec_map *map, const void *key, uint32_t value,
                                    uint32_t *old);

/* --- the path to a value, for messages (codec_path.c) ----------------------------------------- */

enum codec_step_kind {
    STEP_ROOT,     /* `value` */
    STEP_CALLED,   /* the function of a call */
    STEP_ARGUMENT, /* `argument n` */
    STEP_FIELD,    /* the value whose key is in the slot */
    STEP_INDEX,    /* [n] */
    STEP_KEY,      /* the key in the slot itself */
    STEP_UPVALUE,  /* number n of the function in the slot */
};

/* Lives on the C stack of the walk. */
struct codec_step {
    const struct codec_step *up;
    enum codec_step_kind kind;
    int slot;
    lua_Integer n;
    unsigned depth;    /* tables and functions around the value */
    const void *table; /* that the value is in: by this cycles are seen where no map is kept */
};

/* --- encoder ---------------------------------------------------------------------------------- */

/* What codec_map gives for tables and functions that are loaded modules. */
#define CODEC_MODULE UINT32_MAX

struct codec_encoder { /* a userdata: buffers and maps go when it is collected */
    lua_State *L;
    const char *operation;
    struct buf out;
    struct buf text;          /* for dumps and messages */
    struct codec_map objects; /* tables, functions, channels */
    struct codec_map cells;   /* upvalues */
    uint32_t object_count, cell_count, code_count;
    int names, codes,
        part;           /* stack slots: cache of names; dump to number; path of the largest part */
    bool strict;        /* plain JSON or an error */
    bool modules_known; /* objects has the loaded modules */
    bool may_name;      /* what names things or carries code may go out: it will be signed */
    bool named;         /* and something did */
    size_t whole;       /* not 0: a second walk, to find the largest part of that many bytes */
    size_t part_size;
    bool part_found;
    bool busy; /* until codec_encoder_done; after an error of Lua's own for ever */
};

/* Gives the userdata on top a metatable with this finalizer; key: an address of its own. */
void codec_set_finalizer(lua_State *L, const void *key, lua_CFunction collect);

/* codec_encode.c: pushes the encoder and three more slots. The state keeps one that is used again:
** a userdata with a finalizer costs as much as a small message. */
struct codec_encoder *codec_encoder_new(lua_State *L, const char *operation);
void codec_encoder_restart(struct codec_encoder *E);
/* Frees what the encoder holds but for a little room, for its next use. */
void codec_encoder_done(struct codec_encoder *E);
noreturn void codec_no_memory(lua_State *L);
/* The same for an encoder, which gives back what it holds. */
noreturn void codec_encoder_fail(struct codec_encoder *E);
/* Enters an object of the message. True when it is new; else *old is its number or CODEC_MODULE. */
bool codec_object_new(struct codec_encoder *E, const void *object, uint32_t *old);
/* Whether the integer keys of the table in slot t are 1..n and it has no others; n then. */
bool codec_is_sequence(lua_State *L, int t, lua_Integer *n);

/* codec_path.c */
/* Raises `operation: path ` and the text. */
noreturn void codec_refuse(struct codec_encoder *E, const struct codec_step *step,
                           const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Raises for a value of a type that never travels; it is on top of the stack. */
noreturn void codec_refuse_value(struct codec_encoder *E, const struct codec_step *step);
/* In the second walk: the value of step begins at this offset of the text and ends at its end. */
void codec_note_part(struct codec_encoder *E, const struct codec_step *step, size_t begin);
/* Raises: size bytes are too many. A second walk has been made. */
noreturn void codec_refuse_size(struct codec_encoder *E, const char *what, const char *as,
                                size_t size, const char *whose, size_t limit);

/* codec_text.c: bytes of JSON, appended to E->out. They raise when memory runs out. */
char *codec_room_slow(struct codec_encoder *E, size_t len);
static inline char *codec_room(struct codec_encoder *E, size_t len) {
    if (E->out.cap - E->out.len > len)
        return E->out.data + E->out.len;
    return codec_room_slow(E, len);
}
static inline void codec_addc(struct codec_encoder *E, char c) {
    *codec_room(E, 1) = c;
    E->out.len++;
}
void codec_add(struct codec_encoder *E, const char *text, size_t len);
#define codec_add_literal(E, text) codec_add(E, text, sizeof(text) - 1)
void codec_add_integer(struct codec_encoder *E, lua_Integer value);
void codec_add_double(struct codec_encoder *E, lua_Number value);
/* With quotes; begin, one character or none, goes before it, inside of them. False, and nothing is
** added, when text is not UTF-8. */
bool codec_add_string(struct codec_encoder *E, const char *begin, const char *text, size_t len);
void codec_add_base64(struct codec_encoder *E, const void *data, size_t len);

/* codec_plain.c: the value on top of the stack, which stays there. False when it has no plain
** form; out and the stack are then in disorder. With E->strict it raises instead. */
bool codec_plain(struct codec_encoder *E, const struct codec_step *step);

/* codec_tagged.c: the same for any value. */
void codec_tagged(struct codec_encoder *E, const struct codec_step *step);
/* codec_function.c: {"$f":...} of the function on top. */
void codec_tagged_function(struct codec_encoder *E, const struct codec_step *step);
/* {"$g":["module","field"]} of the value on top: a module, or a function of one. */
void codec_tagged_name(struct codec_encoder *E, const struct codec_step *step);
/* Adds the JSON of the name of the value at idx, false when it has none. own: only in awsync's
** own modules. */
bool codec_add_name(struct codec_encoder *E, int idx, bool own);
/* Raises when nothing signs what names things or carries code. */
void codec_need_signature(struct codec_encoder *E, const struct codec_step *step, const char *what);

/* codec_mark.c: cjson's marks for arrays. */
/* The table on top has the metatable at idx: is it one of cjson's marks and nothing else? */
bool codec_is_array_mark(lua_State *L, int idx);
/* Is the light userdata at idx cjson's empty array? */
bool codec_is_empty_array(lua_State *L, int idx);

/* --- names (codec_name.c) --------------------------------------------------------------------- */

/* Pushes the names of module and field, nil for the field when the value at idx is the module.
** False and nothing when there is none. With several names the first in alphabetical order. */
bool codec_name_find(lua_State *L, int idx, bool own);
/* The reverse; field may be NULL. Loads the module if need be. Raises when there is none. */
void codec_name_push(lua_State *L, const char *operation, const char *module, const char *field);

/* --- decoder ---------------------------------------------------------------------------------- */

struct codec_decoder { /* a local of the C function that decodes: it owns nothing */
    lua_State *L;
    const char *operation;
    const char *subject; /* after the operation in messages: `: message` or nothing */
    struct json_reader reader;
    int objects, codes, cells; /* stack slots of tables */
    int box;                   /* and of the userdata that has the scratch buffer */
    struct buf *scratch;       /* NULL until codec_scratch */
    uint32_t object_count, code_count, cell_count;
    bool trusted; /* a signature held */
};

/* codec_decode.c: pushes four slots. */
void codec_decoder_init(struct codec_decoder *D, lua_State *L, const char *operation,
                        const char *text, size_t len, unsigned max_depth);
void codec_decoder_free(struct codec_decoder *D);
/* An empty buffer; valid until the next call. */
struct buf *codec_scratch(struct codec_decoder *D);
/* Raises operation, subject and the text: `pop: message is no JSON: ...`. */
noreturn void codec_fail(struct codec_decoder *D, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Raises for the reader's error, or for a token that is out of place. */
noreturn void codec_fail_token(struct codec_decoder *D, enum json_token token);
/* Pushes the string that the reader is at. */
void codec_push_string(struct codec_decoder *D);
/* Pushes the value that the token begins. */
void codec_read_plain(struct codec_decoder *D, enum json_token token);

/* codec_untag.c */
enum { CODEC_TAGGED_DEPTH = 4 * CODEC_DEPTH_MAX + 16 };
void codec_read_tagged(struct codec_decoder *D, enum json_token token);
/* Keeps the value on top as the next object of the message. */
void codec_keep_object(struct codec_decoder *D);
void codec_expect(struct codec_decoder *D, enum json_token wanted);
/* codec_function.c: what follows the key "$f". */
void codec_read_function(struct codec_decoder *D);
/* Raises unless a signature held. */
void codec_need_trust(struct codec_decoder *D, const char *what);
/* Pushes the bytes of the base64 string that the reader is at. */
void codec_push_base64(struct codec_decoder *D);

#endif
