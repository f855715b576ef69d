/* Implements findings.h. */
#include "quota-keeper/findings.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"

struct quota_finding *findings_add(struct findings *findings, enum quota_finding_kind kind,
                                   const char *container, int64_t project, const char *fmt, ...)
{
    struct quota_finding *f = schema_append(&findings->items, &findings->n, sizeof *f);
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&f->message, fmt, ap) < 0)
        abort();
    va_end(ap);
    f->kind = (int)kind;
    f->project = project;
    f->container = xstrdup_null(container);
    return f;
}

void findings_clear(struct findings *findings)
{
    for (size_t i = 0; i < findings->n; i++) {
        struct quota_finding *f = findings->items[i];
        free(f->container);
        free(f->charged);
        free(f->path);
        free(f->mount_point);
        free(f->message);
        free(f);
    }
    free(findings->items);
    *findings = (struct findings){.n = 0};
}

/* --- strays --- */

struct sentence {
    struct findings *findings;
    const char *name, *container; /* the directory with the files, and its container */
    bool put_back;
};

static int64_t whole(double part)
{
    return (int64_t)(part + 0.5);
}

static void say(const struct sentence *s, const struct stray *stray, const char *charged, const char *to_whom)
{
    _cleanup_free_ char *example = stray->path ? xasprintf("for example '%s'", stray->path)
                                               : xstrdup("too deep in it to be named"),
                        *remedy = s->container ? xasprintf("'hostletctl quota recheck %s' puts", s->container)
                                               : xstrdup("'hostletctl quota recheck' puts");
    struct quota_finding *f = findings_add(
        s->findings, QUOTA_CHARGES_OTHERS, s->container, stray->project,
        "%" PRId64 " files (%" PRId64 " bytes) in '%s' %s charged to %s, %s: %s%s", whole(stray->files),
        whole(stray->bytes), s->name, s->put_back ? "were" : "are", to_whom, example,
        s->put_back ? "they were put" : remedy, " back to the project of their directory");
    f->used_inodes = whole(stray->files);
    f->used = whole(stray->bytes);
    f->path = xstrdup_null(stray->path);
    f->charged = xstrdup_null(charged);
}

static int compare_files(const void *a, const void *b)
{
    double x = (*(const struct stray *const *)a)->files, y = (*(const struct stray *const *)b)->files;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void add_up(struct stray *sum, const struct stray *stray)
{
    if (!sum->project) {
        sum->project = stray->project;
        sum->path = stray->path;
    }
    sum->files += stray->files;
    sum->bytes += stray->bytes;
}

void findings_add_strays(struct findings *findings, struct registry *r, const char *name,
                         const char *container, const struct strays *strays, bool put_back)
{
    const struct sentence s = {findings, name, container, put_back};
    const struct stray *sorted[STRAYS_NAMED];
    struct stray others = {.path = NULL};
    size_t said = 0, n_others = 0;
    for (size_t i = 0; i < strays->n; i++)
        sorted[i] = &strays->named[i];
    qsort(sorted, strays->n, sizeof sorted[0], compare_files);
    for (size_t i = 0; i < strays->n; i++) {
        _cleanup_free_ char *charged = registry_owner_of(r, sorted[i]->project);
        if (charged && said < CHARGED_MAX) {
            _cleanup_free_ char *whom =
                xasprintf("%s, whose project %u they carry", charged, sorted[i]->project);
            say(&s, sorted[i], charged, whom);
            said++;
        } else {
            add_up(&others, sorted[i]);
            n_others++;
        }
    }
    if (strays->rest.project)
        add_up(&others, &strays->rest);
    if (!others.project)
        return;
    _cleanup_free_ char *whom =
        n_others == 1 && !strays->rest.project
            ? xasprintf("project %u, which %s", others.project,
                        said ? "belongs to another replica or to none" : "is no replica's")
            : xasprintf("%s%zu other projects, such as %u", strays->rest.project ? "more than " : "",
                        n_others, others.project);
    say(&s, &others, NULL, whom);
}
