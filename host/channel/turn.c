/*
** Turns: the order between channels of what one process pushes.
**
** Every value and end mark has a place in one line of the hub's from its push until SQS has
** acknowledged it (or it is lost). Values of a channel that is busy pass those of others. Three
** things wait until nothing stands before them in that line: the first value of a channel that was
** idle when it was pushed, an end mark, and the deletion of a queue. So who has popped a word from
** `done` finds in `c` what was pushed there before the word.
**
** What waits here waits only for what was pushed before it, and a channel's own values stand in
** the line in their order: there is no circle, and nothing waits for a timer of this file.
*/
#include "host/channel/internal.h"

static void unlink_turn(struct turn *t) {
    struct chan_hub *hub = t->c->hub;
    *(t->before ? &t->before->after : &hub->first_turn) = t->after;
    *(t->after ? &t->after->before : &hub->last_turn) = t->before;
    t->before = t->after = NULL;
    t->taken = false;
}

void turn_take(struct turn *t, struct chan *c, enum turn_kind kind) {
    struct chan_hub *hub = c->hub;
    if (t->taken || (kind == TURN_DELETES && !hub->last_turn))
        return;
    *t = (struct turn){.c = c, .before = hub->last_turn, .kind = kind, .taken = true};
    *(t->before ? &t->before->after : &hub->first_turn) = t;
    hub->last_turn = t;
}

void turn_end(struct turn *t) {
    if (!t->taken)
        return;
    struct chan_hub *hub = t->c->hub;
    bool first = !t->before;
    unlink_turn(t);
    while (first && hub->first_turn && hub->first_turn->kind != TURN_PASSES) {
        struct turn *next = hub->first_turn;
        if (!hub->dead)
            hub_mark(next->c);
        if (next->kind != TURN_DELETES)
            break;
        unlink_turn(next);
    }
}

void turn_replace(struct turn *by, struct turn *t) {
    struct chan_hub *hub = t->c->hub;
    *by = *t;
    *(by->before ? &by->before->after : &hub->first_turn) = by;
    *(by->after ? &by->after->before : &hub->last_turn) = by;
    *t = (struct turn){0};
}

bool turn_has_come(const struct turn *t) {
    return !t->taken || t->kind == TURN_PASSES || !t->before;
}
