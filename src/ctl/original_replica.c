/* Implements original_replica.h. */
#include "ctl/original_replica.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/app/name.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/schema/object.h"
#include "lib/schema/parse.h"

#define FILE_NAME     "home/action/.innerstack/app_replica.json"
#define FILE_MAX      ((size_t)1 << 20)
#define SECRET_LENGTH 34
#define KEPT_INFIX    ".removed-" /* of data that hostlet's provisioner has kept */

/* The members of app_replica.json that an import reads. */
struct meta {
    char *name;
};
struct deploy {
    int64_t revision;
};
struct app {
    struct meta *meta;
    struct deploy *deploy;
};
struct replica {
    int64_t id;
    char *host_id;
};
struct endpoint {
    char *secret_key;
};
struct file {
    struct app *app;
    struct replica *replica;
    struct endpoint *hostlet_endpoint;
};
#define T struct meta
static const struct schema_field meta_fields[] = {S_STRING(T, name, NULL), S_END};
static const struct schema_struct meta_schema = {"Meta", sizeof(T), NULL, meta_fields};
#undef T
#define T struct deploy
static const struct schema_field deploy_fields[] = {S_INT_OPT(T, revision, NULL), S_END};
static const struct schema_struct deploy_schema = {"Deploy", sizeof(T), NULL, deploy_fields};
#undef T
#define T struct app
static const struct schema_field app_fields[] = {S_STRUCT(T, meta, struct meta, &meta_schema, NULL),
                                                 S_STRUCT_OPT(T, deploy, struct deploy, &deploy_schema, NULL),
                                                 S_END};
static const struct schema_struct app_schema = {"App", sizeof(T), NULL, app_fields};
#undef T
#define T struct replica
static const struct schema_field replica_fields[] = {S_INT_OPT(T, id, NULL), S_STRING_OPT(T, host_id, NULL),
                                                     S_END};
static const struct schema_struct replica_schema = {"Replica", sizeof(T), NULL, replica_fields};
#undef T
#define T struct endpoint
static const struct schema_field endpoint_fields[] = {S_STRING_OPT(T, secret_key, NULL), S_END};
static const struct schema_struct endpoint_schema = {"Endpoint", sizeof(T), NULL, endpoint_fields};
#undef T
#define T struct file
static const struct schema_field file_fields[] = {
    S_STRUCT(T, app, struct app, &app_schema, NULL),
    S_STRUCT(T, replica, struct replica, &replica_schema, NULL),
    S_STRUCT_OPT(T, hostlet_endpoint, struct endpoint, &endpoint_schema, NULL), S_END};
static const struct schema_struct file_schema = {"File", sizeof(T), NULL, file_fields};
#undef T

bool original_secret_valid(const char *text)
{
    return strlen(text) == SECRET_LENGTH && strspn(text, "0123456789abcdef") == SECRET_LENGTH;
}

/* Returns why the file's content is not that of the replica; NULL: it is. The caller frees it. */
static char *find_misfit(const struct file *file, const char *container)
{
    _cleanup_free_ char *theirs = app_container_name(file->app->meta->name, file->replica->id);
    return streq(theirs, container) ? NULL : xasprintf("it is that of '%.80s'", theirs);
}

static void take(const struct file *file, struct original_replica *ret)
{
    const struct endpoint *endpoint = file->hostlet_endpoint;
    const struct deploy *deploy = file->app->deploy;
    ret->file = true;
    if (deploy && deploy->revision > 0)
        ret->revision = deploy->revision;
    if (endpoint && endpoint->secret_key && original_secret_valid(endpoint->secret_key))
        ret->secret = xstrdup(endpoint->secret_key);
    ret->host_id = xstrdup_null(file->replica->host_id);
}

void original_replica_read(const char *app_path, const char *container, struct original_replica *ret)
{
    struct file file = {.app = NULL};
    struct error e = ERROR_INIT;
    _cleanup_free_ char *text = NULL;
    size_t size;
    _cleanup_close_ int apps = open_dir_at(AT_FDCWD, app_path, NULL);
    _cleanup_close_ int base = apps < 0 ? -1 : open_beneath(apps, container, O_PATH | O_DIRECTORY, 0, NULL);
    *ret = (struct original_replica){.directory = base >= 0, .revision = -1};
    if (base < 0)
        return;
    int r = read_file_beneath(base, FILE_NAME, FILE_MAX, &text, &size, &e);
    if (r == -ENOENT)
        ret->problem = xstrdup("it does not exist");
    else if (r < 0 || schema_parse_text(&file_schema, text, size, 0, FILE_NAME, &file, &e) < 0)
        ret->problem = xstrdup(e.message);
    else
        ret->problem = find_misfit(&file, container);
    if (!ret->problem)
        take(&file, ret);
    schema_done(&file_schema, &file);
}

void original_replica_done(struct original_replica *replica)
{
    free(replica->problem);
    free(replica->secret);
    free(replica->host_id);
    *replica = (struct original_replica){.revision = -1};
}

int original_replicas_list(const char *app_path, char ***ret, size_t *ret_n, struct error *e)
{
    _cleanup_closedir_ DIR *apps = opendir(app_path);
    if (!apps)
        return errno == ENOENT ? 0 : error_os(e, errno, "cannot read directory '%s'", app_path);
    for (struct dirent *d; (d = readdir(apps));) {
        struct stat st;
        if (!after_prefix(d->d_name, "i8k_") || strstr(d->d_name, KEPT_INFIX) ||
            fstatat(dirfd(apps), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
            continue;
        schema_append_string(ret, ret_n, d->d_name);
    }
    return 0;
}
