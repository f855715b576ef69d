/* Implements store.h. Each container has a file ID.json; images.json contains the images. */
#include "container-driver/null/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "container-driver/name.h"
#include "container-driver/reading.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/schema/pack.h"
#include "lib/schema/parse.h"

#define IMAGES   "images.json"
#define FILE_MAX ((size_t)4 << 20)

/* Replaces a file by rename, so that a kill leaves the old or the new content. The file is not synced. */
static int save(const char *directory, const char *name, json_t *content, struct error *e)
{
    _cleanup_free_ char *text = json_dumps(content, JSON_INDENT(2) | JSON_SORT_KEYS);
    _cleanup_free_ char *path = xasprintf("%s/%s", directory, name), *temporary = xasprintf("%s.tmp", path);
    int r = file_fits(path, strlen(text), FILE_MAX, e);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_os(e, errno, "cannot create '%s'", temporary);
    r = write_all(fd, text, strlen(text));
    if (r < 0)
        return error_os(e, -r, "cannot write '%s'", temporary);
    return rename(temporary, path) < 0 ? error_os(e, errno, "cannot rename to '%s'", path) : 0;
}

int null_save(const struct null_container *k, struct error *e)
{
    _cleanup_json_ json_t *content =
        json_pack("{s:s?, s:o}", "tree", k->tree, "container", schema_pack(&driver_container_schema, k->c));
    if (k->app_name)
        json_object_set_new(content, "app_name", json_string(k->app_name));
    if (k->app_rep_id)
        json_object_set_new(content, "app_rep_id", json_string(k->app_rep_id));
    _cleanup_free_ char *name = xasprintf("%s.json", k->c->id);
    return save(k->null->directory, name, content, e);
}

void null_container_free(struct null_container *k)
{
    timer_stop(&k->timer);
    free(k->tree);
    free(k->app_name);
    free(k->app_rep_id);
    driver_container_free(k->c);
    free(k);
}

void null_forget(struct null_container *k)
{
    for (struct null_container **at = &k->null->containers; *at; at = &(*at)->next)
        if (*at == k) {
            *at = k->next;
            break;
        }
    _cleanup_free_ char *path = xasprintf("%s/%s.json", k->null->directory, k->c->id);
    unlink(path);
    null_container_free(k);
}

static int load_container(struct null *n, const char *path, const char *text, size_t size, struct error *e)
{
    _cleanup_json_ json_t *content = NULL;
    int r = parse_answer(path, text, size, &content, e);
    if (r < 0)
        return r;
    struct reading reading = {.what = path, .error = e};
    const char *tree = read_string(&reading, content, "tree"),
               *app_name = read_string(&reading, content, "app_name"),
               *app_rep_id = read_string(&reading, content, "app_rep_id");
    json_t *container = read_object(&reading, content, "container");
    if (reading.r < 0 || !container)
        return reading.r < 0 ? reading.r : error_fail(e, EPROTO, "'%s' contains no container", path);
    struct null_container *k = xcalloc(1, sizeof *k);
    k->null = n;
    k->tree = xstrdup_null(tree);
    k->app_name = xstrdup_null(app_name);
    k->app_rep_id = xstrdup_null(app_rep_id);
    k->c = xcalloc(1, sizeof *k->c);
    r = schema_parse(&driver_container_schema, container, 0, k->c, e);
    if (r < 0) {
        null_container_free(k);
        return error_prefix(e, "'%s'", path);
    }
    k->next = n->containers;
    n->containers = k;
    return 0;
}

static int load_images(struct null *n, const char *path, const char *text, size_t size, struct error *e)
{
    _cleanup_json_ json_t *content = NULL;
    int r = parse_answer(path, text, size, &content, e);
    if (r < 0)
        return r;
    const char *reference;
    json_t *id;
    json_object_foreach(content, reference, id)
    {
        n->images = xrealloc(n->images, n->n_images + 1, sizeof *n->images);
        n->images[n->n_images++] =
            (struct null_image){.reference = xstrdup(reference), .id = xstrdup(json_string_value(id) ?: "")};
    }
    return 0;
}

int null_save_images(const struct null *n, struct error *e)
{
    _cleanup_json_ json_t *content = json_object();
    for (size_t i = 0; i < n->n_images; i++)
        json_object_set_new(content, n->images[i].reference, json_string(n->images[i].id));
    return save(n->directory, IMAGES, content, e);
}

int null_load(struct null *n, struct error *e)
{
    _cleanup_closedir_ DIR *dir = opendir(n->directory);
    if (!dir)
        return error_os(e, errno, "cannot open directory '%s'", n->directory);
    for (struct dirent *d; (d = readdir(dir));) {
        if (!has_suffix(d->d_name, ".json"))
            continue;
        _cleanup_free_ char *path = xasprintf("%s/%s", n->directory, d->d_name), *text = NULL;
        size_t size;
        int r = read_file_at(AT_FDCWD, path, FILE_MAX, &text, &size, e);
        if (r >= 0)
            r = streq(d->d_name, IMAGES) ? load_images(n, path, text, size, e)
                                         : load_container(n, path, text, size, e);
        if (r < 0)
            return r;
    }
    return 0;
}
