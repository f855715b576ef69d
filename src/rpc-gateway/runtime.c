/* Implements runtime.h. */
#include "rpc-gateway/runtime.h"

#include <limits.h>

#include "lib/schema/object.h"

#define AGE_USEC     (60 * USEC_PER_SEC)
#define TIMEOUT_USEC (10 * USEC_PER_SEC)

static const struct schema_struct *info_schema(void)
{
    return varlink_find_method(&reconciler_interface, "Info")->out;
}

static void on_info(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)continues;
    struct runtime *r = userdata;
    r->call = NULL;
    if (e) {
        r->asked = 0; /* the next round calls again */
        return;
    }
    schema_done(info_schema(), &r->known);
    schema_copy(info_schema(), out, &r->known);
}

static int32_t count(int64_t n)
{
    return n < 0 ? 0 : n > INT32_MAX ? INT32_MAX : (int32_t)n;
}

void runtime_fill(struct runtime *r, Inapi__HostStatus *status)
{
    uint64_t now = now_monotonic_usec();
    if (!r->call && (r->asked == 0 || now - r->asked > AGE_USEC)) {
        r->asked = now;
        r->call = call_start(r->caller, &call_reconciler, "Info", NULL, false, TIMEOUT_USEC, on_info, r);
    }
    const struct driver_info_out *info = r->known.runtime;
    if (!info || info->state == DRIVER_RUNTIME_DOWN)
        return;
    inapi__host_status__container__init(&r->message);
    inapi__host_status__containers_entry__init(&r->entry);
    r->message.driver = info->runtime;
    r->message.version = info->version ?: (char *)"";
    r->message.api_version = info->api_version ?: (char *)"";
    r->message.container_num = count(info->containers);
    r->message.image_num = count(info->images);
    r->entry.key = info->runtime;
    r->entry.value = &r->message;
    r->entries[0] = &r->entry;
    status->containers = r->entries;
    status->n_containers = 1;
}

void runtime_done(struct runtime *r)
{
    call_cancel(r->call);
    schema_done(info_schema(), &r->known);
}
