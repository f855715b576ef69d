/* Implements manager.h. */
#include "net-keeper/manager.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"

static const struct retry_policy names_policy = {USEC_PER_SEC, 60 * USEC_PER_SEC};

static void on_names_timer(void *userdata);

/* Makes the file of names agree with the network. A disk that is full now is not so for ever, and the zone
 * sends nothing again before its map changes. */
static bool make_names(struct manager *m)
{
    bool changed = records_set(&m->records, m->network);
    timer_stop(&m->names);
    if (m->records.failed)
        timer_arm(&m->names, m->event, retry_next(&m->names_retry, &names_policy), on_names_timer, m);
    else
        m->names_retry = (struct retry){.failures = 0};
    return changed;
}

/* Makes this machine agree with the network. It is called at the start, when the network has changed, and
 * when another program may have changed something. Returns whether anything was changed. */
static bool make_network(struct manager *m)
{
    /* Without a file, nothing is known of what exists: it stays until the zone states more. */
    if (!m->network && !m->leaving)
        return false;
    bool table = masquerade_set(m->masquerade, m->network), names = make_names(m);
    return keep_network(&m->keep, m->network) || table || names;
}

/* Reports whether everything of a network that was left is removed. */
static bool nothing_is_left(const struct manager *m)
{
    const char *problem;
    masquerade_stands(m->masquerade, &problem);
    return !problem && !m->records.problem && m->keep.problems.n == 0;
}

/* Deletes the file of a network that was left, when everything of it is removed. */
static int end_leaving(struct manager *m, struct error *e)
{
    if (!m->leaving || !nothing_is_left(m))
        return 0;
    int r = failpoint_error("network.removed", e);
    if (r >= 0)
        r = network_file_remove(m->path, e);
    if (r >= 0)
        m->leaving = false;
    return r;
}

/* Runs after each comparison with the kernel, of the device or of the table. */
static void on_compared(void *userdata)
{
    struct manager *m = userdata;
    struct error e = ERROR_INIT;
    if (end_leaving(m, &e) < 0)
        log_error("%s", e.message);
}

static void on_names_timer(void *userdata)
{
    struct manager *m = userdata;
    make_names(m);
    on_compared(m);
}

/* Returns the alias by which this tree knows its device, or NULL for a tree without an id. */
static char *mark_of(const struct tree *tree)
{
    _cleanup_free_ char *id = NULL;
    struct error e = ERROR_INIT;
    if (tree_read_id(tree, &id, &e) < 0)
        return NULL;
    return xasprintf("hostlet %s", id);
}

static int on_first_iteration(sd_event_source *source, void *userdata)
{
    struct manager *m = userdata;
    (void)source;
    m->first = sd_event_source_disable_unref(m->first);
    masquerade_set(m->masquerade, m->network);
    on_compared(m);
    return 0;
}

/* Makes this machine agree with the stored network. The table is compared when the process is ready, before
 * it serves the first call: libnftables needs most of the time of a start, and what is in the kernel works
 * meanwhile. */
static int begin(struct manager *m, struct error *e)
{
    if (!m->network) {
        make_network(m);
        return 0;
    }
    int r = sd_event_add_defer(m->event, &m->first, on_first_iteration, m);
    if (r >= 0)
        r = sd_event_source_set_priority(m->first, SD_EVENT_PRIORITY_IMPORTANT);
    if (r < 0)
        return error_os(e, -r, "cannot arrange the comparison of the table");
    make_names(m);
    keep_network(&m->keep, m->network);
    return 0;
}

int manager_check(struct service_context *context, struct error *e)
{
    return records_check(&context->tree, context->config, e);
}

int manager_start(struct service_context *context, struct error *e)
{
    struct manager *m = xcalloc(1, sizeof *m);
    _cleanup_free_ char *state = tree_state(&context->tree, "net-keeper");
    enum network_file_state found = NETWORK_NONE;
    struct error x = ERROR_INIT;
    context->userdata = m;
    m->event = context->event;
    m->masquerade = masquerade_new(context->event, on_compared, m);
    records_begin(&m->records, &context->tree, context->config);
    m->path = xasprintf("%s/network.json", state);
    m->pings = pings_new(context->event, (unsigned)config_number(context->config, "zone", "peer_port"));
    m->keep.done = on_compared;
    m->keep.userdata = m;
    int r = keep_start(&m->keep, context->event, mark_of(&context->tree),
                       (uint32_t)config_number(context->config, "net-keeper", "mtu"), e);
    if (r < 0)
        return r;
    if (network_file_read(m->path, &found, &m->network, &x) < 0) {
        m->file_problem =
            xasprintf("%s: the network stays as it is until the zone sends it again", x.message);
        log_error("%s", m->file_problem);
    }
    m->leaving = found == NETWORK_LEAVING;
    return begin(m, e);
}

void manager_stop(void *userdata)
{
    struct manager *m = userdata;
    if (!m)
        return;
    sd_event_source_disable_unref(m->first);
    timer_stop(&m->names);
    pings_free(m->pings);
    keep_stop(&m->keep);
    masquerade_free(m->masquerade);
    records_done(&m->records);
    network_free(m->network);
    free(m->path);
    free(m->file_problem);
    free(m);
}

static bool same_network(const struct manager *m, const struct net_network *network)
{
    if (m->file_problem || m->leaving)
        return false;
    if (!m->network || !network)
        return m->network == network;
    return schema_equal(&net_network_schema, m->network, network);
}

int manager_set_network(struct manager *m, const struct net_network *network, bool *ret_changed,
                        struct error *e)
{
    bool changed = false;
    if (!same_network(m, network)) {
        int r = m->file_problem ? keep_aside(m->path, e) : 0;
        if (r >= 0)
            r = network_file_write(m->path, network, e);
        if (r < 0)
            return r;
        changed = true;
        set_string(&m->file_problem, NULL);
        struct net_network *before = m->network; /* the map uses it until the next one is made */
        m->network = network ? network_copy(network) : NULL;
        m->leaving = !network;
        changed |= make_network(m);
        network_free(before);
    } else
        changed |= make_network(m);
    *ret_changed = changed;
    return 0;
}

void manager_problems(const struct manager *m, char ***ret, size_t *ret_n)
{
    const char *problem;
    masquerade_stands(m->masquerade, &problem);
    const char *const all[] = {m->file_problem, problem, m->records.problem};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        if (all[i])
            schema_append_string(ret, ret_n, all[i]);
    keep_problems(&m->keep, ret, ret_n);
}
