/* Implements progress.h. */
#include "ctl/progress.h"

#include <inttypes.h>
#include <stdlib.h>

#include "ctl/output.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"

#define BAR_WIDTH     24
#define BARS_MAX      12
#define STAGES_NEEDED 7 /* of a start: host_recv to container_running */

/* The last printed end of a stage, so that each end is printed once. */
struct seen {
    char *key; /* "REPLICA STAGE" */
    char *state;
    int64_t attempt;
};

struct progress {
    int64_t revision, begun_msec;
    bool live;
    size_t bars; /* lines of bars on the screen, which the next output replaces */
    struct seen *seen;
    size_t n_seen;
};

struct progress *progress_new(int64_t revision, int64_t begun_msec)
{
    struct progress *p = xcalloc(1, sizeof *p);
    p->revision = revision;
    p->begun_msec = begun_msec;
    p->live = output_is_live();
    return p;
}

/* Returns the stage's enum app_stage_state, or a negative number if the state is unknown. */
static int state_of(const struct app_stage *stage)
{
    return schema_enum_value(&app_stage_state_enum, stage->state);
}

/* Reports whether this end of the stage was not printed yet, and stores it. */
static bool is_news(struct progress *p, int64_t replica, const struct app_stage *stage)
{
    _cleanup_free_ char *key = xasprintf("%" PRId64 " %s", replica, stage->name ?: "");
    struct seen *s = NULL;
    for (size_t i = 0; i < p->n_seen && !s; i++)
        if (streq(p->seen[i].key, key))
            s = &p->seen[i];
    if (s && streq_null(s->state, stage->state) && s->attempt == stage->attempt)
        return false;
    if (!s) {
        p->seen = xrealloc(p->seen, p->n_seen + 1, sizeof *p->seen);
        s = &p->seen[p->n_seen++];
        *s = (struct seen){.key = TAKE_PTR(key)};
    }
    free(s->state);
    s->state = xstrdup_null(stage->state);
    s->attempt = stage->attempt;
    return true;
}

static void print_end(const char *instance, int64_t replica, const struct app_stage *stage)
{
    bool failed = state_of(stage) == STAGE_FAILED;
    _cleanup_free_ char *took = format_duration(stage->finished - stage->created),
                        *message = format_first_line(stage->message), *name = format_safe(stage->name);
    printf("  %s/%" PRId64 "  %-18s ", instance, replica, name);
    print_coloured(failed ? RED : GREEN, failed ? "failed" : "success");
    if (stage->finished > stage->created)
        printf("  %s", took);
    if (stage->attempt > 0)
        printf("  attempt %" PRId64, stage->attempt + 1);
    printf("%s%s\n", *message ? "  " : "", message);
}

static void print_bar(const struct progress *p, const char *instance, const struct reconciler_replica *r)
{
    size_t done = 0;
    const struct app_stage *running = NULL;
    for (size_t i = 0; i < r->n_stages; i++) {
        const struct app_stage *stage = r->stages[i];
        if (stage->revision != p->revision)
            continue;
        done += state_of(stage) == STAGE_SUCCESS;
        if (state_of(stage) == STAGE_RUNNING)
            running = stage;
    }
    size_t full = done >= STAGES_NEEDED ? BAR_WIDTH : done * BAR_WIDTH / STAGES_NEEDED;
    char bar[BAR_WIDTH + 1];
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', full);
    bar[BAR_WIDTH] = '\0';
    _cleanup_free_ char *what = format_safe(r->step ?: schema_enum_name(&replica_state_enum, r->state)),
                        *message = format_first_line(running ? running->message : NULL);
    /* Texts are cut, so that a bar never needs two lines of the screen. */
    output_control("\033[2K");
    printf("  %s/%" PRId64 "  [%s] %.30s%s%.40s\n", instance, r->id, bar, what, *message ? ": " : "",
           message);
}

void progress_clear(struct progress *p)
{
    if (p->bars > 0) {
        _cleanup_free_ char *up = xasprintf("\033[%zuA\033[J", p->bars);
        output_control(up);
    }
    p->bars = 0;
    fflush(stdout);
}

void progress_show(struct progress *p, const struct reconciler_instance *instance)
{
    progress_clear(p);
    for (size_t i = 0; i < instance->n_replicas; i++) {
        const struct reconciler_replica *r = instance->replicas[i];
        for (size_t j = 0; j < r->n_stages; j++) {
            const struct app_stage *stage = r->stages[j];
            bool ended = state_of(stage) == STAGE_SUCCESS || state_of(stage) == STAGE_FAILED;
            if (stage->revision == p->revision && ended && stage->finished >= p->begun_msec &&
                is_news(p, r->id, stage))
                print_end(instance->name, r->id, stage);
        }
    }
    for (size_t i = 0; p->live && i < instance->n_replicas && i < BARS_MAX; i++) {
        print_bar(p, instance->name, instance->replicas[i]);
        p->bars++;
    }
    fflush(stdout);
}

struct progress *progress_free(struct progress *p)
{
    for (size_t i = 0; i < p->n_seen; i++) {
        free(p->seen[i].key);
        free(p->seen[i].state);
    }
    free(p->seen);
    free(p);
    return NULL;
}
