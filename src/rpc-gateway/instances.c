/* Implements instances.h. */
#include "rpc-gateway/instances.h"

#include <stdlib.h>

#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "lib/varlink/follow.h"

struct instances {
    struct caller caller;
    instances_fn on_change;
    instances_complete_fn on_complete;
    void *userdata;
    struct clock clock;
    struct follower *follower;
    unsigned generation; /* number of the snapshot: an instance that it did not contain no longer exists */
    struct reconciler_instance **items;
    unsigned *generations;
    size_t n;
};

static size_t find(const struct instances *x, const char *name)
{
    size_t i = 0;
    while (i < x->n && !streq(x->items[i]->name, name))
        i++;
    return i;
}

static void drop(struct instances *x, size_t i)
{
    struct reconciler_instance *gone = x->items[i];
    x->items[i] = x->items[--x->n];
    x->generations[i] = x->generations[x->n];
    x->on_change(gone, NULL, x->userdata);
    schema_free(&reconciler_instance_schema, gone);
}

static void put(struct instances *x, const struct reconciler_instance *instance)
{
    size_t i = find(x, instance->name);
    struct reconciler_instance *before = i < x->n ? x->items[i] : NULL;
    if (before && schema_equal(&reconciler_instance_schema, before, instance)) {
        x->generations[i] = x->generation;
        return;
    }
    if (!before) {
        x->items = xrealloc(x->items, x->n + 1, sizeof(struct reconciler_instance *));
        x->generations = xrealloc(x->generations, x->n + 1, sizeof *x->generations);
        x->n++;
    }
    x->items[i] = xcalloc(1, sizeof *x->items[i]);
    schema_copy(&reconciler_instance_schema, instance, x->items[i]);
    x->generations[i] = x->generation;
    x->on_change(before, x->items[i], x->userdata);
    schema_free(&reconciler_instance_schema, before);
}

static void on_reset(void *userdata)
{
    struct instances *x = userdata;
    x->generation++;
}

static void on_item(const void *out, void *userdata)
{
    struct instances *x = userdata;
    const struct reconciler_watch_out *told = out;
    if (told->instance && told->gone) {
        size_t i = find(x, told->instance->name);
        if (i < x->n)
            drop(x, i);
    } else if (told->instance) {
        put(x, told->instance);
    }
}

static void on_whole(const void *out, void *userdata)
{
    (void)out;
    struct instances *x = userdata;
    for (size_t i = x->n; i-- > 0;)
        if (x->generations[i] != x->generation)
            drop(x, i);
    x->on_complete(x->userdata);
}

static void on_lost(const struct error *e, bool quickly, void *userdata)
{
    (void)quickly, (void)userdata;
    log_debug("the reconciler does not reply: %s", e->message);
}

/* Starts the Watch by calls.h, which counts it. */
static void *call_watch(const struct varlink_call_options *options, varlink_answer_fn on_answer,
                        void *follower, void *userdata)
{
    struct instances *x = userdata;
    return call_start(&x->caller, &call_reconciler, options->method, options->in, options->more,
                      options->timeout_usec, on_answer, follower);
}

static void cancel_watch(void *call, void *userdata)
{
    (void)userdata;
    call_cancel(call);
}

bool instances_complete(const struct instances *x)
{
    return follower_is_complete(x->follower);
}

const struct reconciler_instance *const *instances_list(const struct instances *x, size_t *ret_n)
{
    *ret_n = x->n;
    return (const struct reconciler_instance *const *)x->items;
}

struct instances *instances_new(const struct caller *caller, instances_fn on_change,
                                instances_complete_fn on_complete, void *userdata)
{
    static const struct follower_handlers handlers = {on_reset, on_item, on_whole, on_lost};
    static const struct reconciler_name_in all = {.name = NULL};
    struct instances *x = xcalloc(1, sizeof *x);
    *x = (struct instances){
        .caller = *caller, .on_change = on_change, .on_complete = on_complete, .userdata = userdata};
    clock_init(&x->clock, caller->event);
    x->follower = follower_new(&(struct follower_options){.clock = &x->clock,
                                                          .interface = &reconciler_interface,
                                                          .in = &all,
                                                          .pauses = {50 * USEC_PER_MSEC, 15 * USEC_PER_SEC},
                                                          .handlers = &handlers,
                                                          .userdata = x,
                                                          .call = call_watch,
                                                          .cancel = cancel_watch});
    return x;
}

void instances_free(struct instances *x)
{
    if (!x)
        return;
    follower_free(x->follower);
    for (size_t i = 0; i < x->n; i++)
        schema_free(&reconciler_instance_schema, x->items[i]);
    free(x->items);
    free(x->generations);
    free(x);
}
