/*
** Lua values and functions to wire text and back. The format is written down in docs/wire.md. Plain
** data is plain JSON; the rest is tagged in a way that plain data cannot imitate.
*/
#ifndef AWSYNC_CODEC_H
#define AWSYNC_CODEC_H

#include <stddef.h>
#include <stdbool.h>

#include <lua.h>

#include "host/binding/envelope.h"

enum { CODEC_DEPTH_MAX = 200 };

struct codec_options {
    const char *operation; /* begins every error: `push`, `invoke`, `return` */
    /* Most bytes of text: of a message as it is, of a call as it will be within its envelope
    ** (each quote and backslash takes two bytes there). The error says both figures and what was
    ** largest. */
    size_t limit;
    /* Signs messages with functions, modules or metatables and lets them in. NULL or empty: they
    ** are refused, and the error says how to get a key. Not used for calls. */
    const struct envelope_key *key;
    const char *request_id; /* of the sender, goes into the signature; NULL: none */
};

/* Pushes the text (a string) of the value at idx. Raises with the path of what cannot travel:
** `push: value.handler.co is a coroutine, which cannot leave its process`. */
void codec_encode(lua_State *L, int idx, const struct codec_options *options);
/* Pushes the value of a text, whoever wrote it; text is borrowed for the call. Raises when it is
** no JSON, of an unknown version, or has what a signature is needed for and none that holds.
** Under a signature it may load modules by `require`. */
void codec_decode(lua_State *L, const char *text, size_t len, const struct codec_options *options);

/* Pushes plain JSON of the value at idx, for results that leave awsync's world. What has no
** plain JSON form is refused with its path: non-string keys of maps, cycles, functions, nan. nil
** is `null`, an empty table `{}`; cjson's null and array marks are honoured, metatables ignored. */
void codec_encode_json(lua_State *L, int idx, const char *operation);
/* Pushes the value of plain JSON: integers and floats apart, null inside as awsync.null and on top
** as nil. what names the text in errors: `event is no JSON: a value expected at byte 0`. */
void codec_decode_json(lua_State *L, const char *text, size_t len, const char *what);

/* A call: pushes JSON text of the function at fn and its n arguments in the slots from first on.
** Errors name `argument 2.x`, `upvalue 'db' of function 'work' (main.lua:12)`. The text is not
** signed here: it is an envelope's payload. */
void codec_encode_call(lua_State *L, int fn, int first, int n, const struct codec_options *options);
/* The reverse, only for payloads whose signature held: pushes the function and its arguments,
** returns how many arguments. */
int codec_decode_call(lua_State *L, const char *text, size_t len,
                      const struct codec_options *options);

/* Pushes the name by which a function is called in messages: `square`, `module.square`, else
** `main.lua:12`. Always UTF-8. */
void codec_function_name(lua_State *L, int idx);

/* awsync.null: JSON's null inside of values. The same light userdata as cjson.null. */
#define codec_push_null(L) lua_pushlightuserdata((L), NULL)

/* --- what the channel binding provides (channel.c): how channels travel in values ------------- */

struct channel_ref {
    const char *url; /* borrowed while the channel lives */
    bool unordered;
    bool sender, receiver; /* both: a whole channel; one: a view */
    int visibility_s;
    bool bounded;
    int capacity; /* when bounded */
    bool stream;
    int max_receives; /* 0: any number */
};
/* True when the value at idx is a channel; fills ref, waiting for the queue's making. Raises on
** a deleted channel. */
bool lchannel_ref(lua_State *L, int idx, struct channel_ref *ref);
/* Pushes the channel of ref: the same queue gives the same Lua object while that lives. Channels
** need no signature: the URL may be a stranger's, and any text without a NUL. */
void lchannel_push(lua_State *L, const struct channel_ref *ref);

#endif
