/* Implements repository.h: the list of repositories, and the sharing of a load. repository_file.c and
 * repository_http.c load indexes. */
#include "fetcher/repository.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <strings.h>

#include "fetcher/repository_file.h"
#include "fetcher/repository_http.h"
#include "fetcher/zone.h"
#include "lib/basic/cleanup.h"
#include "lib/package/id.h"

#define NAME_MAX_BYTES 2048

struct repository_wait {
    struct repository *repository;
    struct repository_wait *next, **at; /* 'at': the pointer that points to this struct */
    repository_loaded_fn on_loaded;
    void *userdata;
};

static void repository_free(struct repository *r)
{
    if (!r)
        return;
    if (r->load)
        r->load->repository = NULL;
    http_request_cancel(r->request);
    timer_stop(&r->pause);
    while (r->waits)
        repository_wait_cancel(r->waits);
    package_index_free(r->index);
    free(r->name);
    free(r->url);
    free(r->path);
    free(r->etag);
    free(r->last_modified);
    free(r->skipped_why);
    free(r);
}
DEFINE_CLEANUP(struct repository *, repository_free);

/* Returns what a message may show of an invalid URL: nothing before the last '@', because a password can
 * contain a slash that is not escaped. The caller frees it. */
static char *hidden(const char *url)
{
    const char *host = strstr(url, "://"), *at = strrchr(url, '@');
    if (strncasecmp(url, "file:", 5) == 0 || !at)
        return xstrdup(url);
    return xasprintf("%.*s%s", host && host < at ? (int)(host + 3 - url) : 0, url, at + 1);
}

static char *without_password(const char *url)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    const char *at = memrchr(host, '@', strcspn(host, "/?#"));
    return at ? xasprintf("%.*s%s", (int)(host - url), url, at + 1) : xstrdup(url);
}

static int hex_value(char c)
{
    return isdigit((unsigned char)c)    ? c - '0'
           : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10
                                        : -1;
}

/* Decodes the escapes of a URL ("%20"). Returns NULL for an invalid escape or a zero byte. The caller frees
 * it. */
static char *decode_percent(const char *s)
{
    char *path = xcalloc(strlen(s) + 1, 1), *to = path;
    for (; *s; s++) {
        if (*s == '%') {
            int high = hex_value(s[1]), low = high >= 0 ? hex_value(s[2]) : -1;
            if (low < 0 || high * 16 + low == 0) {
                free(path);
                return NULL;
            }
            *to++ = (char)(high * 16 + low);
            s += 2;
        } else {
            *to++ = *s;
        }
    }
    return path;
}

static int parse_file(struct repository *r, const char *path, struct error *e)
{
    if (path[0] != '/')
        return error_refuse(e, EINVAL, "[fetcher] repositories: '%s' must be file:/// and an absolute path",
                            r->name);
    r->kind = REPOSITORY_FILE;
    r->path = decode_percent(path);
    return r->path ? 0 : error_refuse(e, EINVAL, "[fetcher] repositories: '%s' has a bad %% escape", r->name);
}

/* Checks HOST or [IPV6], perhaps followed by ":" and a port, which may be empty. 'n' is the length. */
static int check_host(const char *name, const char *host, size_t n, struct error *e)
{
    bool brackets = *host == '[';
    const char *end = brackets ? memchr(host, ']', n) : NULL;
    size_t length = brackets ? (end ? (size_t)(end - host) + 1 : 0) : strcspn(host, ":/");
    _cleanup_free_ char *address = brackets && end ? xstrndup(host + 1, length - 2) : NULL;
    struct in6_addr six;
    int64_t port;
    if (brackets ? !address || inet_pton(AF_INET6, address, &six) != 1 : !isalnum((unsigned char)*host))
        return error_refuse(e, EINVAL, "[fetcher] repositories: '%s' names no host", name);
    _cleanup_free_ char *rest = xstrndup(host + length, n - length);
    if (*rest && (*rest != ':' || (rest[1] && parse_int64(rest + 1, 1, 65535, &port) < 0)))
        return error_refuse(e, EINVAL, "[fetcher] repositories: '%s' has a port that is not from 1 to 65535",
                            name);
    return 0;
}

static int parse_http(struct repository *r, const char *url, const char *host, struct error *e)
{
    r->kind = REPOSITORY_HTTP;
    size_t n = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', n), *name = at ? at + 1 : host;
    int x = check_host(r->name, name, n - (size_t)(name - host), e);
    if (x < 0)
        return x;
    r->url = has_suffix(url, "/") ? xstrdup(url) : xasprintf("%s/", url);
    return 0;
}

static int parse_url(struct fetcher *fetcher, const char *url, struct repository **ret, struct error *e)
{
    _cleanup_(cleanup_repository_free) struct repository *r = xcalloc(1, sizeof *r);
    r->fetcher = fetcher;
    r->name = hidden(url);
    if (strlen(url) > NAME_MAX_BYTES)
        return error_refuse(e, EINVAL, "[fetcher] repositories: a URL is longer than %d bytes",
                            NAME_MAX_BYTES);
    for (const char *c = url; *c; c++)
        if (*c <= ' ' || *c > '~' || *c == '?' || *c == '#')
            return error_refuse(
                e, EINVAL,
                "[fetcher] repositories: '%s' has a character that a repository's URL may not have", r->name);
    if (streq(url, "zone")) {
        free(r->name);
        r->name = xstrdup(ZONE_NAME);
        r->kind = REPOSITORY_ZONE;
        *ret = TAKE_PTR(r);
        return 0;
    }
    int x = -EINVAL;
    if (strncasecmp(url, "file://", 7) == 0)
        x = parse_file(r, url + 7, e);
    else if (strncasecmp(url, "http://", 7) == 0)
        x = parse_http(r, url, url + 7, e);
    else if (strncasecmp(url, "https://", 8) == 0)
        x = parse_http(r, url, url + 8, e);
    else
        error_refuse(e, EINVAL,
                     "[fetcher] repositories: '%s' is none of file:///…, http://…, https://… and zone",
                     r->name);
    if (x < 0)
        return x;
    _cleanup_free_ char *name = without_password(url);
    free(r->name);
    r->name = xasprintf("%s%s", name, has_suffix(name, "/") ? "" : "/");
    *ret = TAKE_PTR(r);
    return 0;
}

int repositories_parse(struct fetcher *fetcher, const char *urls, bool with_zone, struct repository **ret,
                       struct error *e)
{
    _cleanup_free_ char *copy = xstrdup(urls);
    struct repository *list = NULL, **last = &list;
    char *save = NULL;
    for (char *url = strtok_r(copy, " \t\n", &save); url; url = strtok_r(NULL, " \t\n", &save)) {
        struct repository *one = NULL;
        int x = parse_url(fetcher, url, &one, e);
        if (x >= 0 && repositories_find(list, one->name)) {
            x = error_refuse(e, EINVAL, "[fetcher] repositories: '%s' occurs twice", one->name);
            repository_free(one);
        }
        if (x < 0) {
            repositories_free(list);
            return x;
        }
        *last = one;
        last = &one->next;
    }
    if (with_zone && !repositories_find(list, ZONE_NAME))
        parse_url(fetcher, "zone", last, e);
    *ret = list;
    return 0;
}

void repositories_free(struct repository *list)
{
    while (list) {
        struct repository *next = list->next;
        repository_free(list);
        list = next;
    }
}

struct repository *repositories_find(struct repository *list, const char *name)
{
    for (; list; list = list->next)
        if (streq(list->name, name))
            return list;
    return NULL;
}

static void link_wait(struct repository_wait **at, struct repository_wait *wait)
{
    while (*at)
        at = &(*at)->next;
    *at = wait;
    wait->at = at;
    wait->next = NULL;
}

static void unlink_wait(struct repository_wait *wait)
{
    *wait->at = wait->next;
    if (wait->next)
        wait->next->at = wait->at;
}

struct repository_wait *repository_load(struct repository *r, repository_loaded_fn on_loaded, void *userdata)
{
    struct repository_wait *wait = xcalloc(1, sizeof *wait);
    wait->repository = r;
    wait->on_loaded = on_loaded;
    wait->userdata = userdata;
    link_wait(&r->waits, wait);
    if (r->loading)
        return wait;
    r->loading = true;
    if (r->kind == REPOSITORY_FILE)
        repository_load_file(r);
    else
        repository_load_http(r);
    return wait;
}

void repository_wait_cancel(struct repository_wait *wait)
{
    if (!wait)
        return;
    struct repository *r = wait->repository;
    unlink_wait(wait);
    free(wait);
    if (r->waits || !r->loading || r->load)
        return;
    /* No call waits any more: the request ends, or the pause before the next one. What a thread reads is kept
     * for later calls. */
    http_request_cancel(TAKE_PTR(r->request));
    timer_stop(&r->pause);
    r->loading = false;
}

void repository_loaded(struct repository *r, struct package_index *index, const struct error *e)
{
    struct repository_wait *waits = TAKE_PTR(r->waits);
    if (waits)
        waits->at = &waits;
    r->loading = false;
    /* A callback can start another load. The list and the index are local, so that such a load cannot change
     * what the remaining callbacks get. */
    while (waits) {
        struct repository_wait *wait = waits;
        unlink_wait(wait);
        wait->on_loaded(index, e, wait->userdata);
        free(wait);
    }
    if (index != r->index)
        package_index_free(index);
}

char *repository_file_url(const struct repository *r, const char *file)
{
    return xasprintf("%s%s", r->url, file);
}

char *repository_file_name(const struct repository *r, const char *file)
{
    return xasprintf("%s%s", r->name, file);
}

int repository_file_check(const struct repository *r, const char *file, struct error *e)
{
    bool good = has_suffix(file, ".ipk") && strlen(file) <= 1024;
    for (const char *c = file; *c && good; c++) {
        bool begins = c == file || c[-1] == '/';
        good = isalnum((unsigned char)*c) || (!begins && strchr("._+-/", *c));
    }
    return good ? 0
                : error_refuse(e, EINVAL,
                               "repository %s: '%.100s' is not a plain relative path that ends in .ipk",
                               r->name, file);
}

static int compare_ids(const void *a, const void *b)
{
    const struct package *const *x = a, *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

int index_check(const struct package_index *index, struct error *e)
{
    _cleanup_free_ const struct package **sorted = xcalloc(index->n_items + 1, sizeof *sorted);
    for (size_t i = 0; i < index->n_items; i++)
        sorted[i] = index->items[i].package;
    qsort(sorted, index->n_items, sizeof *sorted, compare_ids);
    for (size_t i = 1; i < index->n_items; i++)
        if (streq(sorted[i - 1]->id, sorted[i]->id))
            return error_fail(e, EBADMSG, "its index contains package '%s' twice", sorted[i]->id);
    return 0;
}
