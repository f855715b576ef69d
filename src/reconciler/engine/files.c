/* Implements files.h. */
#include "reconciler/engine/files.h"

#include <stdlib.h>

#include "lib/api/provisioner.h"
#include "lib/app/host_port.h"
#include "lib/app/zone.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/hash.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "reconciler/engine/call.h"
#include "reconciler/engine/copy.h"
#include "reconciler/engine/steps.h"
#include "reconciler/model/secret.h"
#include "reconciler/model/store.h"
#include "reconciler/model/wish.h"

static void fill_replica(struct app_replica *to, const struct replica *from, int64_t revision)
{
    struct port_list ports = replica_ports(from, revision);
    set_string(&to->host_id, instance_host_id(from->instance));
    for (size_t i = 0; i < to->n_service_ports; i++)
        schema_free(&app_service_port_schema, to->service_ports[i]);
    to->n_service_ports = 0;
    for (size_t i = 0; i < ports.n_items; i++) {
        struct app_service_port *port = schema_append(&to->service_ports, &to->n_service_ports, sizeof *port);
        schema_copy(&app_service_port_schema, ports.items[i], port);
    }
}

/* Fills in what a zone states about replicas and a local manifest does not: hosts, ports and the revision. */
static void fill_deploy(const struct instance *instance, struct app_deploy *deploy, int64_t revision)
{
    deploy->revision = revision;
    deploy->replica_cap = (int64_t)deploy->n_replicas;
    for (size_t i = 0; i < deploy->n_replicas; i++) {
        const struct replica *other =
            instance_find_replica((struct instance *)instance, deploy->replicas[i]->id);
        if (other)
            fill_replica(deploy->replicas[i], other, revision);
    }
}

/* Reports whether the container for which the file is written has the agents' socket: one that exists, or a
 * new one, which container-driver gives it. */
static bool has_socket(const struct replica *replica)
{
    const struct driver_container *c = &replica->seen.current;
    return c->state == DRIVER_MISSING || c->agent_socket;
}

/* Fills in the URL that inagent reports to, which is the zone's while it has one, and the replica's secret.
 */
static void fill_endpoint(const struct replica *replica, struct app_replica_instance *file)
{
    const struct reconciler_zone_facts *zone = replica->instance->manager->zone;
    const char *url = zone && zone->status_url ? zone->status_url
                      : has_socket(replica)    ? "unix:" AGENT_SOCKET
                                               : NULL;
    file->zone_base_domain = zone ? xstrdup_null(zone->base_domain) : NULL;
    char *secret = url ? replica_secret(replica) : NULL;
    if (!secret)
        return;
    file->hostlet_endpoint = xcalloc(1, sizeof *file->hostlet_endpoint);
    file->hostlet_endpoint->url = xstrdup(url);
    file->hostlet_endpoint->secret_key = secret;
}

/* Drops from the ports what the contract does not know. */
static void reduce_ports(struct app_replica *replica)
{
    for (size_t i = 0; i < replica->n_service_ports; i++)
        host_binding_reduce(replica->service_ports[i]);
}

static struct app_replica_instance *make_replica_file(const struct replica *replica,
                                                      const struct record_revision *revision)
{
    const struct instance *instance = replica->instance;
    bool zone = record_is_zone(instance->record);
    const struct app_replica *own =
        zone ? app_find_replica_of(revision->manifest, replica->record->id, instance_host_id(instance))
             : NULL;
    struct app_replica_instance *file = xcalloc(1, sizeof *file);
    file->app = xcalloc(1, sizeof *file->app);
    schema_copy(&app_instance_schema, revision->manifest->app, file->app);
    if (!zone)
        fill_deploy(instance, file->app->deploy, revision->revision);
    file->replica = xcalloc(1, sizeof *file->replica);
    if (own)
        schema_copy(&app_replica_schema, own, file->replica);
    file->replica->id = replica->record->id;
    if (!own)
        fill_replica(file->replica, replica, revision->revision);
    set_string(&file->replica->state, "starting");
    reduce_ports(file->replica);
    for (size_t i = 0; file->app->deploy && i < file->app->deploy->n_replicas; i++)
        reduce_ports(file->app->deploy->replicas[i]);
    fill_endpoint(replica, file);
    return file;
}

static uint64_t hash_of(const struct app_replica_instance *file)
{
    size_t size;
    _cleanup_free_ char *text = schema_pack_text(&app_replica_instance_schema, file, &size);
    return fnv1a(FNV1A_BEGIN, text, size);
}

/* Reports whether the file that was sent is the one that is desired now: facts and orders can change while
 * the provisioner writes it. */
static bool is_current(const struct replica *r)
{
    const struct record_revision *target = target_of(r);
    if (!target || !has_agent(target))
        return true;
    struct app_replica_instance *file = make_replica_file(r, target);
    bool same = hash_of(file) == r->files_sent;
    schema_free(&app_replica_instance_schema, file);
    return same;
}

static void call_provisioner(struct replica *r, const char *method, const void *in)
{
    step_call(r, r->instance->manager->provisioner_socket, &provisioner_interface, method, in, CALL_TIMEOUT);
}

static void provision(struct replica *r, const struct record_revision *revision)
{
    const struct manager *m = r->instance->manager;
    struct provisioner_provision_in in = {.arch = m->info ? m->info->arch : NULL};
    in.container = container_name(r);
    in.volumes = volumes_of(revision, &in.n_volumes);
    copy_leave_out(r, in.volumes, &in.n_volumes); /* the copies make these */
    in.replica = has_agent(revision) ? make_replica_file(r, revision) : NULL;
    if (in.replica)
        r->files_sent = hash_of(in.replica);
    call_provisioner(r, "Provision", &in);
    schema_free(&app_replica_instance_schema, in.replica);
    free(in.volumes);
    free(in.container);
}

void files_provision(struct replica *r)
{
    provision(r, target_of(r));
}

void files_provisioned(struct replica *r, const void *out)
{
    (void)out;
    r->done.provisioned = true;
    r->record->update_files = !is_current(r);
}

void files_restore(struct replica *r)
{
    const struct record_revision *applied =
        record_find_revision(r->instance->record, r->record->applied_revision);
    provision(r, applied ?: target_of(r));
}

void files_restored(struct replica *r, const void *out)
{
    (void)out;
    r->done.restored = true;
}

void files_update(struct replica *r)
{
    _cleanup_free_ char *name = container_name(r);
    struct app_replica_instance *file = make_replica_file(r, target_of(r));
    struct provisioner_update_in in = {.container = name, .replica = file};
    r->files_sent = hash_of(file);
    call_provisioner(r, "Update", &in);
    schema_free(&app_replica_instance_schema, file);
}

bool files_make_again(struct replica *r, const struct error *e)
{
    if (r->step != STEP_UPDATE_FILES || e->class != ERROR_NOT_FOUND)
        return false;
    log_notice("%s/%lld: the directory of its files does not exist, and is made again",
               r->instance->record->name, (long long)r->record->id);
    provision(r, target_of(r));
    return true;
}

void files_updated(struct replica *r, const void *out)
{
    (void)out;
    r->record->update_files = !is_current(r);
    store_save_soon(r->instance);
}
