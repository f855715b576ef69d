/* From the zone's answers to the reconciler; see deliver.h. */
#include "rpc-gateway/deliver.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/inapi/convert.h"

#define CALL_TIMEOUT (60 * USEC_PER_SEC)
#define PAUSE_MIN    (50 * USEC_PER_MSEC)
#define PAUSE_MAX    (15 * USEC_PER_SEC)

struct entry {
    char *name;
    uint64_t hash;                /* of what was seen last */
    bool present;                 /* in the last answer */
    struct app_instance *waiting; /* NULL: the reconciler has it, or it cannot be read */
};

enum step { STEP_NONE, STEP_FACTS, STEP_INSTANCE, STEP_ASSIGNED };

struct deliver {
    struct caller caller;
    struct entry *entries; /* sorted by name */
    size_t n;
    struct reconciler_zone_facts *facts; /* NULL: none */
    bool facts_due, assigned_due, answered;
    struct call *call;
    enum step step;
    char *at; /* the name of the instance that is being told */
    uint64_t at_hash;
    sd_event_source *timer;
    uint64_t pause;
};

static void go_on(struct deliver *d);

/* --- what is known --- */

/* FNV-1a of a message's bytes, without making them. */
struct hashing {
    ProtobufCBuffer buffer;
    uint64_t hash;
};

static void hash_bytes(ProtobufCBuffer *buffer, size_t size, const uint8_t *data)
{
    struct hashing *h = (struct hashing *)buffer;
    for (size_t i = 0; i < size; i++)
        h->hash = (h->hash ^ data[i]) * UINT64_C(0x100000001b3);
}

static uint64_t hash_of(const ProtobufCMessage *message)
{
    struct hashing h = {{hash_bytes}, UINT64_C(0xcbf29ce484222325)};
    protobuf_c_message_pack_to_buffer(message, &h.buffer);
    return h.hash;
}

/* Where the name is, or would be. */
static size_t place_of(const struct deliver *d, const char *name, bool *found)
{
    size_t low = 0, high = d->n;
    *found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(d->entries[middle].name, name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct entry *find_or_add(struct deliver *d, const char *name)
{
    bool found;
    size_t i = place_of(d, name, &found);
    if (!found) {
        d->entries = xrealloc(d->entries, d->n + 1, sizeof *d->entries);
        memmove(&d->entries[i + 1], &d->entries[i], (d->n - i) * sizeof *d->entries);
        d->entries[i] = (struct entry){.name = xstrdup(name)};
        d->n++;
    }
    return &d->entries[i];
}

static void entry_done(struct entry *entry)
{
    schema_free(&app_instance_schema, entry->waiting);
    free(entry->name);
}

/* What the last answer had no more. */
static void drop_absent(struct deliver *d)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->n; i++) {
        if (d->entries[i].present) {
            d->entries[kept++] = d->entries[i];
        } else {
            entry_done(&d->entries[i]);
            d->assigned_due = true;
        }
    }
    d->n = kept;
}

/* --- calls --- */

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source, (void)usec;
    go_on(userdata);
    return 0;
}

static void go_on_later(struct deliver *d)
{
    (void)sd_event_source_set_time_relative(d->timer, d->pause);
    (void)sd_event_source_set_enabled(d->timer, SD_EVENT_ONESHOT);
    d->pause = d->pause * 2 > PAUSE_MAX ? PAUSE_MAX : d->pause * 2;
}

/* The reconciler has what was told; a change that came meanwhile is told next. */
static void taken(struct deliver *d, const struct reconciler_zone_out *out)
{
    bool found;
    if (d->step == STEP_INSTANCE) {
        size_t i = place_of(d, d->at, &found);
        if (found && d->entries[i].hash == d->at_hash) {
            schema_free(&app_instance_schema, d->entries[i].waiting);
            d->entries[i].waiting = NULL;
        }
        if (out && out->problem)
            log_notice("instance %s: the zone's order is not followed: %s", d->at, out->problem);
    }
    /* It lost them, or never had them: they come with the next answer. */
    for (size_t k = 0; d->step == STEP_ASSIGNED && out && k < out->n_unknown; k++) {
        size_t i = place_of(d, out->unknown[k], &found);
        if (found && !d->entries[i].waiting)
            d->entries[i].hash = 0;
    }
}

static void on_answer(const void *out, bool continues, const struct error *e, void *userdata)
{
    struct deliver *d = userdata;
    (void)continues;
    d->call = NULL;
    bool again = e && (e->class == ERROR_RETRY || e->class == ERROR_SERVICE_DOWN);
    if (again) {
        d->facts_due |= d->step == STEP_FACTS;
        d->assigned_due |= d->step == STEP_ASSIGNED;
        d->step = STEP_NONE;
        go_on_later(d);
        return;
    }
    if (e)
        log_warning("%s%sthe reconciler does not take what the zone says: %s",
                    d->step == STEP_INSTANCE ? d->at : "", d->step == STEP_INSTANCE ? ": " : "", e->message);
    taken(d, out);
    d->step = STEP_NONE;
    d->pause = PAUSE_MIN;
    go_on(d);
}

static void tell(struct deliver *d, enum step step, const struct reconciler_zone_in *in)
{
    d->step = step;
    d->call = call_start(&d->caller, &call_reconciler, "PutZoneState", in, false, CALL_TIMEOUT, on_answer, d);
}

static void tell_assigned(struct deliver *d)
{
    _cleanup_free_ char **names = xcalloc(d->n + 1, sizeof *names);
    for (size_t i = 0; i < d->n; i++)
        names[i] = d->entries[i].name;
    struct reconciler_assignment assigned = {names, d->n};
    d->assigned_due = false;
    tell(d, STEP_ASSIGNED, &(struct reconciler_zone_in){.assigned = &assigned});
}

/* One call at a time: the facts, then the instances, then which there are. */
static void go_on(struct deliver *d)
{
    if (d->call)
        return;
    if (d->facts_due) {
        d->facts_due = false;
        tell(d, STEP_FACTS, &(struct reconciler_zone_in){.facts = d->facts});
        return;
    }
    for (size_t i = 0; d->facts && i < d->n; i++)
        if (d->entries[i].waiting) {
            free(d->at);
            d->at = xstrdup(d->entries[i].name);
            d->at_hash = d->entries[i].hash;
            tell(d, STEP_INSTANCE, &(struct reconciler_zone_in){.instance = d->entries[i].waiting});
            return;
        }
    if (d->assigned_due)
        tell_assigned(d);
}

/* --- what comes --- */

void deliver_facts(struct deliver *d, const struct reconciler_zone_facts *facts)
{
    if (d->facts && schema_equal(&reconciler_zone_facts_schema, d->facts, facts))
        return;
    schema_free(&reconciler_zone_facts_schema, d->facts);
    d->facts = xcalloc(1, sizeof *d->facts);
    schema_copy(&reconciler_zone_facts_schema, facts, d->facts);
    d->facts_due = true;
    go_on(d);
}

static void take_instance(struct deliver *d, Inapi__AppInstance *message)
{
    struct error e = ERROR_INIT;
    const char *name = message->meta ? message->meta->name : "";
    if (!*name || strlen(name) > 63) {
        log_debug("the zone's answer has an instance without a name");
        return;
    }
    /* Our own reports, which come back, are no change. */
    Inapi__AppDeployStage *stages = message->deploy ? message->deploy->stages : NULL;
    Inapi__AppStatus *status = message->status;
    if (message->deploy)
        message->deploy->stages = NULL;
    message->status = NULL;
    uint64_t hash = hash_of(&message->base);
    struct entry *entry = find_or_add(d, name);
    d->assigned_due |= !entry->present && entry->hash == 0;
    entry->present = true;
    if (entry->hash != hash) {
        struct app_instance *instance = xcalloc(1, sizeof *instance);
        schema_free(&app_instance_schema, entry->waiting);
        entry->waiting = NULL;
        entry->hash = hash;
        if (inapi_to_struct(&app_instance_schema, &message->base, instance, &e) < 0) {
            log_warning("instance %s: the zone's order cannot be read: %s", name, e.message);
            free(instance);
        } else {
            entry->waiting = instance;
        }
    }
    if (message->deploy)
        message->deploy->stages = stages;
    message->status = status;
}

void deliver_instances(struct deliver *d, Inapi__AppInstance **instances, size_t n)
{
    for (size_t i = 0; i < d->n; i++)
        d->entries[i].present = false;
    bool first = !d->answered;
    d->answered = true;
    for (size_t i = 0; i < n; i++)
        take_instance(d, instances[i]);
    drop_absent(d);
    d->assigned_due |= first;
    go_on(d);
}

void deliver_nothing(struct deliver *d)
{
    deliver_instances(d, NULL, 0);
}

size_t deliver_waiting(const struct deliver *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++)
        n += d->entries[i].waiting != NULL;
    return n;
}

int deliver_new(const struct caller *caller, struct deliver **ret, struct error *e)
{
    struct deliver *d = xcalloc(1, sizeof *d);
    *d = (struct deliver){.caller = *caller, .pause = PAUSE_MIN};
    int r = sd_event_add_time_relative(caller->event, &d->timer, CLOCK_MONOTONIC, 0, 1, on_timer, d);
    if (r >= 0)
        r = sd_event_source_set_enabled(d->timer, SD_EVENT_OFF);
    if (r < 0) {
        deliver_free(d);
        return error_os(e, -r, "cannot make a timer");
    }
    *ret = d;
    return 0;
}

void deliver_free(struct deliver *d)
{
    if (!d)
        return;
    call_cancel(d->call);
    sd_event_source_disable_unref(d->timer);
    for (size_t i = 0; i < d->n; i++)
        entry_done(&d->entries[i]);
    schema_free(&reconciler_zone_facts_schema, d->facts);
    free(d->entries);
    free(d->at);
    free(d);
}
