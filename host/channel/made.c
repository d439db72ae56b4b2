/* Whose a channel is. See inbox.h. */
#include "host/channel/inbox.h"
#include "host/channel/internal.h"

bool chan_made_here(const struct chan *c) {
    pthread_mutex_lock(&c->hub->lock);
    bool made = c->made;
    pthread_mutex_unlock(&c->hub->lock);
    return made;
}
