/* A repository of packages: where it is, and its index.
 *
 *   file:///directory     index.json there, or else the headers of the packages in it
 *   http(s)://…/          index.json there; asked for with what we know of the last one, so that it comes
 * again only when it has changed zone                  the zone that the machine belongs to, which has no
 * index: it is searched (zone.h)
 *
 * Loads that are asked for while one is under way share it. An index is only ever used when the repository
 * was asked just now: no answer is made from an old one. */
#pragma once

#include "fetcher/fetcher.h"
#include "lib/package/index.h"

enum repository_kind { REPOSITORY_FILE, REPOSITORY_HTTP, REPOSITORY_ZONE };

/* What a thread reads and parses for a repository: the first member of a struct that has the rest. */
struct repository_load {
    struct work work;
    struct repository *repository; /* NULL: it is gone, and nobody is interested */
};

struct repository {
    struct fetcher *fetcher;
    struct repository *next;
    enum repository_kind kind;
    char *name; /* the URL as people see it: without user and password, with a slash at the end */
    char *url;  /* of http: with them */
    char *path; /* of a file: the directory */

    /* The index */
    struct package_index *index; /* http: kept as long as the process lives; else until the load ends */
    char *etag, *last_modified;  /* of 'index', or of the cached one */
    bool cache_known;            /* whether the cache was looked at */
    unsigned skipped;            /* files without a usable header, of a directory without an index */
    char *skipped_why;           /* of the first of them */

    /* The load under way */
    bool loading;
    struct repository_wait *waits;
    struct repository_load *load; /* in a thread; NULL: none */
    struct http_request *request;
    struct timer pause;
    struct retry retry;
};

struct repository_wait;

/* The index is borrowed for the call; NULL with 'e' when it could not be had. */
typedef void (*repository_loaded_fn)(const struct package_index *index, const struct error *e,
                                     void *userdata);

/* Parses the configured URLs, separated by white space, into a list; refused naming the bad one. 'with_zone'
 * adds the zone behind them, where it is not among them. */
int repositories_parse(struct fetcher *fetcher, const char *urls, bool with_zone, struct repository **ret,
                       struct error *e);
void repositories_free(struct repository *list);
struct repository *repositories_find(struct repository *list, const char *name);

/* Asks for the index; the answer comes from the loop, once, unless it is cancelled. */
struct repository_wait *repository_load(struct repository *repository, repository_loaded_fn on_loaded,
                                        void *userdata);
void repository_wait_cancel(struct repository_wait *wait); /* NULL is fine */

/* The URL (with user and password), or the path, of a file of the repository, for opening, and the one for
 * people. */
char *repository_file_url(const struct repository *repository, const char *file);
char *repository_file_name(const struct repository *repository, const char *file);

/* Whether 'file' of an index item (or of a reference) stays beneath the repository: 0, or refused. */
int repository_file_check(const struct repository *repository, const char *file, struct error *e);

/* For repository_file.c and repository_http.c */

/* The end of a load: takes 'index' (NULL: it failed with 'e'), tells everyone who waits. */
void repository_loaded(struct repository *repository, struct package_index *index, const struct error *e);
/* Whether the items of an index are different packages: 0, or failed naming the one that comes twice. Takes
 * time. */
int index_check(const struct package_index *index, struct error *e);
