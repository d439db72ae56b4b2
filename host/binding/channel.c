/*
** Channels as Lua values.
**
** A channel that this process knows has one Lua object as long as that lives: a table with weak
** values finds it by its struct chan. `<close>` ends the handle, and with it the queue when it
** was made here. The collector deletes a queue only when its channel never travelled: otherwise
** another lambda may be using it, and the end of the invocation deletes it.
*/
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "host/aws/sqs.h"
#include "host/base/clock.h"
#include "host/binding/host.h"

#define CHANNEL_TYPE "awsync.Channel"
#define BOX_TYPE     "awsync.box"

enum { NAME_SIZE = 81, VISIBILITY_MAX_S = 43200 };
/* So often a waiting pop lets a debug hook run: Ctrl-C in lua5.4 sets one. */
enum { POP_SLICE_MS = 1000 };

struct channel {
    struct chan *chan; /* owned reference; NULL before the opening, after the end of the handle */
    bool own;          /* made here */
    bool travelled;    /* has been put into a value or a call */
    bool over;         /* deleted, or its scope has ended */
    bool sender, receiver; /* which directions it has */
    char name[NAME_SIZE];  /* for messages when chan is NULL */
};

static char known_key; /* its address is the registry's key of the table of known channels */

/* --- objects --------------------------------------------------------------------------------- */

static struct channel *new_object(lua_State *L) {
    struct channel *self = lua_newuserdatauv(L, sizeof *self, 0);
    *self = (struct channel){.sender = true, .receiver = true};
    luaL_setmetatable(L, CHANNEL_TYPE);
    return self;
}

/* Makes the object at the stack's top the one of its struct chan. */
static void remember(lua_State *L, const struct channel *self) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &known_key);
    lua_pushvalue(L, -2);
    lua_rawsetp(L, -2, self->chan);
    lua_pop(L, 1);
}

/* Gives the reference up. at: the object's slot. Raises nothing: an entry that is there is only
** emptied. */
static void let_go(lua_State *L, int at, struct channel *self) {
    struct chan *chan = self->chan;
    if (chan == NULL)
        return;
    snprintf(self->name, sizeof self->name, "%s", chan_name(chan));
    self->chan = NULL;
    self->over = true;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &known_key);
    if (lua_rawgetp(L, -1, chan) != LUA_TNIL && lua_rawequal(L, -1, at)) {
        lua_pushnil(L);
        lua_rawsetp(L, -3, chan);
    }
    lua_pop(L, 2);
    chan_release(chan);
}

static struct channel *to_channel(lua_State *L, int arg) {
    return luaL_checkudata(L, arg, CHANNEL_TYPE);
}

/* The channel for an operation, which must not have ended. */
static struct channel *to_live(lua_State *L, int arg) {
    struct channel *self = to_channel(L, arg);
    if (self->over || self->chan == NULL)
        luaL_error(L, "attempt to use a deleted channel (%s)",
                   self->chan ? chan_name(self->chan) : self->name);
    return self;
}

/* --- Channel([options]) ---------------------------------------------------------------------- */

static void read_options(lua_State *L, int arg, struct chan_options *options) {
    luaL_checktype(L, arg, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, arg) != 0) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        if (key != NULL && strcmp(key, "ordered") == 0) {
            if (!lua_isboolean(L, -1))
                luaL_argerror(L, arg,
                              lua_pushfstring(L, "option 'ordered' is a %s, not a boolean",
                                              luaL_typename(L, -1)));
            options->unordered = !lua_toboolean(L, -1);
        } else if (key != NULL && strcmp(key, "visibility") == 0) {
            int whole = 0;
            lua_Integer seconds =
                lua_type(L, -1) == LUA_TNUMBER ? lua_tointegerx(L, -1, &whole) : 0;
            if (!whole || seconds < 1 || seconds > VISIBILITY_MAX_S)
                luaL_argerror(L, arg,
                              "option 'visibility' should be whole seconds from 1 to 43200");
            options->visibility_s = (int)seconds;
        } else {
            luaL_argerror(L, arg,
                          lua_pushfstring(L, "unknown option '%s' (there are: ordered, visibility)",
                                          luaL_tolstring(L, -2, NULL)));
        }
        lua_pop(L, 1);
    }
}

int channel_new(lua_State *L) {
    struct chan_options options = {0};
    if (!lua_isnoneornil(L, 1))
        read_options(L, 1, &options);
    struct host *host = host_ready(L);
    struct channel *self = new_object(L);
    self->chan = chan_create(host->hub, &options);
    if (self->chan == NULL)
        return luaL_error(L, "Channel: not enough memory");
    self->own = true;
    remember(L, self);
    return 1;
}

/* --- push, pop, delete ----------------------------------------------------------------------- */

int channel_push(lua_State *L) {
    struct channel *self = to_live(L, 1);
    luaL_checkany(L, 2);
    if (!self->sender)
        return luaL_error(L, "push: this view of the channel only receives");
    struct host *host = host_ready(L);
    struct codec_options options = host_codec_options(L, host, "push", SQS_PAYLOAD_MAX);
    codec_encode(L, 2, &options);
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    for (;;) {
        struct chan_error error = {0};
        enum chan_result result = chan_push(self->chan, text, len, host->wait_until, &error);
        if (result == CHAN_OK)
            return 0;
        host_raise(L, host, "push", result, &error);
    }
}

/* Owns a message between its arrival and its decoding, which may raise. */
struct box {
    char *data;
    size_t len;
};

static int box_gc(lua_State *L) {
    struct box *box = lua_touserdata(L, 1);
    free(box->data);
    box->data = NULL;
    return 0;
}

static struct box *new_box(lua_State *L) {
    struct box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->data = NULL;
    if (luaL_newmetatable(L, BOX_TYPE)) {
        lua_pushcfunction(L, box_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return box;
}

/* Seconds at arg -> a deadline; none: never. */
static int64_t to_deadline(lua_State *L, int arg) {
    if (lua_isnoneornil(L, arg))
        return CHAN_FOREVER;
    lua_Number seconds = luaL_checknumber(L, arg);
    luaL_argcheck(L, seconds >= 0, arg, "timeout should be 0 or more seconds");
    if (seconds > 1e9)
        return CHAN_FOREVER;
    return clock_mono_ms() + (int64_t)ceil(seconds * 1000);
}

static int nothing(lua_State *L) {
    (void)L;
    return 0;
}

/* Lets a debug hook run, as of an interrupt: it may raise. */
static void run_hook(lua_State *L) {
    if ((lua_gethookmask(L) & LUA_MASKCALL) == 0)
        return;
    lua_pushcfunction(L, nothing);
    lua_call(L, 0, 0);
}

static int fail(lua_State *L, const char *reason) {
    lua_pushnil(L);
    lua_pushstring(L, reason);
    return 2;
}

int channel_pop(lua_State *L) {
    struct channel *self = to_live(L, 1);
    int64_t deadline = to_deadline(L, 2);
    if (!self->receiver)
        return luaL_error(L, "pop: this view of the channel only sends");
    struct host *host = host_ready(L);
    struct codec_options options = host_codec_options(L, host, "pop", SQS_PAYLOAD_MAX);
    struct box *box = new_box(L);
    for (;;) {
        int64_t until = clock_mono_ms() + POP_SLICE_MS;
        until = deadline < until ? deadline : until;
        until = host->wait_until < until ? host->wait_until : until;
        struct chan_error error = {0};
        enum chan_result result = chan_pop(self->chan, until, &box->data, &box->len, &error);
        if (result == CHAN_OK)
            break;
        if (result == CHAN_CLOSED)
            return fail(L, "closed");
        if (result != CHAN_TIMEOUT)
            host_raise(L, host, "pop", result, &error);
        int64_t now = clock_mono_ms();
        if (now >= deadline)
            return fail(L, "timeout");
        if (now >= host->wait_until)
            return host_out_of_time(L, "pop");
        run_hook(L);
        self = to_live(L, 1); /* a hook may have deleted it */
    }
    codec_decode(L, box->data, box->len, &options);
    free(box->data); /* not only when the collector comes: it may be large */
    box->data = NULL;
    return 1;
}

int channel_delete(lua_State *L) {
    struct channel *self = to_channel(L, 1);
    if (self->over || self->chan == NULL)
        return 0;
    struct host *host = host_ready(L);
    struct chan_error error = {0};
    enum chan_result result = chan_delete(self->chan, &error);
    self->over = true;
    if (result != CHAN_OK && result != CHAN_DELETED)
        host_raise(L, host, "delete", result, &error);
    return 0;
}

/* --- metamethods ----------------------------------------------------------------------------- */

/* __close and __gc; at the end of a scope the second argument is the scope's error, or nil. */
static int end_handle(lua_State *L, bool delete_queue) {
    struct channel *self = to_channel(L, 1);
    if (self->chan != NULL && !self->over && delete_queue) {
        struct chan_error error; /* what fails here is reported by the end of the invocation */
        chan_delete(self->chan, &error);
    }
    let_go(L, 1, self);
    return 0;
}

static int channel_close(lua_State *L) {
    return end_handle(L, to_channel(L, 1)->own);
}

static int channel_gc(lua_State *L) {
    struct channel *self = to_channel(L, 1);
    return end_handle(L, self->own && !self->travelled);
}

static int channel_tostring(lua_State *L) {
    struct channel *self = to_channel(L, 1);
    lua_pushfstring(L, "channel (%s%s)", self->chan != NULL ? chan_name(self->chan) : self->name,
                    self->over ? ", deleted" : "");
    return 1;
}

/* --- in values ------------------------------------------------------------------------------- */

bool lchannel_ref(lua_State *L, int idx, struct channel_ref *ref) {
    struct channel *self = luaL_testudata(L, idx, CHANNEL_TYPE);
    if (self == NULL)
        return false;
    struct host *host = host_get(L);
    const char *url = NULL;
    for (;;) {
        to_live(L, idx);
        struct chan_error error = {0};
        enum chan_result result = chan_url(self->chan, host->wait_until, &url, &error);
        if (result == CHAN_OK)
            break;
        host_raise(L, host, "Channel", result, &error);
    }
    self->travelled = true;
    const struct chan_options *options = chan_options_of(self->chan);
    *ref = (struct channel_ref){
        .url = url,
        .unordered = options->unordered,
        .visibility_s = options->visibility_s,
        .sender = self->sender,
        .receiver = self->receiver,
    };
    return true;
}

void lchannel_push(lua_State *L, const struct channel_ref *ref) {
    luaL_checkstack(L, 4, "too many channels");
    struct host *host = host_ready(L);
    struct chan_options options = {.unordered = ref->unordered, .visibility_s = ref->visibility_s};
    struct channel *self = new_object(L);
    self->chan = chan_open(host->hub, ref->url, &options);
    if (self->chan == NULL)
        luaL_error(L, "Channel: not enough memory");
    self->travelled = true;
    self->sender = ref->sender;
    self->receiver = ref->receiver;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &known_key);
    if (lua_rawgetp(L, -1, self->chan) == LUA_TNIL) {
        lua_pop(L, 2);
        if (self->sender && self->receiver) /* a view is not the channel */
            remember(L, self);
        return;
    }
    struct channel *known = luaL_testudata(L, -1, CHANNEL_TYPE);
    if (known->sender == self->sender && known->receiver == self->receiver) {
        lua_remove(L, -2); /* the table */
        lua_remove(L, -2); /* the new object: its collection releases the second reference */
    } else {
        lua_pop(L, 2);
    }
}

/* --- the type -------------------------------------------------------------------------------- */

static const luaL_Reg methods[] = {
    {"push", channel_push},
    {"pop", channel_pop},
    {"delete", channel_delete},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", channel_gc},
    {"__close", channel_close},
    {"__tostring", channel_tostring},
    {NULL, NULL},
};

void channel_open_type(lua_State *L) {
    if (luaL_newmetatable(L, CHANNEL_TYPE)) {
        luaL_setfuncs(L, metamethods, 0);
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
        lua_pushliteral(L, "locked");
        lua_setfield(L, -2, "__metatable");

        lua_newtable(L); /* known channels */
        lua_createtable(L, 0, 1);
        lua_pushliteral(L, "v");
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &known_key);
    }
    lua_pop(L, 1);
}
