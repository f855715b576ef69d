/* Implements network.h. */
#include "container-driver/docker/network.h"

#include <errno.h>

#include "container-driver/docker/call.h"
#include "container-driver/docker/simple.h"
#include "container-driver/reading.h"
#include "container-driver/zone_network.h"
#include "lib/basic/log.h"

/* Limit of the rounds of inspection and change, since other requests can change the network at the same time.
 */
#define ROUNDS_MAX 5

struct network_job {
    struct simple_job head;
    struct spec_network network; /* owns 'cidr' */
    char *name;
    bool look_only;
    unsigned rounds;
};

static void network_inspect(struct network_job *job);

static void network_free(struct network_job *job)
{
    free((char *)job->network.cidr);
    free(job->name);
    free(job);
}

static void network_end(struct network_job *job, const struct error *e)
{
    runtime_answer(job->head.answer, job->head.userdata, e);
    network_free(job);
}

/* Inspects the network again after a change, also after one that Docker refused because another request made
 * it first. */
static void on_changed(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    (void)body;
    struct network_job *job = userdata;
    unsigned status = docker_call_status(call);
    struct error own = ERROR_INIT;
    if (e && status != 404 && status != 409 &&
        !(status == 403 && strstr(e->message, "has active endpoints"))) {
        network_end(job, e);
    } else if (++job->rounds > ROUNDS_MAX) {
        error_retry(&own, EBUSY, "%s: network " VPC_NETWORK " cannot be made with subnet %s: %s", job->name,
                    job->network.cidr, e ? e->message : "other requests keep changing it");
        network_end(job, &own);
    } else {
        network_inspect(job);
    }
}

static void network_create(struct network_job *job)
{
    struct docker *d = job->head.d;
    if (d->is_podman) /* it refuses the option */
        job->network.masqueraded = false;
    _cleanup_json_ json_t *body = docker_network_body(&job->network, d->api, d->settings->tree_id);
    struct docker_ask ask = {.what = "create network " VPC_NETWORK,
                             .method = "POST",
                             .path = "/networks/create",
                             .body = body,
                             .json = true};
    _cleanup_free_ char *options = json_dumps(json_object_get(body, "Options"), JSON_SORT_KEYS);
    const char *warning = docker_network_warning(d->api);
    if (warning)
        log_warning("network " VPC_NETWORK ": %s", warning);
    log_notice("network " VPC_NETWORK ": made with subnet %s and the options %s", job->network.cidr, options);
    docker_call(d, &ask, on_changed, job);
}

static void network_remove(struct network_job *job, const char *subnet)
{
    struct docker_ask ask = {
        .what = "remove network " VPC_NETWORK, .method = "DELETE", .path = "/networks/" VPC_NETWORK};
    log_notice("network " VPC_NETWORK ": replaced, with subnet %s instead of %s", job->network.cidr, subnet);
    docker_call(job->head.d, &ask, on_changed, job);
}

/* Determines the device of Docker's bridge: its name is an option of the network, or derived from the
 * network's id. */
static void read_bridge(struct reading *r, json_t *network, char device[IF_NAMESIZE])
{
    const char *named = read_string(r, read_object(r, network, "Options"), "com.docker.network.bridge.name");
    const char *id = read_string(r, network, "Id") ?: "";
    if (named)
        (void)snprintf(device, IF_NAMESIZE, "%.15s", named);
    else
        (void)snprintf(device, IF_NAMESIZE, "br-%.12s", id);
}

/* Ends the job when the network exists as desired. When another network has come to use its range since, a
 * warning is logged and the network is kept, because containers use it. */
static void network_is_there(struct network_job *job, const char *bridge,
                             const struct driver_network *network)
{
    struct error e = ERROR_INIT;
    struct runtime_result result = {.network = network};
    if (!job->look_only && zone_network_check(job->name, job->network.cidr, bridge, &e) < 0)
        log_warning("network " VPC_NETWORK " exists already, and is kept: %s", e.message);
    job->head.answer(&result, NULL, job->head.userdata);
    network_free(job);
}

/* Checks whether the network can have its range, before it is removed or made. Returns false when the job has
 * ended: with a refusal, or because it only checks. */
static bool network_may_be_made(struct network_job *job, const char *bridge)
{
    struct error e = ERROR_INIT;
    int r = zone_network_check(job->name, job->network.cidr, bridge, &e);
    bool may = r >= 0 && !job->look_only;
    if (!may)
        network_end(job, r < 0 ? &e : NULL);
    return may;
}

static void on_inspected(struct docker_call *call, json_t *body, const struct error *e, void *userdata)
{
    struct network_job *job = userdata;
    struct error own = ERROR_INIT;
    struct reading r = {.what = "Docker's description of a network", .error = &own};
    if (e && docker_call_status(call) == 404) {
        if (network_may_be_made(job, ""))
            network_create(job);
        return;
    }
    if (e) {
        network_end(job, e);
        return;
    }
    json_t *config = read_array(&r, body, "IPAM/Config");
    const char *subnet = read_string(&r, json_array_get(config, 0), "Subnet") ?: "(none)";
    const char *driver = need_string(&r, body, "Driver");
    size_t used = json_object_size(read_object(&r, body, "Containers"));
    char bridge[IF_NAMESIZE];
    struct driver_network network = {0};
    _cleanup_free_ char *clean = clean_text(subnet, 60);
    read_bridge(&r, body, bridge);
    docker_network_read(&r, body, job->head.d->api, &network);
    if (r.r == 0 && streq(subnet, job->network.cidr) && streq(driver, "bridge"))
        network_is_there(job, bridge, &network);
    else if (r.r == 0 && !network_may_be_made(job, bridge))
        return;
    else if (r.r == 0 && used == 0)
        network_remove(job, clean);
    else if (r.r == 0) {
        error_retry(&own, EBUSY,
                    "%s: network " VPC_NETWORK
                    " has subnet %s, the zone gave this machine %s, and %zu containers use it",
                    job->name, clean, job->network.cidr, used);
        network_end(job, &own);
    } else {
        docker_set_state(job->head.d, DRIVER_RUNTIME_DOWN, &own);
        network_end(job, &own);
    }
}

static void network_inspect(struct network_job *job)
{
    struct docker_ask ask = {
        .what = "inspect network " VPC_NETWORK, .path = "/networks/" VPC_NETWORK, .json = true};
    docker_call(job->head.d, &ask, on_inspected, job);
}

void docker_network_ensure(struct docker *d, const struct spec_network *network, const char *name,
                           runtime_answer_fn answer, void *userdata)
{
    struct network_job *job = simple_job_new(&d->rt, sizeof *job, answer, userdata);
    job->network = *network;
    job->network.cidr = xstrdup(network->cidr);
    job->name = xstrdup(name);
    network_inspect(job);
}

void docker_network_check(struct runtime *rt, const char *subnet, runtime_answer_fn answer, void *userdata)
{
    struct network_job *job = simple_job_new(rt, sizeof *job, answer, userdata);
    job->network.cidr = xstrdup(subnet);
    job->name = xstrdup("network " VPC_NETWORK);
    job->look_only = true;
    network_inspect(job);
}
