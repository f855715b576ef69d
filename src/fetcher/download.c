/* Implements download.h: the states of a download and its attempts. */
#include "fetcher/download.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "fetcher/download_file.h"
#include "fetcher/download_http.h"
#include "fetcher/download_report.h"
#include "fetcher/download_zone.h"
#include "fetcher/manager.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"
#include "lib/schema/object.h"

/* A failed attempt does not count as a failure if it advanced beyond the high-water mark by more than this
 * part of the package or these bytes, whichever is less. It must also have reached at least a rate of this
 * part per transfer_timeout, because otherwise a server that sends a few bytes at a time would keep the
 * download going for ever. */
#define PROGRESS_PART  16
#define PROGRESS_BYTES (UINT64_C(1) << 20)
#define OVERS_MAX      3

static const char *const state_names[] = {
    [DOWNLOAD_LOCATING] = "locating",
    [DOWNLOAD_QUEUED] = "queued",
    [DOWNLOAD_TRANSFERRING] = "transferring",
    [DOWNLOAD_PAUSING] = "pausing",
    [DOWNLOAD_FINISHING] = "finishing",
    [DOWNLOAD_STOPPING] = "stopping",
    [DOWNLOAD_OVER] = "over",
};
static_assert(ARRAY_SIZE(state_names) == _DOWNLOAD_STATE_MAX, "every state has a name");

static void set_state(struct download *d, enum download_state state)
{
    if (d->state == state)
        return;
    log_debug("package '%s': %s -> %s", d->package->id, state_names[d->state], state_names[state]);
    d->state = state;
    manager_reschedule(d->manager);
}

struct download *download_new(struct manager *manager, const struct package_reference *package)
{
    struct download *d = xcalloc(1, sizeof *d);
    d->manager = manager;
    d->fetcher = &manager->fetcher;
    d->state = DOWNLOAD_OVER;
    d->package = xcalloc(1, sizeof *d->package);
    schema_copy(&package_reference_schema, package, d->package);
    return d;
}

/* Ends everything that an attempt started, except the sink. */
static void end_try(struct download *d)
{
    lookup_cancel(TAKE_PTR(d->lookup));
    http_request_cancel(TAKE_PTR(d->request));
    download_zone_stop(d);
    timer_stop(&d->pause);
    timer_stop(&d->deadline);
    d->paused = false;
}

void download_free(struct download *d)
{
    if (!d)
        return;
    download_forget_calls(d);
    end_try(d);
    sink_free(d->sink);
    timer_stop(&d->heartbeat);
    facts_done(&d->facts);
    schema_free(&package_reference_schema, d->package);
    free(d->calls);
    free(d->file);
    free(d);
}

static void on_found(const struct package_reference *found, const struct error *e, void *userdata)
{
    struct download *d = userdata;
    d->lookup = NULL;
    if (!found) {
        download_fail(d, e, false);
        return;
    }
    d->looked_up = true;
    d->repository = repositories_find(d->manager->repositories, found->repository);
    free(d->file);
    d->file = xstrdup(found->file);
    set_state(d, DOWNLOAD_QUEUED);
}

static void locate(struct download *d)
{
    struct error e = ERROR_INIT;
    const struct lookup_for what = {
        .name = d->package->name, .os = d->package->os, .arch = d->package->arch, .exactly = d->package};
    if (manager_has_repositories(d->manager, d->package->name, &e) < 0) {
        download_fail(d, &e, false);
        return;
    }
    download_say(d, "searching the repositories");
    set_state(d, DOWNLOAD_LOCATING);
    d->lookup = lookup_start(d->manager->repositories, &what, on_found, d);
}

void download_begin(struct download *d)
{
    struct error e = ERROR_INIT;
    _cleanup_free_ char *path = NULL;
    uint64_t size = 0;
    d->retry.failures = 0;
    d->started_usec = now_monotonic_usec();
    d->total = d->high_water = 0;
    d->overs = 0;
    d->looked_up = d->pieced = d->fresh = d->fresh_tried = d->ask_whole = false;
    int r = store_find(&d->fetcher->store, d->package, &path, &size, &e);
    if (r != 0) {
        if (r > 0) {
            /* A fetcher that was killed after the rename left the partial file. */
            store_drop_partial(&d->fetcher->store, d->package->id);
            download_answer(d, path, size);
        } else {
            download_answer_error(d, &e);
        }
        set_state(d, DOWNLOAD_OVER);
        return;
    }
    /* The repository may have been removed from the configuration since the reference was made, or may have
     * moved the file. */
    d->repository = d->package->repository && d->package->file
                        ? repositories_find(d->manager->repositories, d->package->repository)
                        : NULL;
    if (d->repository && repository_file_check(d->repository, d->package->file, NULL) >= 0) {
        free(d->file);
        d->file = xstrdup(d->package->file);
        set_state(d, DOWNLOAD_QUEUED);
    } else {
        locate(d);
    }
}

static void on_stopped(void *userdata)
{
    struct download *d = userdata;
    d->sink = NULL;
    if (d->stop_for_fresh && d->n_calls > 0) {
        d->stop_for_fresh = false;
        d->fresh = true;
        set_state(d, DOWNLOAD_QUEUED);
    } else if (d->n_calls > 0) { /* a new call arrived while it stopped */
        download_begin(d);
    } else {
        set_state(d, DOWNLOAD_OVER);
    }
}

static void stop(struct download *d, bool for_fresh)
{
    end_try(d);
    d->stop_for_fresh = for_fresh;
    set_state(d, DOWNLOAD_STOPPING);
    if (d->sink && sink_result(d->sink, NULL) == 0) {
        sink_stop(d->sink, on_stopped, d);
        return;
    }
    /* The sink's thread has ended its work. */
    sink_free(d->sink);
    on_stopped(d);
}

void download_abandon(struct download *d)
{
    if (d->state == DOWNLOAD_STOPPING || d->state == DOWNLOAD_OVER)
        return;
    log_info("package '%s': no caller waits for it any more; %llu bytes are kept", d->package->id,
             (unsigned long long)(d->sink ? sink_position(d->sink) : 0));
    stop(d, false);
}

void download_fail(struct download *d, const struct error *e, bool drop)
{
    struct error final = *e;
    _cleanup_free_ char *rest = NULL;
    uint64_t kept = d->sink && !drop ? sink_position(d->sink) : 0;
    if (d->retry.failures > 1)
        rest = xasprintf("; tried %u times in %llu s", d->retry.failures,
                         (unsigned long long)((now_monotonic_usec() - d->started_usec) / USEC_PER_SEC));
    error_set(&final, e->class, e->errnum, "cannot fetch package '%s': %s%s", d->package->id, e->message,
              rest ?: "");
    if (kept > 0 && e->class == ERROR_RETRY) {
        size_t n = strlen(final.message);
        snprintf(final.message + n, sizeof final.message - n, "; %llu bytes are kept for the next fetch",
                 (unsigned long long)kept);
    }
    if (drop)
        store_drop_partial(&d->fetcher->store, d->package->id);
    download_answer_error(d, &final);
    stop(d, false);
}

void download_wrong(struct download *d, const struct error *e)
{
    /* A package that was received in one piece would be wrong again. */
    if (!d->pieced || d->fresh_tried) {
        download_fail(d, e, true);
        return;
    }
    log_warning("package '%s': %s; starting over", d->package->id, e->message);
    d->fresh_tried = true;
    d->pieced = false;
    download_say(d, "%s; starting over", e->message);
    stop(d, true);
}

static void on_pause_over(void *userdata)
{
    struct download *d = userdata;
    set_state(d, DOWNLOAD_QUEUED);
}

/* Reports whether the attempt that ends at 'position' advanced enough for the time that it took. */
static bool got_on(const struct download *d, uint64_t position)
{
    const struct settings *s = &d->fetcher->settings;
    uint64_t part = d->total / PROGRESS_PART;
    double took = (double)(now_monotonic_usec() - d->begun_usec) / (double)s->transfer_timeout_usec;
    double slowest = (double)(d->total > 0 ? d->total : s->size_max) / PROGRESS_PART * took;
    return position > d->high_water + (part > 0 && part < PROGRESS_BYTES ? part : PROGRESS_BYTES) &&
           (double)(position - d->high_water) >= slowest;
}

void download_try_failed(struct download *d, const struct error *e, unsigned at_least_seconds)
{
    uint64_t position = d->sink ? sink_position(d->sink) : 0;
    end_try(d);
    if (e->class == ERROR_NOT_FOUND && !d->looked_up) {
        log_info("package '%s' is no longer at its URL (%s): searching the repositories", d->package->id,
                 e->message);
        locate(d);
        return;
    }
    if (got_on(d, position))
        d->retry.failures = 0;
    if (position > d->high_water)
        d->high_water = position;
    uint64_t pause = e->class == ERROR_RETRY ? fetcher_next_pause(d->fetcher, &d->retry) : 0;
    if (pause == 0) {
        download_fail(d, e, false);
        return;
    }
    if (pause < at_least_seconds * USEC_PER_SEC)
        pause = at_least_seconds * USEC_PER_SEC;
    log_info("package '%s': %s; trying again in %.1f s", d->package->id, e->message,
             (double)pause / USEC_PER_SEC);
    download_say(d, "%s; trying again in %.1f s", e->message, (double)pause / USEC_PER_SEC);
    set_state(d, DOWNLOAD_PAUSING);
    timer_arm(&d->pause, d->fetcher->event, pause, on_pause_over, d);
}

void download_start_over(struct download *d, const char *why)
{
    log_info("package '%s': %s; starting over", d->package->id, why);
    download_say(d, "%s; starting over", why);
    d->pieced = false;
    d->ask_whole = true;
    if (++d->overs > OVERS_MAX) {
        struct error e = ERROR_INIT;
        error_retry(&e, EPROTO, "the download started over %d times; the last time: %s", OVERS_MAX, why);
        download_fail(d, &e, false);
    }
}

void download_finish(struct download *d)
{
    set_state(d, DOWNLOAD_FINISHING);
    download_say(d, "verifying");
    sink_end(d->sink);
}

static void on_sink_change(void *userdata)
{
    struct download *d = userdata;
    struct error e = ERROR_INIT;
    int r = sink_result(d->sink, &e);
    if (r > 0) {
        _cleanup_free_ char *path = store_package_path(&d->fetcher->store, d->package->name, d->package->id);
        uint64_t size = sink_position(d->sink);
        log_info("package '%s' is in the store: %llu bytes from %s in %.1f s", d->package->id,
                 (unsigned long long)size, d->repository->name,
                 (double)(now_monotonic_usec() - d->started_usec) / USEC_PER_SEC);
        download_answer(d, path, size);
        stop(d, false);
    } else if (r == -EBADMSG) {
        download_wrong(d, &e);
    } else if (r < 0) {
        /* If the disk is full, the space matters more than the received bytes. */
        download_fail(d, &e, r == -ENOSPC || r == -EDQUOT || r == -EFBIG);
    } else {
        if (d->state == DOWNLOAD_TRANSFERRING && sink_is_verifying(d->sink)) {
            set_state(d, DOWNLOAD_FINISHING);
            download_say(d, "verifying");
        }
        download_http_room(d);
        download_zone_room(d);
        download_progress(d);
    }
}

/* Opens the sink, which resumes the partial file of an earlier process if it belongs to the same file. */
static int open_sink(struct download *d, struct error *e)
{
    const struct settings *settings = &d->fetcher->settings;
    const struct sink_options options = {
        .store = &d->fetcher->store,
        .package = d->package,
        .size_max = settings->size_max,
        .keep_free = settings->keep_free,
        .on_change = on_sink_change,
        .userdata = d,
    };
    _cleanup_free_ char *url = repository_file_name(d->repository, d->file);
    facts_done(&d->facts);
    bool known = !d->fresh && facts_read(d->fetcher->store.partial_fd, d->package->id, &d->facts) >= 0 &&
                 facts_match(&d->facts, url, d->package);
    int r = sink_new(d->fetcher->event, &options, !known, &d->sink, e);
    if (r < 0)
        return r;
    if (!known)
        facts_done(&d->facts);
    d->fresh = false;
    d->total = known ? (uint64_t)d->facts.size : (uint64_t)d->package->size;
    d->high_water = sink_position(d->sink);
    return 0;
}

static void on_deadline(void *userdata)
{
    struct download *d = userdata;
    struct error e = ERROR_INIT;
    timer_stop(&d->deadline);
    if (d->state != DOWNLOAD_TRANSFERRING)
        return;
    error_retry(
        &e, ETIMEDOUT, "%s: not done within %llu s ([fetcher] transfer_timeout); %llu bytes were received",
        d->repository->name, (unsigned long long)(d->fetcher->settings.transfer_timeout_usec / USEC_PER_SEC),
        (unsigned long long)sink_position(d->sink));
    download_try_failed(d, &e, 0);
}

static int check_space(struct download *d, struct error *e)
{
    uint64_t left, position = sink_position(d->sink);
    uint64_t needed = d->total > position ? d->total - position : 0;
    int r = store_free_space(&d->fetcher->store, &left, e);
    if (r < 0)
        return r;
    if (left >= d->fetcher->settings.keep_free && left - d->fetcher->settings.keep_free >= needed)
        return 0;
    return error_retry(
        e, ENOSPC,
        "it needs %llu more bytes on the filesystem of '%s', where %llu are left and %llu must stay free",
        (unsigned long long)needed, d->fetcher->store.path, (unsigned long long)left,
        (unsigned long long)d->fetcher->settings.keep_free);
}

void download_transfer(struct download *d)
{
    struct error e = ERROR_INIT;
    int r = d->sink ? 0 : open_sink(d, &e);
    if (r >= 0)
        r = check_space(d, &e);
    if (r < 0) {
        download_fail(d, &e, false);
        return;
    }
    set_state(d, DOWNLOAD_TRANSFERRING);
    d->begun_usec = now_monotonic_usec();
    uint64_t position = sink_position(d->sink);
    if (d->total > 0 && position > d->total) {
        d->pieced = true;
        error_fail(&e, EBADMSG, "the partial file is larger than the package");
        download_wrong(d, &e);
        return;
    }
    d->pieced |= position > 0;
    if (d->total > 0 && position == d->total) {
        download_finish(d);
        return;
    }
    if (d->repository->kind == REPOSITORY_FILE) {
        download_start_file(d);
        return;
    }
    timer_arm(&d->deadline, d->fetcher->event, d->fetcher->settings.transfer_timeout_usec, on_deadline, d);
    if (d->repository->kind == REPOSITORY_ZONE)
        download_start_zone(d);
    else
        download_start_http(d);
}
