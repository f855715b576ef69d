/* Loads the indexes of package repositories.
 *
 *   file:///directory     index.json in it; without it the headers of the packages in it
 *   http(s)://…/          index.json there, by a conditional request: it is received again only if it has
 *                         changed
 *   zone                  the zone of the machine, which has no index: it is searched (zone.h)
 *
 * Calls during a load share it. Each use of an index is preceded by a request to the repository: no reply is
 * made from an outdated index. */
#pragma once

#include "fetcher/fetcher.h"
#include "lib/package/index.h"

enum repository_kind { REPOSITORY_FILE, REPOSITORY_HTTP, REPOSITORY_ZONE };

/* What a thread reads and parses for a repository: the first member of a struct with the rest. */
struct repository_load {
    struct work work;
    struct repository *repository; /* NULL: the repository was freed, and the result is dropped */
};

struct repository {
    struct fetcher *fetcher;
    struct repository *next;
    enum repository_kind kind;
    char *name; /* the URL for messages: without user and password, with a slash at the end */
    char *url;  /* of http: with user and password */
    char *path; /* of file: the directory */

    /* the index */
    /* Of http: kept until the process exits. Of file: until the load ends. */
    struct package_index *index;
    char *etag, *last_modified; /* of 'index', or of the cached index */
    bool cache_known;           /* the cache was read */
    unsigned skipped;           /* files without a valid header, in a directory without an index */
    char *skipped_why;          /* of the first such file */

    /* the current load */
    bool loading;
    struct repository_wait *waits;
    struct repository_load *load; /* in a thread; NULL: none */
    struct http_request *request;
    struct timer pause;
    struct retry retry;
};

struct repository_wait;

/* 'index' is borrowed for the call; NULL: it could not be loaded, and 'e' is the reason. */
typedef void (*repository_loaded_fn)(const struct package_index *index, const struct error *e,
                                     void *userdata);

/* Parses the configured URLs, which are separated by white space, into a list. 'with_zone' appends the zone
 * if the list does not contain it. Returns 0, or −EINVAL (refused) with an error that names the URL (without
 * its password) that is invalid or occurs twice. */
int repositories_parse(struct fetcher *fetcher, const char *urls, bool with_zone, struct repository **ret,
                       struct error *e);
void repositories_free(struct repository *list);
struct repository *repositories_find(struct repository *list, const char *name);

/* Loads the index. The loop calls 'on_loaded' once, unless the wait is cancelled. */
struct repository_wait *repository_load(struct repository *repository, repository_loaded_fn on_loaded,
                                        void *userdata);
/* Cancels a wait, which may be NULL, and with the last one the load. */
void repository_wait_cancel(struct repository_wait *wait);

/* Return the URL of a file of the repository for requests (with user and password), and the name for
 * messages. The caller frees them. */
char *repository_file_url(const struct repository *repository, const char *file);
char *repository_file_name(const struct repository *repository, const char *file);

/* Checks 'file' of an index item or a reference, so that it cannot name a file outside of the repository: a
 * relative path that ends in ".ipk" and has at most 1024 bytes, of ASCII letters, digits and "._+-/", in
 * which each component begins with a letter or digit. Returns 0 or −EINVAL (refused). */
int repository_file_check(const struct repository *repository, const char *file, struct error *e);

/* for repository_file.c and repository_http.c */

/* Ends a load: calls all waiting callbacks with 'index' (NULL: it failed with 'e'). Takes ownership of
 * 'index' unless it is r->index. */
void repository_loaded(struct repository *repository, struct package_index *index, const struct error *e);
/* Checks that no package occurs twice in an index. Returns 0, or −EBADMSG with an error that names the
 * package. It can take long for a large index. */
int index_check(const struct package_index *index, struct error *e);
