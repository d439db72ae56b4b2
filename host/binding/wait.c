/* Waiting operations, between the channels' condition and Lua: deadlines, debug hooks, and the end
** of the invocation's time. See channel.h. */
#include <math.h>
#include <stdlib.h>

#include <lauxlib.h>

#include "host/base/clock.h"
#include "host/binding/channel.h"

#define WAIT_TYPE "awsync.wait"

/* So often a waiting operation lets a debug hook run: Ctrl-C in lua5.4 sets one. */
enum { SLICE_MS = 1000 };
/* When all calls have ended, so long what they pushed may need to appear; while SQS says that
** something is left, the pauses grow. */
enum { LAST_LOOK_MS = 400, LAST_LOOK_MAX_MS = 5000 };

/* --- deadlines ------------------------------------------------------------------------------- */

int64_t channel_deadline(lua_Number seconds) {
    return seconds > 1e9 ? CHAN_FOREVER : clock_mono_ms() + (int64_t)ceil(seconds * 1000);
}

int64_t channel_arg_deadline(lua_State *L, int arg) {
    if (lua_isnoneornil(L, arg))
        return CHAN_FOREVER;
    lua_Number seconds = luaL_checknumber(L, arg);
    luaL_argcheck(L, seconds >= 0, arg, "timeout should be 0 or more seconds");
    return channel_deadline(seconds);
}

int64_t channel_slice(const struct host *host, int64_t deadline) {
    int64_t until = clock_mono_ms() + SLICE_MS;
    until = deadline < until ? deadline : until;
    return host->wait_until < until ? host->wait_until : until;
}

static int nothing(lua_State *L) {
    (void)L;
    return 0;
}

void host_run_hook(lua_State *L) {
    if ((lua_gethookmask(L) & LUA_MASKCALL) == 0)
        return;
    lua_pushcfunction(L, nothing);
    lua_call(L, 0, 0);
}

bool channel_go_on(lua_State *L, const struct host *host, const char *operation, int64_t deadline) {
    int64_t now = clock_mono_ms();
    if (now >= deadline)
        return false;
    if (now >= host->wait_until)
        host_out_of_time(L, operation);
    host_listen(L, host_get(L), operation, deadline); /* what waits for room waits for calls, too */
    host_run_hook(L);
    return true;
}

/* --- waits ----------------------------------------------------------------------------------- */

void channel_wait_end(struct channel_wait *wait) {
    free(wait->data);
    wait->data = NULL;
    if (wait->lease != NULL)
        chan_lease_return(wait->lease, &(struct chan_error){0});
    wait->lease = NULL;
    for (size_t i = 0; i < wait->count; i++) {
        if (wait->cases[i].chan != NULL)
            chan_release(wait->cases[i].chan);
        wait->cases[i] = (struct chan_case){0};
    }
}

static int wait_gc(lua_State *L) {
    channel_wait_end(lua_touserdata(L, 1));
    return 0;
}

struct channel_wait *channel_wait_new(lua_State *L, size_t count) {
    struct channel_wait *wait;
    wait = lua_newuserdatauv(L, sizeof *wait + count * sizeof wait->cases[0], 0);
    *wait = (struct channel_wait){.count = count};
    for (size_t i = 0; i < count; i++)
        wait->cases[i] = (struct chan_case){0};
    luaL_setmetatable(L, WAIT_TYPE);
    return wait;
}

void channel_open_wait(lua_State *L) {
    if (luaL_newmetatable(L, WAIT_TYPE)) {
        lua_pushcfunction(L, wait_gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
}

void channel_wait_set(struct channel_wait *wait, size_t i, struct chan *chan, const char *data,
                      size_t len) {
    wait->cases[i] = (struct chan_case){.chan = chan_retain(chan), .data = data, .len = len};
}

/* Whether only the family of this invocation could make one of the cases ready. */
static bool is_ours(const struct channel_wait *wait) {
    bool some = false;
    for (size_t i = 0; i < wait->count; i++) {
        const struct chan_case *one = &wait->cases[i];
        if (one->chan == NULL)
            continue;
        if (one->data != NULL || !chan_made_here(one->chan))
            return false;
        some = true;
    }
    return some;
}

/* Whether nothing is left in any of the queues, also not in the hands of a process that has died. */
static bool nothing_left(lua_State *L, struct host *host, const char *operation,
                         const struct channel_wait *wait, int64_t until) {
    for (size_t i = 0; i < wait->count; i++) {
        struct chan_error error = {0};
        size_t rest = 0;
        if (wait->cases[i].chan == NULL)
            continue;
        enum chan_result result = chan_rest(wait->cases[i].chan, until, &rest, &error);
        if (result != CHAN_OK && result != CHAN_TIMEOUT)
            host_raise(L, host, operation, result, &error);
        if (result != CHAN_OK || rest > 0)
            return false; /* not known, or more to come */
    }
    return true;
}

enum chan_result channel_wait_run(lua_State *L, struct host *host, const char *operation,
                                  struct channel_wait *wait, int64_t deadline) {
    bool ours = deadline == CHAN_FOREVER && is_ours(wait);
    int64_t over_at = 0, pause = LAST_LOOK_MS;
    for (;;) {
        struct chan_error error = {0};
        int64_t until = channel_slice(host, deadline);
        host_listen(L, host, operation, deadline);
        if (ours && family_is_over(host)) {
            int64_t now = clock_mono_ms();
            if (over_at == 0)
                over_at = now + pause;
            else if (now >= over_at) {
                if (nothing_left(L, host, operation, wait, until))
                    family_raise_deadlock(L, host);
                pause = 2 * pause < LAST_LOOK_MAX_MS ? 2 * pause : LAST_LOOK_MAX_MS;
                over_at = clock_mono_ms() + pause;
            }
            until = over_at < until ? over_at : until;
        }
        chan_hub_expect(host->hub, deadline < host->wait_until ? deadline : host->wait_until);
        enum chan_result result =
            chan_select(host->hub, wait->cases, wait->count, until, &wait->which, &wait->data,
                        &wait->len, &wait->lease, &error);
        chan_hub_expect(host->hub, 0);
        bool of_pop = wait->which >= 0 && wait->cases[wait->which].data == NULL;
        if (result == CHAN_OK || (result == CHAN_CLOSED && of_pop))
            return result;
        if (result != CHAN_TIMEOUT)
            host_raise(L, host, operation, result, &error);
        else if (!channel_go_on(L, host, operation, deadline))
            return CHAN_TIMEOUT;
    }
}
