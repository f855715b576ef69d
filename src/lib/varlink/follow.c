/* Implements follow.h. */
#include "lib/varlink/follow.h"

#include <errno.h>
#include <stdlib.h>

struct follower {
    struct follower_options options;
    const struct schema_struct *out; /* the reply of Watch */
    const struct schema_field *complete_field, *lost_field;
    char *socket;
    void *request;
    struct timer timer; /* until the next call */
    struct retry retry; /* failures since the last complete snapshot */
    bool told;          /* a snapshot has begun and is still valid */
    bool complete;
    bool busy;  /* a handler runs */
    bool freed; /* a handler has freed the follower */
};

static void begin(void *userdata);

static const struct schema_field *find_field(const struct schema_struct *s, const char *name,
                                             enum schema_type type)
{
    for (const struct schema_field *f = s->fields; f->name; f++)
        if (streq(f->name, name) && f->type == type)
            return f;
    return NULL;
}

static bool is_complete(const struct follower *f, const void *out)
{
    return f->complete_field && *(const bool *)((const char *)out + f->complete_field->offset);
}

static const char *lost_reason(const struct follower *f, const void *out)
{
    return f->lost_field ? *(char *const *)((const char *)out + f->lost_field->offset) : NULL;
}

/* Reports whether a reply has no content, as the last one of a stream can. The comparison works because the
 * parser zeroes the struct, including its padding. */
static bool is_empty(const struct follower *f, const void *out)
{
    const char *bytes = out;
    for (size_t i = 0; i < f->out->size; i++)
        if (bytes[i])
            return false;
    return true;
}

static void tell_lost(struct follower *f, const struct error *e, bool quickly)
{
    f->told = f->complete = false;
    if (f->options.handlers->lost)
        f->options.handlers->lost(e, quickly, f->options.userdata);
}

static void tell_answer(struct follower *f, const void *out)
{
    const struct follower_handlers *h = f->options.handlers;
    struct error e = ERROR_INIT;
    if (lost_reason(f, out)) {
        error_retry(&e, EAGAIN, "%s", lost_reason(f, out));
        tell_lost(f, &e, false);
        return;
    }
    if (!f->told) {
        f->told = true;
        if (h->reset)
            h->reset(f->options.userdata);
    }
    if (f->freed)
        return;
    if (is_complete(f, out)) {
        f->complete = true;
        f->retry = (struct retry){.failures = 0};
        if (h->complete)
            h->complete(out, f->options.userdata);
    } else if (h->item) {
        h->item(out, f->options.userdata);
    }
}

/* Plans the next call after the end of a stream, with the error 'e' or without an error (NULL). */
static void begin_again(struct follower *f, const struct error *e)
{
    struct error ended = ERROR_INIT;
    error_retry(&ended, ECONNRESET, "%s.Watch ended", f->options.interface->name);
    uint64_t pause;
    bool quickly = (!e || error_worker_lost(e)) && retry_quickly(&f->retry, &pause);
    if (!quickly)
        pause = retry_next(&f->retry, &f->options.pauses);
    clock_arm(f->options.clock, &f->timer, pause, begin, f);
    tell_lost(f, e ?: &ended, quickly);
}

static void really_free(struct follower *f)
{
    free(f->socket);
    free(f);
}

static void on_answer(const void *out, bool continues, const struct error *e, void *userdata)
{
    struct follower *f = userdata;
    if (!continues)
        f->request = NULL;
    f->busy = true;
    if (!e && (continues || !is_empty(f, out)))
        tell_answer(f, out);
    if (!continues && !f->freed)
        begin_again(f, e);
    f->busy = false;
    if (f->freed)
        really_free(f);
}

static void *call_plainly(const struct varlink_call_options *options, varlink_answer_fn answer,
                          struct follower *f)
{
    return varlink_call_start(f->options.clock->event, options, answer, f);
}

static void begin(void *userdata)
{
    struct follower *f = userdata;
    const struct varlink_call_options call = {.socket = f->socket,
                                              .interface = f->options.interface,
                                              .method = "Watch",
                                              .in = f->options.in,
                                              .more = true};
    f->request = f->options.call ? f->options.call(&call, on_answer, f, f->options.userdata)
                                 : call_plainly(&call, on_answer, f);
}

struct follower *follower_new(const struct follower_options *options)
{
    const struct varlink_method *watch = varlink_find_method(options->interface, "Watch");
    struct follower *f = xcalloc(1, sizeof *f);
    if (!watch || !watch->out)
        abort(); /* a mistake in the program: the interface has no Watch */
    f->options = *options;
    f->socket = xstrdup_null(options->socket);
    f->out = watch->out;
    f->complete_field = find_field(f->out, "complete", SCHEMA_BOOL);
    f->lost_field = find_field(f->out, "lost", SCHEMA_STRING);
    clock_arm(options->clock, &f->timer, 0, begin, f);
    return f;
}

void follower_free(struct follower *f)
{
    if (!f)
        return;
    timer_stop(&f->timer);
    if (f->request && f->options.cancel)
        f->options.cancel(f->request, f->options.userdata);
    else if (f->request)
        varlink_request_cancel(f->request);
    f->request = NULL;
    f->freed = true;
    if (!f->busy)
        really_free(f);
}

bool follower_is_complete(const struct follower *f)
{
    return f && f->complete;
}
