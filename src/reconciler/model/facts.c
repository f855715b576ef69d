/* Implements facts.h. The facts are on disk so that a reboot while no leader is reachable changes nothing. */
#include "reconciler/model/facts.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "lib/schema/parse.h"

#define FACTS_FORMAT 1
#define FACTS_MAX    65536
#define PROBLEM_MAX  1000

struct facts_file {
    int64_t format;
    struct reconciler_zone_facts *zone;
};

#define T struct facts_file
static const struct schema_field file_fields[] = {
    S_INT(T, format, NULL),
    S_STRUCT(T, zone, struct reconciler_zone_facts, &reconciler_zone_facts_schema, NULL),
    S_END,
};
static const struct schema_struct file_schema = {NULL, sizeof(T), NULL, file_fields};
#undef T

static char *file_of(const struct manager *m)
{
    return xasprintf("%s/zone.json", m->state_dir);
}

/* Checks a text that is written into files which other programs read: its characters are printable, and not
 * blank. */
static int check_text(const char *text, const char *name, size_t max, struct error *e)
{
    bool good = !text || strlen(text) <= max;
    for (const char *c = text; c && *c && good; c++)
        good = isgraph((unsigned char)*c);
    return good ? 0
                : error_refuse(e, EINVAL, "/facts/%s: more than %zu characters, or unprintable ones", name,
                               max);
}

static int check_address(const char *text, const char *name, struct error *e)
{
    struct in_addr address;
    return !text || inet_pton(AF_INET, text, &address) == 1
               ? 0
               : error_refuse(e, EINVAL, "/facts/%s: '%.40s' is no IPv4 address", name, text);
}

static int check_cidr(const char *text, struct error *e)
{
    if (!text)
        return 0;
    const char *slash = strchr(text, '/');
    _cleanup_free_ char *address = xstrndup(text, slash ? (size_t)(slash - text) : strlen(text));
    struct in_addr parsed;
    int64_t bits;
    if (!slash || inet_pton(AF_INET, address, &parsed) != 1 || parse_int64(slash + 1, 8, 30, &bits) < 0)
        return error_refuse(e, EINVAL,
                            "/facts/vpc_instance_cidr: '%.40s' is no network, such as 10.10.3.0/24", text);
    return 0;
}

static int check(const struct reconciler_zone_facts *facts, struct error *e)
{
    size_t n = strspn(facts->host_id, "0123456789abcdef");
    int r;
    if (facts->host_id[n] || n < 12 || n > 16)
        return error_refuse(e, EINVAL, "/facts/host_id: '%.40s' is no host id: 12 to 16 hex digits",
                            facts->host_id);
    if ((r = check_address(facts->lan_addr, "lan_addr", e)) < 0 ||
        (r = check_address(facts->vpc_bridge_ip, "vpc_bridge_ip", e)) < 0 ||
        (r = check_cidr(facts->vpc_instance_cidr, e)) < 0 ||
        (r = check_text(facts->status_url, "status_url", 512, e)) < 0)
        return r;
    for (const char *c = facts->vpc_problem; c && *c; c++)
        if (!isprint((unsigned char)*c) || c - facts->vpc_problem >= PROBLEM_MAX)
            return error_refuse(e, EINVAL, "/facts/vpc_problem: more than %d characters, or unprintable ones",
                                PROBLEM_MAX);
    return check_text(facts->base_domain, "base_domain", 253, e);
}

int facts_load(struct manager *m, struct error *e)
{
    _cleanup_free_ char *path = file_of(m), *text = NULL;
    struct facts_file file = {.zone = NULL};
    size_t size;
    int r = m->outside->read(m->outside, path, FACTS_MAX, &text, &size, e);
    if (r == -ENOENT)
        return 0;
    if (r >= 0)
        r = schema_parse_text(&file_schema, text, size, 0, path, &file, e);
    if (r >= 0 && file.format > FACTS_FORMAT)
        r = error_refuse(e, EPROTONOSUPPORT, "'%s' has format %lld, this version knows %d", path,
                         (long long)file.format, FACTS_FORMAT);
    if (r >= 0 && (r = check(file.zone, e)) < 0)
        error_prefix(e, "%s", path);
    if (r >= 0)
        m->zone = TAKE_PTR(file.zone);
    schema_done(&file_schema, &file);
    if (r < 0) {
        m->facts_problem =
            xasprintf("%s: the zone's instances are left unchanged until rpc-gateway sends the facts again",
                      e->message);
        log_error("%s", m->facts_problem);
        *e = (struct error)ERROR_INIT;
    }
    return 0;
}

int facts_put(struct manager *m, const struct reconciler_zone_facts *facts, bool *changed, struct error *e)
{
    int r = check(facts, e);
    if (r < 0 || (m->zone && schema_equal(&reconciler_zone_facts_schema, m->zone, facts)))
        return r;
    struct facts_file file = {FACTS_FORMAT, (struct reconciler_zone_facts *)facts};
    size_t size;
    _cleanup_free_ char *path = file_of(m), *text = schema_pack_text(&file_schema, &file, &size);
    r = m->facts_problem ? m->outside->keep_aside(m->outside, path, e) : 0;
    if (r >= 0)
        r = failpoint("facts.before_save") < 0
                ? error_retry(e, EIO, "cannot save '%s'", path)
                : m->outside->write(m->outside, path, FACTS_MAX, text, size, e);
    if (r >= 0 && failpoint("facts.saved") < 0)
        r = error_retry(e, EIO, "failpoint");
    if (r < 0)
        return r;
    if (!m->zone || !streq(m->zone->host_id, facts->host_id))
        log_notice("this machine is host %s of a zone", facts->host_id);
    if (m->zone)
        schema_free(&reconciler_zone_facts_schema, m->zone);
    m->zone = xcalloc(1, sizeof *m->zone);
    schema_copy(&reconciler_zone_facts_schema, facts, m->zone);
    set_string(&m->facts_problem, NULL);
    *changed = true;
    return 0;
}
