/* Implements deletions.h. */
#include "ctl/deletions.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>

#include "ctl/call.h"
#include "ctl/enable.h"
#include "ctl/output.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"

#define HIDDEN ".deleting-" /* as lib/app-path writes it */

static const struct schema_struct *schema(void)
{
    return varlink_find_method(&provisioner_interface, "Deletions")->out;
}

static bool any_hidden(const struct ctl *ctl)
{
    _cleanup_free_ char *apps = NULL;
    struct error ignored = ERROR_INIT;
    if (configured_app_path(ctl, &apps, &ignored) < 0)
        return false;
    _cleanup_closedir_ DIR *dir = opendir(apps);
    for (struct dirent *d; dir && (d = readdir(dir));)
        if (after_prefix(d->d_name, HIDDEN))
            return true;
    return false;
}

static void append(const void *answer, void *userdata)
{
    const struct provisioner_deletions_out *out = answer;
    struct deletion_list *list = userdata;
    if (out->path)
        schema_copy(schema(), out, schema_append(&list->items, &list->n_items, sizeof **list->items));
}

int deletion_list_read(const struct ctl *ctl, bool running, struct deletion_list *ret, struct error *e)
{
    if (!running && !any_hidden(ctl))
        return 0;
    return ctl_stream(ctl, &ctl_provisioner, "Deletions", NULL, append, ret, e);
}

void deletion_list_done(struct deletion_list *list)
{
    for (size_t i = 0; i < list->n_items; i++)
        schema_free(schema(), list->items[i]);
    free(list->items);
}

const struct provisioner_deletions_out *deletion_list_find(const struct deletion_list *list, const char *path)
{
    for (size_t i = 0; i < list->n_items; i++)
        if (streq_null(list->items[i]->path, path))
            return list->items[i];
    return NULL;
}

char *deletion_text(const struct provisioner_deletions_out *d)
{
    if (!d->message)
        return xasprintf("%s", "it is being deleted");
    int64_t left = d->next_retry - now_realtime_msec();
    if (d->running || left <= 0)
        return xasprintf("%s; it is being retried", d->message);
    _cleanup_free_ char *next = format_duration(left);
    return xasprintf("%s; retried in %s (%" PRId64 " failed)", d->message, next, d->attempts);
}

json_t *deletion_list_pack(const struct deletion_list *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->n_items; i++)
        json_array_append_new(array, schema_pack(schema(), list->items[i]));
    return array;
}
