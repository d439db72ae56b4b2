/* A spawned call is run by the process that claims it. See binding.h and host/channel/claim.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "host/binding/failed.h"
#include "host/binding/family.h"
#include "host/binding/host.h"

enum { NAME_SIZE = 129 };

/* `f` of `f`, `123456789012:function:f` and a whole ARN, each with or without a qualifier. */
static void plain_name(const char *text, char out[NAME_SIZE]) {
    const char *mark = strstr(text, "function:");
    text = mark != NULL ? mark + strlen("function:") : text;
    snprintf(out, NAME_SIZE, "%.*s", (int)strcspn(text, ":"), text);
}

struct claimer *family_claimer(lua_State *L, struct host *host) {
    struct family *f = &host->family;
    const char *variable = getenv("AWS_LAMBDA_FUNCTION_NAME");
    char name[NAME_SIZE];
    if (f->claimer == NULL)
        f->claimer = claimer_new(host->client);
    if (f->claimer == NULL)
        luaL_error(L, "not enough memory");
    plain_name(variable != NULL ? variable : "", name);
    claimer_set_queue(f->claimer, name, host->queue_base);
    return f->claimer;
}

static struct family_claimed *find_claimed(struct family *f) {
    for (size_t i = 0; i < FAMILY_CLAIMED_MAX && i < f->claimed_count; i++)
        if (strcmp(f->claimed[i].call, f->claims.call) == 0)
            return &f->claimed[i];
    return NULL;
}

void binding_claim_begin(lua_State *L) {
    struct host *host = host_ready(L);
    if (find_claimed(&host->family) == NULL)
        claimer_begin(family_claimer(L, host), host->family.claims.call);
}

enum binding_claim binding_claim(lua_State *L) {
    struct host *host = host_get(L);
    struct family *f = &host->family;
    const struct family_claimed *before = find_claimed(f);
    if (before != NULL)
        return before->failed ? BINDING_FAILED : BINDING_TAKEN;
    struct aws_error error;
    enum claim claim = claimer_wait(f->claimer, host->wait_until, &error);
    if (host->queue_base[0] == '\0')
        claimer_base(f->claimer, host->queue_base, sizeof host->queue_base);
    if (claim == CLAIM_FAILED) {
        lua_pushfstring(L, "the call could not be claimed, and has not been run: %s: %s",
                        error.code, error.message);
        failed_raise(L, FAILED_UNCLAIMED);
    }
    if (claim == CLAIM_TAKEN)
        return BINDING_TAKEN;
    struct family_claimed *slot = &f->claimed[f->claimed_count++ % FAMILY_CLAIMED_MAX];
    snprintf(slot->call, sizeof slot->call, "%s", f->claims.call);
    slot->failed = false;
    return BINDING_OURS;
}

void binding_claim_fails(lua_State *L) {
    struct family_claimed *claimed = find_claimed(&host_get(L)->family);
    if (claimed != NULL)
        claimed->failed = true;
}
