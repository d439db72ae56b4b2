/*
** Channels as Lua values: objects, views, and how they travel. See channel.h for their operations.
**
** A channel that this process knows has one Lua object as long as that lives: a table with weak
** values finds it by its struct chan. `<close>` ends the handle, and with it the queue when it
** was made here. The collector deletes a queue only when its channel never travelled: otherwise
** another lambda may be using it, and the end of the invocation deletes it.
*/
#include "host/binding/channel.h"

#include <stdio.h>

#include <lauxlib.h>

static char known_key; /* its address is the registry's key of the table of known channels */

/* --- objects --------------------------------------------------------------------------------- */

static struct channel *new_object(lua_State *L) {
    struct channel *self = lua_newuserdatauv(L, sizeof *self, 1);
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

static const char *name_of(const struct channel *self) {
    return self->chan != NULL ? chan_name(self->chan) : self->name;
}

struct channel *channel_check(lua_State *L, int arg) {
    struct channel *self = to_channel(L, arg);
    if (self->over || self->chan == NULL)
        luaL_error(L, "attempt to use a deleted channel (%s)", name_of(self));
    return self;
}

int channel_new(lua_State *L) {
    struct chan_options options = {0};
    if (!lua_isnoneornil(L, 1))
        channel_read_options(L, 1, &options);
    struct host *host = host_ready(L);
    struct channel *self = new_object(L);
    self->chan = chan_create(host->hub, &options);
    if (self->chan == NULL)
        return luaL_error(L, "Channel: not enough memory");
    self->own = true;
    remember(L, self);
    return 1;
}

int channel_delete(lua_State *L) {
    struct channel *self = to_channel(L, 1);
    if (!self->sender || !self->receiver)
        return luaL_error(L, "delete: this is a %s view of channel %s",
                          self->sender ? "send-only" : "receive-only", name_of(self));
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

/* --- views ----------------------------------------------------------------------------------- */

struct channel *channel_to_send(lua_State *L, int arg, const char *operation) {
    struct channel *self = channel_check(L, arg);
    if (!self->sender)
        luaL_error(L, "%s: this is a receive-only view of channel %s", operation, name_of(self));
    return self;
}

struct channel *channel_to_receive(lua_State *L, int arg, const char *operation) {
    struct channel *self = channel_check(L, arg);
    if (!self->receiver)
        luaL_error(L, "%s: this is a send-only view of channel %s", operation, name_of(self));
    return self;
}

/* Pushes the view of the channel in slot 1, which is returned itself when it is that view. */
static int push_view(lua_State *L, const struct channel *of, bool sender) {
    lua_settop(L, 1);
    if (of->sender && of->receiver) {
        struct channel *view = new_object(L);
        view->sender = sender;
        view->receiver = !sender;
        view->chan = chan_retain(of->chan);
        view->travelled = of->travelled;
        lua_pushvalue(L, 1); /* lives as long as its view: the collector deletes its queue */
        lua_setiuservalue(L, -2, 1);
    }
    return 1;
}

int channel_sender(lua_State *L) {
    return push_view(L, channel_to_send(L, 1, "sender"), true);
}

int channel_receiver(lua_State *L) {
    return push_view(L, channel_to_receive(L, 1, "receiver"), false);
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

static int end_scope(lua_State *L) {
    return end_handle(L, to_channel(L, 1)->own);
}

static int channel_gc(lua_State *L) {
    struct channel *self = to_channel(L, 1);
    return end_handle(L, self->own && !self->travelled);
}

/* A view is the channel that it is a view of, as in Go. */
static int channel_eq(lua_State *L) {
    struct channel *a = luaL_testudata(L, 1, CHANNEL_TYPE), *b = luaL_testudata(L, 2, CHANNEL_TYPE);
    lua_pushboolean(L, a != NULL && b != NULL && a->chan != NULL && a->chan == b->chan);
    return 1;
}

static int channel_tostring(lua_State *L) {
    struct channel *self = to_channel(L, 1);
    lua_pushfstring(L, "channel (%s%s%s)", name_of(self),
                    !self->sender     ? ", receive-only"
                    : !self->receiver ? ", send-only"
                                      : "",
                    self->over ? ", deleted" : "");
    return 1;
}

/* --- in values ------------------------------------------------------------------------------- */

/* Notes that others may know the channel at idx now, and the one that it is a view of. */
static void note_travel(lua_State *L, int idx, struct channel *self) {
    self->travelled = true;
    if (lua_getiuservalue(L, idx, 1) == LUA_TUSERDATA)
        to_channel(L, -1)->travelled = true;
    lua_pop(L, 1);
}

bool lchannel_ref(lua_State *L, int idx, struct channel_ref *ref) {
    struct channel *self = luaL_testudata(L, idx, CHANNEL_TYPE);
    if (self == NULL)
        return false;
    struct host *host = host_get(L);
    const char *url = NULL;
    for (;;) {
        channel_check(L, idx);
        struct chan_error error = {0};
        enum chan_result result = chan_url(self->chan, host->wait_until, &url, &error);
        if (result == CHAN_OK)
            break;
        host_raise(L, host, "Channel", result, &error);
    }
    note_travel(L, idx, self);
    /* Strangers may push to it from now on, whatever our own calls do. */
    if (chan_made_here(self->chan) &&
        (host->encoding == ENCODING_VALUE || host->encoding == ENCODING_DETACHED))
        host->family.blind = true;
    const struct chan_options *options = chan_options_of(self->chan);
    *ref = (struct channel_ref){
        .url = url,
        .unordered = options->unordered,
        .visibility_s = options->visibility_s,
        .sender = self->sender,
        .receiver = self->receiver,
        .bounded = options->bounded,
        .capacity = (int)options->capacity,
        .stream = options->stream,
        .max_receives = options->max_receives,
    };
    return true;
}

void lchannel_push(lua_State *L, const struct channel_ref *ref) {
    luaL_checkstack(L, 4, "too many channels");
    struct host *host = host_ready(L);
    struct chan_options options = {
        .unordered = ref->unordered,
        .visibility_s = ref->visibility_s,
        .bounded = ref->bounded,
        .capacity = (unsigned)ref->capacity,
        .stream = ref->stream,
        .max_receives = ref->max_receives,
    };
    const char *refused = chan_options_refuse(&options);
    if (refused != NULL)
        luaL_error(L, "the options of a channel that came: %s", refused);
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
    {"range", channel_range},
    {"lease", channel_lease},
    {"close", channel_close},
    {"len", channel_len},
    {"cap", channel_cap},
    {"sender", channel_sender},
    {"receiver", channel_receiver},
    {"delete", channel_delete},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", channel_gc}, {"__close", end_scope}, {"__tostring", channel_tostring},
    {"__eq", channel_eq}, {NULL, NULL},
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
    channel_open_range(L);
    channel_open_lease(L);
    channel_open_wait(L);
}
