/* Implements app_path.h. */
#include "lib/app-path/app_path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/app/name.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"

#define REMOVED     ".removed-"
#define DATE_FORMAT "%Y%m%dT%H%M%S"
#define DATE_LENGTH 15
/* Only one spelling is valid: an entry with another one does not belong to this tree. */
#define RANDOM 16

static bool is_container(const char *name)
{
    _cleanup_free_ char *instance = NULL;
    int64_t id;
    return app_container_name_parse(name, &instance, &id) == 0;
}

int app_path_check_container(const char *name, struct error *e)
{
    if (is_container(name))
        return 0;
    return error_refuse(e, EINVAL, "'%.100s' is not a name of a replica's container (i8k_INSTANCE_ID)", name);
}

char *app_path_kept_name(const char *container, int64_t at, int64_t number)
{
    char date[32];
    time_t when = (time_t)at;
    struct tm tm;
    gmtime_r(&when, &tm);
    strftime(date, sizeof date, DATE_FORMAT, &tm);
    if (number == 0)
        return xasprintf("%s" REMOVED "%s", container, date);
    return xasprintf("%s" REMOVED "%s-%" PRId64, container, date, number);
}

static bool parse_removed(const char *name, const char *removed, struct app_path_entry *ret)
{
    _cleanup_free_ char *container = xstrndup(name, (size_t)(removed - name));
    const char *date = removed + strlen(REMOVED);
    struct tm tm = {0};
    int64_t number = 0;
    if (!is_container(container) || strlen(date) < DATE_LENGTH)
        return false;
    if (date[DATE_LENGTH] && (date[DATE_LENGTH] != '-' ||
                              parse_int64(date + DATE_LENGTH + 1, 1, APP_PATH_NUMBER_MAX, &number) < 0))
        return false;
    _cleanup_free_ char *only = xstrndup(date, DATE_LENGTH);
    const char *end = strptime(only, DATE_FORMAT, &tm);
    if (!end || *end)
        return false;
    int64_t at = timegm(&tm);
    /* Returns the container that a hidden entry belonged to, from the part of its name after the prefix;
     * NULL if the name does not contain it. */
    _cleanup_free_ char *again = app_path_kept_name(container, at, number);
    if (!streq(again, name))
        return false;
    *ret = (struct app_path_entry){xstrdup(name), TAKE_PTR(container), NULL, true, at, number};
    return true;
}

char *app_path_deleting_name(const char *name)
{
    char random[RANDOM + 1];
    random_hex(random, RANDOM / 2);
    return xasprintf(APP_PATH_DELETING "%s-%s", name, random);
}

/* The container that something hidden was of, from what follows the prefix; NULL: it does not say. */
static char *deleting_of(const char *rest)
{
    size_t n = strlen(rest);
    if (n < RANDOM + 2 || rest[n - RANDOM - 1] != '-' ||
        strspn(rest + n - RANDOM, "0123456789abcdef") != RANDOM)
        return NULL;
    _cleanup_free_ char *name = xstrndup(rest, n - RANDOM - 1);
    struct app_path_entry entry = {.name = NULL};
    const char *removed = strstr(name, REMOVED);
    if (removed && !parse_removed(name, removed, &entry))
        return NULL;
    char *container = removed ? TAKE_PTR(entry.container) : is_container(name) ? xstrdup(name) : NULL;
    app_path_entry_clear(&entry);
    return container;
}

bool app_path_entry_parse(const char *name, struct app_path_entry *ret)
{
    const char *making = after_prefix(name, APP_PATH_MAKING),
               *deleting = after_prefix(name, APP_PATH_DELETING);
    if (making || deleting) {
        char *of = deleting ? deleting_of(deleting) : is_container(making) ? xstrdup(making) : NULL;
        *ret = (struct app_path_entry){.name = xstrdup(name), .hidden_of = of};
        return true;
    }
    const char *removed = strstr(name, REMOVED);
    if (removed)
        return parse_removed(name, removed, ret);
    if (!is_container(name))
        return false;
    *ret = (struct app_path_entry){.name = xstrdup(name), .container = xstrdup(name)};
    return true;
}

void app_path_entry_clear(struct app_path_entry *entry)
{
    free(entry->name);
    free(entry->container);
    free(entry->hidden_of);
    *entry = (struct app_path_entry){.name = NULL};
}

int app_path_open(const char *path, struct error *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        int r = make_dirs(path, 0755, e);
        if (r < 0)
            return r;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    _cleanup_close_ int apps = fd;
    struct stat st;
    if (apps < 0 || fstat(apps, &st) < 0)
        return error_os(e, errno, "cannot open the app path '%s'", path);
    if (st.st_uid != geteuid() || (st.st_mode & 0022))
        return error_refuse(e, EPERM,
                            "the app path '%s' belongs to user %u and has mode %04o: it must belong to user "
                            "%u, and no other user may have write access",
                            path, st.st_uid, st.st_mode & 07777, geteuid());
    return TAKE_FD(apps);
}

static int compare(const void *a, const void *b)
{
    const struct app_path_entry *x = a, *y = b;
    int names = strcmp(x->container ?: x->name, y->container ?: y->name);
    if (names != 0)
        return names;
    if (x->removed != y->removed)
        return x->removed ? 1 : -1;
    if (x->removed_at != y->removed_at)
        return x->removed_at < y->removed_at ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

int app_path_list(int apps, struct app_path_entry **ret, size_t *ret_n, struct error *e)
{
    int fd = openat(apps, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int errnum = errno;
        close_fd(fd);
        return error_os(e, errnum, "cannot read the app path");
    }
    struct app_path_entry *entries = NULL;
    size_t n = 0;
    struct dirent *d;
    for (errno = 0; (d = readdir(dir)); errno = 0) {
        struct app_path_entry entry;
        struct stat st;
        if (!app_path_entry_parse(d->d_name, &entry))
            continue;
        if (fstatat(apps, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode)) {
            app_path_entry_clear(&entry);
            continue;
        }
        entries = xrealloc(entries, n + 1, sizeof *entries);
        entries[n++] = entry;
    }
    if (errno != 0) {
        int errnum = errno;
        app_path_list_free(entries, n);
        return error_os(e, errnum, "cannot read the app path");
    }
    if (n > 0)
        qsort(entries, n, sizeof *entries, compare);
    *ret = entries;
    *ret_n = n;
    return 0;
}

void app_path_list_free(struct app_path_entry *entries, size_t n)
{
    for (size_t i = 0; i < n; i++)
        app_path_entry_clear(&entries[i]);
    free(entries);
}

int64_t app_path_newest_record(int apps, const struct app_path_entry *entries, size_t n)
{
    struct stat st;
    int64_t newest = fstat(apps, &st) < 0 ? 0 : (int64_t)st.st_mtime;
    for (size_t i = 0; i < n; i++)
        if (entries[i].removed && entries[i].removed_at > newest)
            newest = entries[i].removed_at;
    return newest;
}

int app_path_newest_kept(int apps, const char *container, char **ret, struct error *e)
{
    struct app_path_entry *entries = NULL;
    size_t n = 0;
    int r = app_path_list(apps, &entries, &n, e);
    if (r < 0)
        return r;
    char *newest = NULL;
    for (size_t i = n; i > 0 && !newest; i--)
        if (entries[i - 1].removed && streq(entries[i - 1].container, container))
            newest = xstrdup(entries[i - 1].name);
    app_path_list_free(entries, n);
    *ret = newest;
    return 0;
}

int app_path_exists(int apps, const char *name, struct error *e)
{
    struct stat st;
    if (fstatat(apps, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_os(e, errno, "cannot stat '%s'", name);
    if (!S_ISDIR(st.st_mode))
        return error_set(e, ERROR_CONFLICT, ENOTDIR,
                         "'%s' in the app path is in the way: it is not a directory", name);
    return 1;
}

int app_path_sync(int apps, struct error *e)
{
    return fsync(apps) < 0 ? error_os(e, errno, "cannot sync the app path") : 0;
}
