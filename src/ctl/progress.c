/* Implements progress.h. */
#include "ctl/progress.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

#include "ctl/output.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"

#define BAR_WIDTH     24
#define BAR_NARROW    7 /* on a terminal of fewer than NARROW columns */
#define NARROW        70
#define RESIZE_PAUSE  (100 * USEC_PER_MSEC) /* without a further change of the size */
#define STAGES_NEEDED 7                     /* of a start: host_recv to container_running */
#define REPEATED_MAX  32                    /* columns of a message that is printed each time */
#define NAME_MIN      4 /* columns of an instance's name, however narrow the terminal is */

/* The last printed end of a stage, so that each end is printed once. */
struct seen {
    char *key; /* "REPLICA STAGE" */
    char *state, *message;
    int64_t attempt;
};

struct progress {
    int64_t revision, begun_msec;
    struct reconciler_instance *first; /* the first state that was received; NULL: none */
    bool live;
    size_t columns, rows;             /* of the terminal; the columns that a line may have */
    size_t bars;                      /* lines of bars on the screen, which the next output replaces */
    struct reconciler_instance *last; /* as it was shown; NULL: nothing was */
    sd_event_source *signal;          /* SIGWINCH */
    struct timer resized;
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

/* Reports whether the message is long and the line of another stage had it. */
static bool was_printed(const struct progress *p, const struct app_stage *stage)
{
    if (!stage->message || text_width(stage->message) <= REPEATED_MAX)
        return false;
    size_t lines = 0; /* this one is stored already */
    for (size_t i = 0; i < p->n_seen; i++)
        lines += streq_null(p->seen[i].message, stage->message);
    return lines > 1;
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
    free(s->message);
    s->state = xstrdup_null(stage->state);
    s->message = xstrdup_null(stage->message);
    s->attempt = stage->attempt;
    return true;
}

/* Prints a part of a line of which 'left' columns are left. Returns how many are left after it. */
static size_t print_part(enum colour colour, const char *text, size_t left)
{
    _cleanup_free_ char *cut = text_cut(text, left);
    print_coloured(colour, cut);
    size_t width = text_width(cut);
    return left > width ? left - width : 0;
}

/* Returns the beginning of a replica's line of 'columns'. It cuts the name, so that the 'rest' columns that
 * follow fit in the line. The caller frees it. */
static char *begin_line(size_t columns, const char *instance, int64_t replica, size_t rest)
{
    _cleanup_free_ char *number = xasprintf("/%" PRId64 "  ", replica);
    size_t used = strlen("  ") + strlen(number) + rest;
    _cleanup_free_ char *name = text_cut(instance, columns > used + NAME_MIN ? columns - used : NAME_MIN);
    return xasprintf("  %s%s", name, number);
}

/* Prints the end of a stage. On a terminal, the line of a success needs one line of the screen. */
static void print_end(const struct progress *p, const char *instance, int64_t replica,
                      const struct app_stage *stage)
{
    bool failed = state_of(stage) == STAGE_FAILED;
    const char *state = failed ? "failed" : "success";
    _cleanup_free_ char *duration = format_duration(stage->finished - STAGE_BEGUN(stage)),
                        *message = was_printed(p, stage) ? xstrdup("the same message")
                                                         : format_first_line(stage->message),
                        *name = format_safe(stage->name);
    size_t left = p->live && !failed ? p->columns : SIZE_MAX;
    _cleanup_free_ char *what = xasprintf("%-18s ", name),
                        *head = begin_line(left, instance, replica, text_width(what) + strlen(state)),
                        *took =
                            stage->finished > STAGE_BEGUN(stage) ? xasprintf("  %s", duration) : xstrdup(""),
                        *attempt = stage->attempt > 0 ? xasprintf("  attempt %" PRId64, stage->attempt + 1)
                                                      : xstrdup(""),
                        *rest = xasprintf("%s%s%s%s", took, attempt, *message ? "  " : "", message);
    left = print_part(PLAIN, head, left);
    left = print_part(PLAIN, what, left);
    left = print_part(failed ? RED : GREEN, state, left);
    print_part(PLAIN, rest, left);
    putchar('\n');
}

/* Counts the stages that succeeded, and stores the running one (NULL: none). */
static size_t count_done(const struct progress *p, const struct reconciler_replica *r,
                         const struct app_stage **ret_running)
{
    size_t done = 0;
    *ret_running = NULL;
    for (size_t i = 0; i < r->n_stages; i++) {
        const struct app_stage *stage = r->stages[i];
        if (stage->revision != p->revision)
            continue;
        done += state_of(stage) == STAGE_SUCCESS;
        if (state_of(stage) == STAGE_RUNNING)
            *ret_running = stage;
    }
    return done;
}

static void print_bar(const struct progress *p, const char *instance, const struct reconciler_replica *r)
{
    const struct app_stage *running;
    size_t done = count_done(p, r, &running), width = p->columns < NARROW ? BAR_NARROW : BAR_WIDTH;
    size_t full = done >= STAGES_NEEDED ? width : done * width / STAGES_NEEDED;
    char bar[BAR_WIDTH + 1];
    memset(bar, '.', width);
    memset(bar, '#', full);
    bar[width] = '\0';
    _cleanup_free_ char *what = format_safe(r->step ?: schema_enum_name(&replica_state_enum, r->state)),
                        *message = format_first_line(running ? running->message : NULL);
    _cleanup_free_ char *head = begin_line(p->columns, instance, r->id,
                                           strlen("[] ") + width + text_width(what) + (*message ? 2 : 0));
    _cleanup_free_ char *line = xasprintf("%s[%s] %s%s%s", head, bar, what, *message ? ": " : "", message);
    print_part(PLAIN, line, p->columns);
    putchar('\n');
}

/* Draws bars of the replicas whose deploy is over, or is not (those that 'over' states), until 'most' are
 * drawn.
 */
static void draw_some(struct progress *p, const struct reconciler_instance *instance, bool over, size_t most)
{
    for (size_t i = 0; i < instance->n_replicas && p->bars < most; i++) {
        const struct app_stage *running;
        bool is_over = count_done(p, instance->replicas[i], &running) >= STAGES_NEEDED && !running;
        if (is_over != over)
            continue;
        print_bar(p, instance->name, instance->replicas[i]);
        p->bars++;
    }
}

/* Draws as many bars as the screen has lines for, above the line of the cursor. If there are more replicas,
 * the last line is their number, and those in progress come first. */
static void draw(struct progress *p, const struct reconciler_instance *instance)
{
    size_t n = instance->n_replicas, fit = p->rows - 1;
    if (n <= fit) {
        for (; p->bars < n; p->bars++)
            print_bar(p, instance->name, instance->replicas[p->bars]);
        return;
    }
    if (fit == 0)
        return;
    draw_some(p, instance, false, fit - 1);
    draw_some(p, instance, true, fit - 1);
    _cleanup_free_ char *line = xasprintf("  … and %zu more", n - p->bars);
    print_part(PLAIN, line, p->columns);
    putchar('\n');
    p->bars++;
}

static void measure(struct progress *p)
{
    output_size(&p->columns, &p->rows);
    /* Some terminals begin a new line as soon as the last column is written. */
    p->columns -= p->columns > 1;
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

/* Stores a copy of the instance, for a change of the terminal's size. */
static void keep(struct progress *p, const struct reconciler_instance *instance)
{
    if (instance == p->last)
        return;
    if (p->last)
        schema_free(&reconciler_instance_schema, p->last);
    p->last = xcalloc(1, sizeof *p->last);
    schema_copy(&reconciler_instance_schema, instance, p->last);
}

static void on_resized(void *userdata)
{
    struct progress *p = userdata;
    if (p->bars > 0)
        progress_show(p, p->last);
}

/* A window that is dragged changes its size many times, and a terminal may move the lines of each. */
static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    (void)info;
    struct progress *p = userdata;
    timer_arm(&p->resized, sd_event_source_get_event(source), RESIZE_PAUSE, on_resized, p);
    return 0;
}

int progress_watch(struct progress *p, sd_event *event)
{
    sigset_t mask;
    if (!p->live)
        return 0;
    sigemptyset(&mask);
    sigaddset(&mask, SIGWINCH);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    return sd_event_add_signal(event, &p->signal, SIGWINCH, on_signal, p);
}

void progress_begin(struct progress *p, const struct reconciler_instance *instance)
{
    if (p->first)
        return;
    p->first = xcalloc(1, sizeof *p->first);
    schema_copy(&reconciler_instance_schema, instance, p->first);
}

bool progress_is_old(const struct progress *p, int64_t replica, const struct app_stage *stage)
{
    if (stage->finished == 0 || stage->finished >= p->begun_msec)
        return false;
    for (size_t i = 0; p->first && i < p->first->n_replicas; i++) {
        const struct reconciler_replica *r = p->first->replicas[i];
        for (size_t j = 0; r->id == replica && j < r->n_stages; j++)
            if (schema_equal(&app_stage_schema, r->stages[j], stage))
                return true;
    }
    return false;
}

void progress_show(struct progress *p, const struct reconciler_instance *instance)
{
    progress_clear(p);
    keep(p, instance);
    measure(p);
    for (size_t i = 0; i < instance->n_replicas; i++) {
        const struct reconciler_replica *r = instance->replicas[i];
        for (size_t j = 0; j < r->n_stages; j++) {
            const struct app_stage *stage = r->stages[j];
            bool ended = state_of(stage) == STAGE_SUCCESS || state_of(stage) == STAGE_FAILED;
            if (stage->revision == p->revision && ended && !progress_is_old(p, r->id, stage) &&
                is_news(p, r->id, stage))
                print_end(p, instance->name, r->id, stage);
        }
    }
    if (p->live)
        draw(p, instance);
    fflush(stdout);
}

struct progress *progress_free(struct progress *p)
{
    sd_event_source_disable_unref(p->signal);
    timer_stop(&p->resized);
    schema_free(&reconciler_instance_schema, p->first);
    if (p->last)
        schema_free(&reconciler_instance_schema, p->last);
    for (size_t i = 0; i < p->n_seen; i++) {
        free(p->seen[i].key);
        free(p->seen[i].state);
        free(p->seen[i].message);
    }
    free(p->seen);
    free(p);
    return NULL;
}
