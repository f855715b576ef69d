/* Implements deliver_instances.h. */
#include "rpc-gateway/deliver_instances.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "rpc-gateway/zone_answer.h"

#define INSTANCE_TEXT_MAX   ((size_t)8 << 20) /* bytes of JSON: a Varlink message has at most 16 MiB */
#define INSTANCE_VALUES_MAX ((size_t)100000)  /* a Varlink message has at most 262144 values */
#define TOO_LARGE           "has more than 8 MiB or 100000 values: not taken"
#define NAME_MAX_SIZE       63
#define REPLICAS_MAX        4096 /* of an instance that is only reported as refused */

/* Reports whether a failure concerns this instance alone. The others are still delivered, and the next
 * answer retries this one. */
static bool is_own_failure(const struct error *e)
{
    return e && (e->class == ERROR_FAILED || e->class == ERROR_UNAUTHORIZED);
}

static void on_instance(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct deliver *d = userdata;
    const struct reconciler_zone_out *told = out;
    d->call = NULL;
    if (e && !deliver_is_refusal(e) && !is_own_failure(e)) {
        free(d->failed_name);
        d->failed_name = TAKE_PTR(d->put_name);
        deliver_run_failed(d, e);
        return;
    }
    if (streq_null(d->failed_name, d->put_name))
        free(TAKE_PTR(d->failed_name));
    struct known *k = known_by_name(&d->known, d->put_name) ?: known_add(&d->known, d->put_name);
    k->raw = is_own_failure(e) ? (struct deliver_hash){0} : d->put_raw;
    k->clean = is_own_failure(e) ? (struct deliver_hash){0} : d->put_clean;
    k->refused = e;
    k->managed = e || told->managed;
    free(k->problem);
    k->problem = xstrdup_null(e ? e->message : told->problem);
    d->assigned_told = false;
    deliver_see(d, k);
    deliver_advance(d);
}

/* Unpacks one instance. A failure is stored as a problem; the function then returns false. */
static bool take_instance(struct deliver *d, const uint8_t *data, size_t size, struct app_instance *ret)
{
    struct error e = ERROR_INIT;
    if (zone_answer_instance(data, size, ret, &e) >= 0)
        return true;
    deliver_problem(d, "an instance is not taken: %s", e.message);
    d->not_understood = true;
    return false;
}

static void refuse_here(struct deliver *d, const char *name, const struct deliver_hash *raw,
                        const struct deliver_hash *clean)
{
    struct known *k = known_by_name(&d->known, name) ?: known_add(&d->known, name);
    k->raw = *raw;
    k->clean = *clean;
    k->refused = k->managed = true;
    free(k->problem);
    k->problem = xstrdup(TOO_LARGE);
    d->assigned_told = false;
    deliver_see(d, k);
}

/* Delivers a refused instance's name, order and replicas alone, so that the reconciler reports the reason
 * to the zone. Returns false if no replica is on this machine or the instance cannot be unpacked. */
static bool put_refused(struct deliver *d, struct answer_bytes raw_bytes, const struct deliver_hash *raw)
{
    struct app_instance app = {.meta = NULL};
    bool ours = false;
    if (!d->facts || zone_answer_instance(raw_bytes.data, raw_bytes.size, &app, NULL) < 0)
        return false;
    for (size_t i = 0; app.deploy && i < app.deploy->n_replicas; i++)
        ours |= streq_null(app.deploy->replicas[i]->host_id, d->facts->host_id);
    struct known *k = known_by_name(&d->known, app.meta->name);
    bool begun = ours && !(k && k->answer == d->count) && strlen(app.meta->name) <= NAME_MAX_SIZE &&
                 app.deploy->n_replicas <= REPLICAS_MAX;
    if (begun) {
        struct app_deploy deploy = {.revision = app.deploy->revision,
                                    .replicas = app.deploy->replicas,
                                    .n_replicas = app.deploy->n_replicas};
        struct app_metadata meta = {.name = app.meta->name};
        struct app_instance stub = {.meta = &meta, .deploy = &deploy};
        d->put_raw = d->put_clean = *raw;
        free(d->put_name);
        d->put_name = xstrdup(meta.name);
        deliver_put(d, &(struct reconciler_zone_in){.instance = &stub, .refused = (char *)TOO_LARGE},
                    on_instance);
    }
    schema_done(&app_instance_schema, &app);
    return begun;
}

/* Refuses an instance whose bytes are already too many: only its name is read. */
static void refuse_unseen(struct deliver *d, struct answer_bytes raw_bytes, const struct deliver_hash *raw)
{
    _cleanup_free_ char *text = zone_answer_name(raw_bytes.data, raw_bytes.size, NAME_MAX_SIZE);
    if (!text) {
        deliver_problem(d, "an instance is not taken: it is too large, and has no proper name");
        d->not_understood = true;
        return;
    }
    refuse_here(d, text, raw, raw);
}

/* Delivers an instance that differs from the last answer. Returns whether a call has started. */
static bool put_changed(struct deliver *d, struct answer_bytes raw_bytes, const struct deliver_hash *raw,
                        const struct app_instance *app)
{
    const char *name = app->meta->name;
    size_t size;
    _cleanup_free_ char *text = schema_pack_text(&app_instance_schema, app, &size);
    struct deliver_hash clean = deliver_hash_of(text, size);
    struct known *k = known_by_name(&d->known, name);
    if (k && k->answer == d->count) {
        deliver_problem(d, "instance %.64s: is in the answer twice: the first one counts", name);
    } else if (k && deliver_hash_same(&k->clean, &clean)) {
        k->raw = *raw;
        deliver_see(d, k);
    } else if (size > INSTANCE_TEXT_MAX || varlink_values(text, size) > INSTANCE_VALUES_MAX) {
        if (put_refused(d, raw_bytes, raw))
            return true;
        refuse_here(d, name, raw, &clean);
    } else if (streq_null(d->failed_name, name) && !d->postponed.data) {
        d->postponed = raw_bytes;
    } else {
        d->put_raw = *raw;
        d->put_clean = clean;
        free(d->put_name);
        d->put_name = xstrdup(name);
        deliver_put(d, &(struct reconciler_zone_in){.instance = (struct app_instance *)app}, on_instance);
        return true;
    }
    return false;
}

static bool put_instance(struct deliver *d, struct answer_bytes raw_bytes)
{
    struct app_instance app = {.meta = NULL};
    struct deliver_hash raw = deliver_hash_of(raw_bytes.data, raw_bytes.size);
    struct known *k = known_by_raw(&d->known, &raw);
    if (k && k->answer != d->count) {
        deliver_see(d, k);
        return false;
    }
    if (raw_bytes.size > INSTANCE_TEXT_MAX) {
        if (put_refused(d, raw_bytes, &raw))
            return true;
        refuse_unseen(d, raw_bytes, &raw);
        return false;
    }
    if (!take_instance(d, raw_bytes.data, raw_bytes.size, &app))
        return false;
    bool begun = put_changed(d, raw_bytes, &raw, &app);
    schema_done(&app_instance_schema, &app);
    return begun;
}

bool deliver_put_instances(struct deliver *d)
{
    const uint8_t *data;
    size_t size;
    while (zone_answer_next(d->now.data, d->now.size, &d->at, &data, &size)) {
        d->n_seen++;
        if (put_instance(d, (struct answer_bytes){(uint8_t *)data, size}))
            return true;
    }
    if (!d->postponed.data || d->postponed_done)
        return false;
    d->postponed_done = true;
    return put_instance(d, d->postponed);
}
