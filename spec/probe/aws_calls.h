/* SQS and Lambda by the client's probe. */
#ifndef PROBE_AWS_CALLS_H
#define PROBE_AWS_CALLS_H

#include "spec/probe/aws_answers.h"

/* Pairs of a table field; texts stay on the stack. */
static size_t field_pairs(lua_State *L, int table, const char *name, struct sqs_pair *out) {
    size_t count = 0;
    lua_getfield(L, table, name);
    int list = lua_gettop(L);
    if (!lua_istable(L, list))
        return 0;
    lua_pushnil(L);
    while (count < LIST_MAX && lua_next(L, list)) {
        out[count++] = (struct sqs_pair){luaL_checkstring(L, -2), luaL_checkstring(L, -1)};
        lua_pushvalue(L, -2);
    }
    return count;
}

static size_t field_texts(lua_State *L, int table, const char *name, const char **out) {
    size_t count = 0;
    lua_getfield(L, table, name);
    int list = lua_gettop(L);
    if (!lua_istable(L, list))
        return 0;
    for (lua_Integer i = 1; i <= luaL_len(L, list) && count < LIST_MAX; i++) {
        lua_geti(L, list, i);
        out[count++] = luaL_checkstring(L, -1);
    }
    return count;
}

static size_t field_sends(lua_State *L, int table, struct sqs_send *out) {
    size_t count = 0;
    lua_getfield(L, table, "entries");
    int list = lua_gettop(L);
    for (lua_Integer i = 1; i <= luaL_len(L, list) && count < LIST_MAX; i++) {
        lua_geti(L, list, i);
        int entry = lua_gettop(L);
        struct sqs_send *e = &out[count++];
        *e = (struct sqs_send){.group_id = field(L, entry, "group"),
                               .deduplication_id = field(L, entry, "dedup"),
                               .delay_s = (int)field_integer(L, entry, "delay", 0)};
        lua_getfield(L, entry, "body");
        e->body = luaL_checklstring(L, -1, &e->body_len);
    }
    return count;
}

/* sqs(tag, operation, arguments) -> id */
static int client_sqs(lua_State *L) {
    static const char *const names[] = {"create", "url",        "delete_queue", "tag",
                                        "list",   "attributes", "tags",         "send",
                                        "delete", "visibility", "receive",      NULL};
    struct station *s = check_station(L);
    lua_Integer tag = luaL_checkinteger(L, 2);
    int op = luaL_checkoption(L, 3, NULL, names);
    luaL_checktype(L, 4, LUA_TTABLE);
    luaL_checkstack(L, 20 + 6 * LIST_MAX, "arguments");
    struct sqs_pair pairs[LIST_MAX], tags[LIST_MAX];
    struct sqs_send sends[LIST_MAX];
    const char *texts[LIST_MAX];
    size_t count = 0, tag_count = 0;
    const char *url = field(L, 4, "url"), *name = field(L, 4, "name");
    const char *token = field(L, 4, "token"), *attempt = field(L, 4, "attempt");
    struct sqs_receive in = {.max_messages = (int)field_integer(L, 4, "max", 10),
                             .wait_s = (int)field_integer(L, 4, "wait", 0),
                             .visibility_s = (int)field_integer(L, 4, "visibility", -1),
                             .attempt_id = attempt};
    if (op == 0)
        count = field_pairs(L, 4, "attributes", pairs);
    if (op == 0 || op == 3)
        tag_count = field_pairs(L, 4, "tags", tags);
    if (op == 5)
        count = field_texts(L, 4, "names", texts);
    if (op == 7)
        count = field_sends(L, 4, sends);
    if (op == 8 || op == 9)
        count = field_texts(L, 4, "handles", texts);

    struct aws_client *c = s->client;
    struct ticket *t = ticket_new(L, s, tag);
    uint64_t id = 0;
    switch (op) {
    case 0:
        id = sqs_create_queue(c, name, pairs, count, tags, tag_count, on_url, t);
        break;
    case 1:
        id = sqs_get_queue_url(c, name, on_url, t);
        break;
    case 2:
        id = sqs_delete_queue(c, url, on_plain, t);
        break;
    case 3:
        id = sqs_tag_queue(c, url, tags, tag_count, on_plain, t);
        break;
    case 4:
        id = sqs_list_queues(c, name, token, on_list, t);
        break;
    case 5:
        id = sqs_get_attributes(c, url, texts, count, on_pairs, t);
        break;
    case 6:
        id = sqs_list_tags(c, url, on_pairs, t);
        break;
    case 7:
        id = sqs_send_batch(c, url, sends, count, on_batch, t);
        break;
    case 8:
        id = sqs_delete_batch(c, url, texts, count, on_batch, t);
        break;
    case 9:
        id = sqs_change_visibility_batch(c, url, texts, count, in.visibility_s, on_batch, t);
        break;
    default:
        id = sqs_receive(c, url, &in, on_receive, t);
    }
    return push_id(L, t, id);
}

/* lambda(tag, arguments) -> id */
static int client_lambda(lua_State *L) {
    static const char *const types[] = {"RequestResponse", "Event", "DryRun", NULL};
    struct station *s = check_station(L);
    lua_Integer tag = luaL_checkinteger(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    struct lambda_invoke in = {
        .function = field(L, 3, "fn"),
        .qualifier = field(L, 3, "qualifier"),
        .client_context = field(L, 3, "context"),
        .log_tail = field_bool(L, 3, "log"),
        .timeout_ms = field_integer(L, 3, "timeout_ms", 0),
    };
    lua_getfield(L, 3, "type");
    in.type = (enum lambda_invocation_type)luaL_checkoption(L, -1, "RequestResponse", types);
    lua_getfield(L, 3, "payload");
    in.payload = luaL_optlstring(L, -1, "", &in.payload_len);
    struct ticket *t = ticket_new(L, s, tag);
    return push_id(L, t, lambda_invoke(s->client, &in, on_invoke, t));
}

#endif
