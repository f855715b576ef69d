/* Implements apply_call.h. */
#include "reconciler/face/apply_call.h"

#include <stdlib.h>

#include "lib/app/check.h"
#include "lib/app/extent.h"
#include "lib/app/normalise.h"
#include "lib/schema/object.h"
#include "reconciler/face/apply.h"
#include "reconciler/face/planning.h"

/* A Plan or Apply in progress. */
struct apply_call {
    struct manager *manager;
    struct varlink_call *call;
    struct planning *planning;
    bool apply;
};

static void on_gone(struct varlink_call *call, void *userdata)
{
    (void)call;
    struct apply_call *a = userdata;
    planning_free(a->planning);
    free(a);
}

static void on_planned(struct planning *planning, void *userdata)
{
    struct apply_call *a = userdata;
    struct reconciler_apply_out out = {.name = NULL};
    struct error e = ERROR_INIT;
    int r = 0;
    planning_make(planning, 0, "local", &out);
    if (a->apply && out.n_refusals > 0) {
        r = apply_refuse(&out, &e);
    } else if (a->apply) {
        r = apply_manifest(a->manager, planning_manifest(planning, 0), NULL, &out, &e);
    }
    varlink_call_on_gone(a->call, NULL, NULL);
    if (r < 0)
        varlink_error(a->call, &e);
    else
        varlink_reply(a->call, &out);
    apply_out_done(&out);
    planning_free(planning);
    free(a);
}

static int begin(struct varlink_call *call, const void *in, struct manager *m, bool apply, struct error *e)
{
    const struct reconciler_apply_in *wanted = in;
    int r = app_check(wanted->manifest, e);
    if (r < 0)
        return r;
    struct app_manifest *manifest = xcalloc(1, sizeof *manifest), **list = NULL;
    size_t n = 0;
    schema_copy(&app_manifest_schema, wanted->manifest, manifest);
    r = app_normalise(manifest, e);
    if (r >= 0)
        r = app_check_extent(manifest, "/app", e); /* defaults may have made it larger */
    if (r < 0) {
        schema_free(&app_manifest_schema, manifest);
        return r;
    }
    list = xcalloc(1, sizeof *list);
    list[n++] = manifest;
    struct apply_call *a = xcalloc(1, sizeof *a);
    *a = (struct apply_call){.manager = m, .call = call, .apply = apply};
    varlink_call_on_gone(call, on_gone, a);
    a->planning = planning_start(m, list, n, on_planned, a);
    planning_hurry(a->planning, wanted->patience_msec);
    if (!apply)
        planning_set_memory(a->planning, wanted->planned_memory);
    return 0;
}

int method_apply(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    return begin(call, in, userdata, true, e);
}

int method_plan(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    return begin(call, in, userdata, false, e);
}
