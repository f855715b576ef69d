/* Implements masquerade.h. */
#include "net-keeper/masquerade.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/basic/hash.h"
#include "lib/basic/log.h"
#include "lib/basic/printable.h"
#include "lib/loop/retry.h"
#include "lib/loop/timer.h"
#include "net-keeper/nft_events.h"
#include "net-keeper/nft_library.h"

/* Failures are repeated with these pauses. A table that another program changes again and again is made again
 * at once a few times, and then with the same pauses, so that two programs do not keep the machine busy. */
static const struct retry_policy pauses = {.first_usec = USEC_PER_SEC, .most_usec = 60 * USEC_PER_SEC};
#define REPAIRS_AT_ONCE 5
#define REPAIRS_WITHIN  (10 * USEC_PER_SEC)

struct masquerade {
    sd_event *event;
    void (*done)(void *userdata);
    void *userdata;
    const struct net_network *network; /* NULL: none */
    struct nft_events *events;         /* NULL: not watched */
    bool stands;
    char *problem; /* why it does not stand */
    struct traffic traffic;
    /* The library of another version may print a table otherwise than it is built here. What it printed after
     * the table was made counts as equal then: a table is never replaced again and again for that. */
    uint64_t built, printed;
    struct retry retry;
    unsigned repaired; /* repairs in a row, each within REPAIRS_WITHIN after the one before */
    uint64_t repaired_at;
    int64_t repairs;
    struct timer timer;
};

static void on_changed(const char *by, void *userdata);

struct masquerade *masquerade_new(sd_event *event, void (*done)(void *userdata), void *userdata)
{
    struct masquerade *m = xcalloc(1, sizeof *m);
    *m = (struct masquerade){.event = event, .done = done, .userdata = userdata};
    return m;
}

void masquerade_free(struct masquerade *m)
{
    if (!m)
        return;
    timer_stop(&m->timer);
    nft_events_free(m->events);
    traffic_done(&m->traffic);
    free(m->problem);
    free(m);
}

static uint64_t hash(const char *text)
{
    return fnv1a(FNV1A_BEGIN, text, strlen(text));
}

static bool is_same(const struct masquerade *m, const char *built, const char *listed)
{
    return streq(built, listed) || (m->printed != 0 && m->built == hash(built) && m->printed == hash(listed));
}

/* Lists the table and stores what it has counted. Returns its canonical text, which the caller frees. */
static int list(struct masquerade *m, struct nft *nft, char **ret, struct error *e)
{
    _cleanup_free_ char *document = nft_table_list();
    _cleanup_json_ json_t *listing = NULL;
    int r = nft_list(nft, document, &listing, e);
    if (r < 0)
        return r;
    nft_table_read_traffic(listing, &m->traffic);
    *ret = nft_table_canonical(listing);
    return 0;
}

static int replace(struct masquerade *m, struct nft *nft, const json_t *objects, const char *built,
                   struct error *e)
{
    _cleanup_free_ char *document = nft_table_replacement(objects), *listed = NULL;
    int r = nft_run(nft, document, e);
    if (r >= 0)
        r = list(m, nft, &listed, e);
    if (r < 0)
        return r;
    m->built = hash(built);
    m->printed = streq(built, listed) ? 0 : hash(listed);
    return 0;
}

/* Makes the kernel's table agree with the network. Returns 1 if it was replaced, 0 if it was right, or a
 * negative errno. */
static int agree(struct masquerade *m, struct nft *nft, bool exists, struct error *e)
{
    _cleanup_free_ char *listed = NULL, *built = NULL;
    _cleanup_json_ json_t *objects = NULL;
    int r = exists ? list(m, nft, &listed, e) : 0;
    if (r >= 0)
        r = nft_table_build(m->network, &m->traffic, &objects, e);
    if (r < 0)
        return r;
    built = nft_table_canonical(objects);
    if (listed && is_same(m, built, listed))
        return 0;
    r = replace(m, nft, objects, built, e);
    return r < 0 ? r : 1;
}

static int make(struct masquerade *m, struct error *e)
{
    struct nft *nft = NULL;
    int exists = 0, r = m->events ? 0 : nft_events_new(m->event, on_changed, m, &m->events, e);
    if (r >= 0)
        r = exists = nft_table_exists(e);
    if (r >= 0)
        r = nft_open(&nft, e);
    if (r >= 0)
        r = agree(m, nft, exists, e);
    nft_close(nft);
    return r < 0 ? error_prefix(e, "the nftables table '" NFT_TABLE "' cannot be made") : r;
}

static int take_away(struct error *e)
{
    struct nft *nft = NULL;
    _cleanup_free_ char *document = nft_table_removal();
    int r = nft_table_exists(e);
    if (r == 0 || r == -EOPNOTSUPP || r == -EPROTONOSUPPORT)
        return 0;
    if (r >= 0)
        r = nft_open(&nft, e);
    if (r >= 0)
        r = nft_run(nft, document, e);
    nft_close(nft);
    return r < 0 ? error_prefix(e, "the nftables table '" NFT_TABLE "' cannot be removed") : 1;
}

static void on_timer(void *userdata);

/* Brings the kernel's table to the desired state. Returns whether it was changed. */
static bool apply(struct masquerade *m)
{
    struct error e = ERROR_INIT;
    int r = m->network ? make(m, &e) : take_away(&e);
    timer_stop(&m->timer);
    m->stands = m->network && r >= 0;
    if (r >= 0) {
        m->retry = (struct retry){0};
        set_string(&m->problem, NULL);
        return r > 0;
    }
    if (!streq_null(m->problem, e.message))
        log_warning("%s", e.message);
    set_string(&m->problem, e.message);
    if (e.class == ERROR_RETRY)
        timer_arm(&m->timer, m->event, retry_next(&m->retry, &pauses), on_timer, m);
    return false;
}

static void on_timer(void *userdata)
{
    struct masquerade *m = userdata;
    if (apply(m))
        log_notice("the nftables table '" NFT_TABLE "' is %s", m->network ? "made" : "removed");
    m->done(m->userdata);
}

static void repair(struct masquerade *m)
{
    if (apply(m)) {
        m->repairs++;
        m->repaired_at = now_monotonic_usec();
    }
    m->done(m->userdata);
}

static void on_repair_timer(void *userdata)
{
    repair(userdata);
}

static void on_changed(const char *by, void *userdata)
{
    struct masquerade *m = userdata;
    _cleanup_free_ char *who = printable(*by ? by : "another program");
    if (!m->network || timer_armed(&m->timer))
        return;
    bool again = m->repaired_at != 0 && now_monotonic_usec() - m->repaired_at < REPAIRS_WITHIN;
    m->repaired = again ? m->repaired + 1 : 0;
    if (m->repaired < REPAIRS_AT_ONCE) {
        int64_t before = m->repairs;
        repair(m);
        if (m->repairs > before)
            log_notice("the nftables table '" NFT_TABLE "' was changed by '%s', and is made again", who);
        return;
    }
    uint64_t pause = retry_pause(&pauses, m->repaired - REPAIRS_AT_ONCE + 1);
    _cleanup_free_ char *problem =
        xasprintf("'%s' keeps changing the nftables table '" NFT_TABLE "': it is made again in %llu s", who,
                  (unsigned long long)(pause / USEC_PER_SEC));
    log_warning("%s", problem);
    set_string(&m->problem, problem);
    m->stands = false;
    timer_arm(&m->timer, m->event, pause, on_repair_timer, m);
}

/* Drops what was counted for machines that are no longer in the network. */
static void drop_old_traffic(struct masquerade *m)
{
    struct traffic kept = {0};
    for (size_t i = 0; i < m->traffic.n; i++) {
        bool present = false;
        for (size_t j = 0; m->network && !present && j < m->network->n_hosts; j++)
            present = streq(m->network->hosts[j]->id, m->traffic.items[i].id);
        if (!present)
            continue;
        kept.items = xrealloc(kept.items, kept.n + 1, sizeof *kept.items);
        kept.items[kept.n++] = m->traffic.items[i];
        m->traffic.items[i].id = NULL;
    }
    traffic_done(&m->traffic);
    m->traffic = kept;
}

bool masquerade_set(struct masquerade *m, const struct net_network *network)
{
    m->network = network;
    m->repaired = 0;
    if (!network) {
        nft_events_free(m->events);
        m->events = NULL;
    }
    bool changed = apply(m);
    drop_old_traffic(m);
    if (changed && network)
        log_notice("the nftables table '" NFT_TABLE "' is made: it masquerades what %s sends to the outside",
                   network->instance_cidr);
    else if (changed)
        log_notice("the nftables table '" NFT_TABLE "' is removed");
    return changed;
}

bool masquerade_stands(const struct masquerade *m, const char **ret_problem)
{
    if (ret_problem)
        *ret_problem = m->problem;
    return m->stands;
}

int64_t masquerade_repairs(const struct masquerade *m)
{
    return m->repairs;
}

const struct traffic *masquerade_traffic(struct masquerade *m)
{
    struct error e = ERROR_INIT;
    struct nft *nft = NULL;
    _cleanup_free_ char *listed = NULL;
    int r = m->stands ? nft_open(&nft, &e) : 0;
    if (r >= 0 && nft)
        r = list(m, nft, &listed, &e);
    nft_close(nft);
    if (r < 0)
        log_debug("the counters of the nftables table '" NFT_TABLE "' cannot be read: %s", e.message);
    return &m->traffic;
}
