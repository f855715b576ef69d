/* Implements questions.h. Each question runs as one job. */
#include "quota-keeper/questions.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/api/quota_keeper.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"
#include "quota-keeper/enforce.h"
#include "quota-keeper/recovery.h"
#include "quota-keeper/report.h"
#include "quota-keeper/requests.h"
#include "quota-keeper/watch.h"

struct question {
    struct work work;
    struct question *next; /* the next one in the list of those that wait */
    struct manager *manager;
    enum question_kind kind;
    struct varlink_call *call; /* NULL: a question without a caller, or the caller hung up */
    char *container;
    struct quota_values **values;
    size_t n_values;
    struct findings findings;
    struct quota_info_out info;
    struct notes notes;
    char **gone;
    size_t n_gone;
    int result;
    struct error e;
};

static void question_free(struct question *q)
{
    for (size_t i = 0; i < q->n_values; i++)
        schema_free(&quota_values_schema, q->values[i]);
    free(q->values);
    findings_clear(&q->findings);
    schema_done(varlink_find_method(&quota_keeper_interface, "Info")->out, &q->info);
    for (size_t i = 0; i < q->n_gone; i++)
        free(q->gone[i]);
    free(q->gone);
    free(q->container);
    free(q);
}

/* --- in the thread --- */

static int read_one(struct question *q, struct places *places, const struct ledger_item *item,
                    struct error *e)
{
    struct quota_values values;
    int r = enforce_read(&q->manager->registry, places, item, &values, e);
    if (r >= 0)
        *(struct quota_values *)schema_append(&q->values, &q->n_values, sizeof values) = values;
    return r;
}

static int read_values(struct question *q)
{
    struct registry *r = &q->manager->registry;
    struct places places;
    size_t n = 0;
    struct ledger_item *items = NULL, one;
    if (q->container) {
        if (!registry_get(r, q->container, &one))
            return error_set(&q->e, ERROR_NOT_FOUND, ENOENT, "%s has no project", q->container);
        items = xcalloc(1, sizeof one);
        items[n++] = one;
    } else {
        items = registry_items(r, &n);
    }
    int result = places_open(&places, r->kernel, r->apps, &q->e);
    for (size_t i = 0; i < n && result >= 0; i++) {
        struct error e = ERROR_INIT;
        int read = read_one(q, &places, &items[i], &e);
        if (read >= 0)
            continue;
        if (q->container) {
            result = read;
            q->e = e;
        } else {
            notes_add(&q->notes, xasprintf("%s; the list does not contain it", e.message));
        }
    }
    if (result >= 0)
        places_close(&places);
    registry_items_free(items, n);
    return result;
}

static void question_work(struct work *work)
{
    struct question *q = (struct question *)work;
    struct registry *r = &q->manager->registry;
    switch (q->kind) {
    case QUESTION_GET:
    case QUESTION_LIST:
    case QUESTION_WATCH:
        q->result = read_values(q);
        break;
    case QUESTION_CHECK:
        q->result = read_values(q);
        q->gone = recovery_find_gone(r, &q->n_gone);
        break;
    case QUESTION_REPORT:
        q->result = report_make(r, &q->findings, &q->e);
        break;
    case QUESTION_INFO:
        q->result = report_info(r, &q->info, &q->e);
        break;
    }
}

/* --- in the loop --- */

static void answer(struct question *q, struct varlink_call *call)
{
    switch (q->kind) {
    case QUESTION_GET:
        varlink_reply(call, q->values[0]);
        break;
    case QUESTION_LIST:
        for (size_t i = 0; i < q->n_values; i++)
            varlink_notify(call, &(struct quota_list_out){q->values[i]});
        varlink_reply(call, &(struct quota_list_out){NULL});
        break;
    case QUESTION_WATCH:
        watch_begin(q->manager, call, q->values, q->n_values);
        break;
    case QUESTION_REPORT:
        for (size_t i = 0; i < q->findings.n; i++)
            varlink_notify(call, &(struct quota_report_out){q->findings.items[i]});
        varlink_reply(call, &(struct quota_report_out){NULL});
        break;
    case QUESTION_INFO:
        varlink_reply(call, &q->info);
        break;
    case QUESTION_CHECK:
        break;
    }
}

static void question_done(struct work *work)
{
    struct question *q = (struct question *)work;
    struct manager *m = q->manager;
    struct varlink_call *call = TAKE_PTR(q->call);
    manager_tell(&q->notes);
    for (size_t i = 0; i < q->n_values; i++)
        watch_see(m, q->values[i]);
    if (call)
        varlink_call_on_gone(call, NULL, NULL);
    if (call && q->result < 0)
        varlink_error(call, &q->e);
    else if (call)
        answer(q, call);
    else if (q->kind == QUESTION_CHECK && q->result < 0)
        log_warning("cannot check the quotas: %s", q->e.message);
    for (size_t i = 0; i < q->n_gone; i++) {
        log_notice("%s no longer has a directory: its project is given back", q->gone[i]);
        request_begin(m, REQUEST_REMOVE_IF_GONE, NULL, q->gone[i], NULL);
    }
    if (q->kind == QUESTION_CHECK)
        watch_arm(m);
    question_free(q);
}

static void on_gone(struct varlink_call *call, void *userdata)
{
    (void)call;
    struct question *q = userdata;
    q->call = NULL;
}

void questions_run(struct manager *m)
{
    for (struct question *q = TAKE_PTR(m->waiting), *next; q; q = next) {
        next = q->next;
        workers_add(q->kind == QUESTION_REPORT ? m->background : m->jobs, &q->work);
    }
}

void question_ask(struct manager *m, enum question_kind kind, struct varlink_call *call,
                  const char *container)
{
    struct question *q = xcalloc(1, sizeof *q);
    *q = (struct question){.work = {.key = kind == QUESTION_REPORT ? "report" : NULL,
                                    .run = question_work,
                                    .done = question_done},
                           .manager = m,
                           .kind = kind,
                           .call = call,
                           .container = xstrdup_null(container)};
    if (call)
        varlink_call_on_gone(call, on_gone, q);
    if (!m->recovered && kind != QUESTION_INFO) {
        q->next = m->waiting;
        m->waiting = q;
        return;
    }
    workers_add(kind == QUESTION_REPORT ? m->background : m->jobs, &q->work);
}
