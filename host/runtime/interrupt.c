/* See interrupt.h. */
#include "host/runtime/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>

#include "host/binding/binding.h"

/* Instructions until it raises again: at first there is time to clean up; in the end a pcall in a
** loop has none to begin the next round. */
static const int patience[] = {100000, 10000, 1000, 100, 10, 1};
enum { STRIKES_MAX = sizeof patience / sizeof patience[0] - 1 };

static lua_State *state;
static pthread_t thread;
static timer_t timer;
static bool has_timer, timer_runs;
static atomic_bool running, interrupted; /* interrupted: since the call has begun */
static lua_State *_Atomic current;       /* the coroutine that runs */
static int strikes;

/* A signal that programs do not use. */
static int number(void) {
    return SIGRTMIN + 5;
}

static void stop(lua_State *L, lua_Debug *ar) {
    (void)ar;
    if (!atomic_load(&running) || !atomic_load(&interrupted)) { /* a coroutine of an earlier call */
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    lua_sethook(L, stop, LUA_MASKCOUNT, patience[strikes]);
    strikes += strikes < STRIKES_MAX;
    binding_stop(L);
}

static void set_hook(lua_State *L) {
    lua_sethook(L, stop, LUA_MASKCOUNT | LUA_MASKCALL, 1);
}

static void on_signal(int signal_number) {
    (void)signal_number;
    if (!atomic_load(&running))
        return;
    atomic_store(&interrupted, true);
    set_hook(state);
    lua_State *here = atomic_load(&current);
    if (here != state)
        set_hook(here);
}

/* A count that runs already is not begun anew: short steps must not go on for ever. */
static void reach(lua_State *L) {
    if (atomic_load(&interrupted) && lua_gethook(L) != stop)
        lua_sethook(L, stop, LUA_MASKCOUNT, strikes > 0 ? patience[strikes - 1] : 1);
}

lua_State *interrupt_enter(lua_State *co) {
    lua_State *before = atomic_exchange(&current, co);
    reach(co);
    return before;
}

void interrupt_leave(lua_State *before) {
    atomic_store(&current, before);
    reach(before);
}

void interrupt_open(lua_State *L) {
    state = L;
    atomic_store(&current, L);
    thread = pthread_self();
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(number(), &action, NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number());
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = number()};
    has_timer = timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
}

/* at 0: no end. */
static void set_timer(int64_t at) {
    if (!has_timer || (at == 0 && !timer_runs))
        return;
    timer_runs = at != 0;
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(at / 1000), .tv_nsec = (long)(at % 1000) * 1000000}};
    timer_settime(timer, TIMER_ABSTIME, &when, NULL);
}

void interrupt_begin(int64_t at) {
    strikes = 0;
    atomic_store(&interrupted, false);
    atomic_store(&current, state);
    atomic_store(&running, true);
    if (at != INT64_MAX)
        set_timer(at);
}

void interrupt_end(void) {
    atomic_store(&running, false);
    atomic_store(&interrupted, false);
    set_timer(0);
    lua_sethook(state, NULL, 0, 0);
}

void interrupt_now(void) {
    if (atomic_load(&running))
        pthread_kill(thread, number());
}
