/* All instances of the machine; see instances.h. */
#include "rpc-gateway/instances.h"

#include <stdlib.h>

#include "lib/basic/log.h"
#include "lib/loop/retry.h"
#include "lib/loop/timer.h"

/* While the reconciler is not to be had. */
static const struct retry_policy policy = {50 * USEC_PER_MSEC, 15 * USEC_PER_SEC};

struct instances {
    struct caller caller;
    instances_fn on_change;
    instances_complete_fn on_complete;
    void *userdata;
    struct call *watch, *list;
    struct timer timer;
    struct retry retry;
    unsigned generation; /* of the connection: what it did not tell is gone */
    bool complete;
    struct reconciler_instance **items;
    unsigned *generations;
    size_t n;
};

static void begin(struct instances *x);

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

static void on_timer(void *userdata)
{
    begin(userdata);
}

static void begin_later(struct instances *x, const struct error *e)
{
    call_cancel(x->watch);
    call_cancel(x->list);
    x->watch = x->list = NULL;
    if (x->complete)
        log_debug("the reconciler is not there: %s", e->message);
    x->complete = false;
    timer_arm(&x->timer, x->caller.event, retry_next(&x->retry, &policy), on_timer, x);
}

static void on_watch(const void *out, bool continues, const struct error *e, void *userdata)
{
    struct instances *x = userdata;
    if (!continues)
        x->watch = NULL;
    if (e) {
        begin_later(x, e);
        return;
    }
    const struct reconciler_watch_out *told = out;
    if (told->instance && told->gone) {
        size_t i = find(x, told->instance->name);
        if (i < x->n)
            drop(x, i);
    } else if (told->instance) {
        put(x, told->instance);
    }
}

/* Watch does not say where the list ends, List does: what neither has told by then is gone. */
static void on_list(const void *out, bool continues, const struct error *e, void *userdata)
{
    struct instances *x = userdata;
    if (!continues)
        x->list = NULL;
    if (e) {
        begin_later(x, e);
        return;
    }
    const struct reconciler_watch_out *told = out;
    if (told->instance)
        put(x, told->instance);
    if (continues)
        return;
    for (size_t i = x->n; i-- > 0;)
        if (x->generations[i] != x->generation)
            drop(x, i);
    x->complete = true;
    x->retry.failures = 0;
    x->on_complete(x->userdata);
}

static void begin(struct instances *x)
{
    const struct reconciler_name_in all = {.name = NULL};
    x->generation++;
    x->watch = call_start(&x->caller, &call_reconciler, "Watch", &all, true, 0, on_watch, x);
    x->list = call_start(&x->caller, &call_reconciler, "List", NULL, true, 10 * USEC_PER_SEC, on_list, x);
}

bool instances_complete(const struct instances *x)
{
    return x->complete;
}

const struct reconciler_instance *const *instances_list(const struct instances *x, size_t *ret_n)
{
    *ret_n = x->n;
    return (const struct reconciler_instance *const *)x->items;
}

struct instances *instances_new(const struct caller *caller, instances_fn on_change,
                                instances_complete_fn on_complete, void *userdata)
{
    struct instances *x = xcalloc(1, sizeof *x);
    *x = (struct instances){
        .caller = *caller, .on_change = on_change, .on_complete = on_complete, .userdata = userdata};
    timer_arm(&x->timer, caller->event, 0, on_timer, x);
    return x;
}

void instances_free(struct instances *x)
{
    if (!x)
        return;
    call_cancel(x->watch);
    call_cancel(x->list);
    timer_stop(&x->timer);
    for (size_t i = 0; i < x->n; i++)
        schema_free(&reconciler_instance_schema, x->items[i]);
    free(x->items);
    free(x->generations);
    free(x);
}
