/* Implements spec_copy.h. */
#include "container-driver/spec_copy.h"

#include <errno.h>

#include "container-driver/name.h"
#include "lib/app/volume.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"

/* Of the container's own places. A mount below the image's root needs no directory in the image. */
#define PLACE   "/.hostlet"
#define PROGRAM PLACE "/inagent"

#define COPY_MEMORY                                                                                          \
    ((int64_t)256 << 20) /* bytes; files in the page cache count, and are dropped when needed */
#define COPY_PIDS 50

/* Takes ownership of 'source' and 'target'. */
static void add_mount(struct spec *s, char *source, char *target, bool read_only, bool is_volume)
{
    s->mounts = xrealloc(s->mounts, s->n_mounts + 1, sizeof *s->mounts);
    s->mounts[s->n_mounts++] = (struct spec_mount){
        .source = source, .target = target, .read_only = read_only, .is_volume = is_volume};
}

static const struct driver_volume *find_volume(const struct driver_container *c, const char *path)
{
    for (size_t i = 0; i < c->n_anonymous_volumes; i++)
        if (streq(c->anonymous_volumes[i]->path, path))
            return c->anonymous_volumes[i];
    return NULL;
}

/* Adds one volume to the mounts and to the command. */
static int add_volume(struct spec *s, const struct driver_container *from, const char *path,
                      const char *directory, size_t number, struct error *e)
{
    static const struct app_volume_rules rules = {0};
    const struct driver_volume *volume = find_volume(from, path);
    int r = app_volume_check(path, &rules, e);
    if (r < 0)
        return error_prefix(e, "%s", from->name);
    if (!volume)
        return error_refuse(e, EINVAL, "container '%s' has no anonymous volume at '%s'", from->name, path);
    _cleanup_free_ char *key = app_volume_key(path), *source = xasprintf(PLACE "/from/%zu", number),
                        *target = xasprintf(PLACE "/to/%zu", number);
    schema_append_string(&s->command, &s->n_command, path);
    schema_append_string(&s->command, &s->n_command, source);
    schema_append_string(&s->command, &s->n_command, target);
    add_mount(s, xstrdup(volume->name), xstrdup(source), true, true);
    add_mount(s, xasprintf("%s/" APP_VOLUMES_COPYING "%s", directory, key), xstrdup(target), false, false);
    return 0;
}

static int fill(struct spec *s, const struct driver_copy_in *in, const struct driver_container *from,
                const struct settings *settings, struct error *e)
{
    /* What a copy of any owner, mode, file capability and device needs. */
    static const char *const capabilities[] = {"CHOWN",  "DAC_OVERRIDE", "FOWNER",
                                               "FSETID", "MKNOD",        "SETFCAP"};
    _cleanup_free_ char *container = NULL, *directory = NULL;
    int r = container_name(in->instance, in->replica_id, DRIVER_SLOT_CURRENT, &container, e);
    if (r < 0)
        return r;
    directory = xasprintf("%s/%s/" APP_VOLUMES_DIRECTORY, settings->apps, container);
    s->name = copy_container_name(settings->tree_id, in->instance, in->replica_id);
    s->image = xstrdup(from->image_id ?: from->image ?: "");
    schema_append_string(&s->command, &s->n_command, PROGRAM);
    schema_append_string(&s->command, &s->n_command, "copy");
    add_mount(s, xstrdup(settings->inagent), xstrdup(PROGRAM), true, false);
    for (size_t i = 0; r >= 0 && i < in->n_volumes; i++)
        r = add_volume(s, from, in->volumes[i], directory, i, e);
    for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
        s->capabilities[s->n_capabilities++] = capabilities[i];
    schema_map_set(&s->labels, &s->n_labels, LABEL_COPY, settings->tree_id);
    s->user = "0";
    s->working_dir = "/";
    s->memory_limit = COPY_MEMORY;
    s->pids_limit = COPY_PIDS;
    s->read_only = s->no_new_privileges = s->isolated = true;
    return r;
}

int spec_make_copy(const struct driver_copy_in *in, const struct driver_container *from,
                   const struct settings *settings, struct spec *ret, struct error *e)
{
    struct spec s = {0};
    int r = fill(&s, in, from, settings, e);
    if (r < 0)
        spec_done(&s);
    else
        *ret = s;
    return r;
}
