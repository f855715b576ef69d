/* Implements follow.h.
 * The log of a container ends with the container, but the application continues in the next one. Therefore
 * io.hostlet.Reconciler.Watch is followed, too: it shows when a replica has another container, and whether
 * there can be another one. */
#include "ctl/follow.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "ctl/call.h"
#include "lib/api/reconciler.h"
#include "lib/varlink/follow.h"

#define AGAIN_USEC (100 * USEC_PER_MSEC)

struct follow;

struct followed {
    struct follow *follow;
    struct log_source *source;
    sd_event_source *io; /* NULL: the source is not open */
    bool lives;          /* the replica has a container that writes, or gets one */
    bool wanted;         /* the source has to be opened: it lives, or was never read */
};

struct follow {
    struct ctl *ctl;
    const char *instance;
    sd_event *event;
    struct timer again;
    struct clock clock;
    struct follower *follower; /* of the instance */
    struct followed *items;
    size_t n;
    bool over; /* no source will be opened any more */
    int code;
};

static void on_again(void *userdata);

static void try_again_later(struct follow *f)
{
    timer_arm(&f->again, f->event, AGAIN_USEC, on_again, f);
}

static void end_when_over(struct follow *f)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->items[i].io)
            return;
    if (f->over)
        sd_event_exit(f->event, f->code);
}

static void fail(struct follow *f, const struct error *e)
{
    int code = ctl_fail(e);
    f->code = f->code ?: code;
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    (void)source, (void)fd, (void)revents;
    struct followed *item = userdata;
    struct error e = ERROR_INIT;
    int r = log_source_read(item->source, &e);
    if (r > 0)
        return 0;
    item->io = sd_event_source_disable_unref(item->io);
    if (r < 0 && item->follow->over)
        fail(item->follow, &e);
    else if (r < 0)
        log_notice("%s", e.message);
    item->wanted = item->lives;
    if (item->wanted)
        try_again_later(item->follow);
    end_when_over(item->follow);
    return 0;
}

/* Opens a source and waits for its data. Returns false, with the error, if it cannot be opened. */
static bool open_one(struct followed *item, struct error *e)
{
    struct follow *f = item->follow;
    if (log_source_open(f->ctl, item->source, f->instance, true, e) < 0)
        return false;
    int r = sd_event_add_io(f->event, &item->io, item->source->fd, EPOLLIN, on_readable, item);
    if (r < 0)
        fatal(EXIT_FAILED, "cannot wait for the log: %s", strerrordesc_np(-r));
    return true;
}

/* Opens the sources that have a container again. Retries if the driver is not running, or if the next
 * container does not exist yet. */
static void open_wanted(struct follow *f)
{
    for (size_t i = 0; i < f->n; i++) {
        struct followed *item = &f->items[i];
        struct error e = ERROR_INIT;
        if (item->io || !item->wanted || open_one(item, &e))
            continue;
        bool passes = e.class == ERROR_RETRY || e.class == ERROR_SERVICE_DOWN;
        item->wanted = passes || (item->lives && e.class == ERROR_NOT_FOUND);
        if (item->wanted)
            try_again_later(f);
        else if (e.class != ERROR_NOT_FOUND)
            fail(f, &e);
    }
}

/* Reports whether the replica has a container that can write. A failed replica can run an old revision. */
static bool writes(const struct reconciler_replica *r)
{
    return r->state == REPLICA_STARTING || r->state == REPLICA_RUNNING || r->state == REPLICA_PAUSED ||
           r->state == REPLICA_CRASH_LOOPING || r->state == REPLICA_STOPPING ||
           (r->state == REPLICA_FAILED && r->revision > 0);
}

static void on_state(struct follow *f, const struct reconciler_instance *instance)
{
    bool any = false;
    for (size_t i = 0; i < f->n; i++) {
        const struct reconciler_replica *replica = NULL;
        for (size_t k = 0; k < instance->n_replicas; k++)
            if (instance->replicas[k]->id == f->items[i].source->replica)
                replica = instance->replicas[k];
        f->items[i].lives = replica && writes(replica);
        f->items[i].wanted = f->items[i].lives || (replica && f->items[i].source->ended_usec == 0);
        any |= f->items[i].lives;
    }
    f->over = instance->settled && !any;
    open_wanted(f);
    end_when_over(f);
}

static void be_over(struct follow *f)
{
    f->over = true;
    follower_free(f->follower);
    f->follower = NULL;
    end_when_over(f);
}

static void on_item(const void *answer, void *userdata)
{
    struct follow *f = userdata;
    const struct reconciler_watch_out *out = answer;
    if (out->gone)
        be_over(f);
    else if (out->instance)
        on_state(f, out->instance);
}

static void on_lost(const struct error *e, bool quickly, void *userdata)
{
    (void)quickly;
    struct follow *f = userdata;
    if (e->class == ERROR_RETRY || e->class == ERROR_SERVICE_DOWN)
        return;
    if (e->class != ERROR_NOT_FOUND) /* destroyed */
        fail(f, e);
    be_over(f);
}

static void on_again(void *userdata)
{
    open_wanted(userdata);
}

int follow_logs(struct ctl *ctl, const char *instance, struct log_source *sources, size_t n)
{
    _cleanup_free_ struct followed *items = xcalloc(n, sizeof *items);
    static const struct follower_handlers handlers = {.item = on_item, .lost = on_lost};
    _cleanup_free_ char *socket = tree_socket(&ctl->tree, ctl_reconciler.socket);
    const struct reconciler_name_in in = {.name = (char *)instance};
    struct follow f = {.ctl = ctl, .instance = instance, .items = items, .n = n};
    int r = sd_event_new(&f.event);
    for (size_t i = 0; r >= 0 && i < n; i++)
        items[i] = (struct followed){.follow = &f, .source = &sources[i]};
    if (r >= 0) {
        clock_init(&f.clock, f.event);
        f.follower = follower_new(&(struct follower_options){.clock = &f.clock,
                                                             .socket = socket,
                                                             .interface = &reconciler_interface,
                                                             .in = &in,
                                                             .pauses = {AGAIN_USEC, AGAIN_USEC},
                                                             .handlers = &handlers,
                                                             .userdata = &f});
        r = sd_event_loop(f.event);
    }
    follower_free(f.follower);
    for (size_t i = 0; i < n; i++)
        sd_event_source_disable_unref(items[i].io);
    timer_stop(&f.again);
    sd_event_unref(f.event);
    if (r < 0)
        log_error("the event loop failed: %s", strerrordesc_np(-r));
    return r < 0 ? EXIT_FAILED : r;
}
