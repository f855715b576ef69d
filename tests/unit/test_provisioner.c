/* Tests the parts of the provisioner that need no privileges: names in the app path, mount points, and
 * that jobs of one container run one after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/app-path/app_path.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/remove_tree.h"
#include "lib/loop/work.h"
#include "provisioner/mounts.h"

static void test_kept_names_survive_a_round_trip(void **state)
{
    (void)state;
    static const struct {
        const char *container;
        int64_t at, number;
        const char *name;
    } cases[] = {
        {"i8k_web_0", 0, 0, "i8k_web_0.removed-19700101T000000"},
        {"i8k_web_0", 1795468000, 0, "i8k_web_0.removed-20261123T210640"},
        {"i8k_web-2_127", 1795468000, 3, "i8k_web-2_127.removed-20261123T210640-3"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *name = app_path_kept_name(cases[i].container, cases[i].at, cases[i].number);
        assert_string_equal(name, cases[i].name);
        struct app_path_entry entry;
        assert_true(app_path_entry_parse(name, &entry));
        assert_true(entry.removed);
        assert_string_equal(entry.container, cases[i].container);
        assert_int_equal(entry.removed_at, cases[i].at);
        assert_int_equal(entry.number, cases[i].number);
        app_path_entry_clear(&entry);
    }
}

static void test_names_that_are_none_of_ours_are_rejected(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool known;
        const char *container;
    } cases[] = {
        {"i8k_web_0", true, "i8k_web_0"},
        {".making-i8k_web_0", true, NULL},
        {".deleting-i8k_web_0-0011", true, NULL},
        {"lost+found", false, NULL},
        {"i8k_web_0.old", false, NULL},
        {"i8k_web_0.removed-", false, NULL},
        {"i8k_web_0.removed-20261123", false, NULL},
        {"i8k_web_0.removed-20261123T210640x", false, NULL},
        {"i8k_web_0.removed-20261123T210640-", false, NULL},
        {"i8k_web_0.removed-20261123T210640-0", false, NULL},
        {"i8k_web_0.removed-20261123T210640-01", false, NULL},
        {"i8k_web_0.removed-20261123T210640--1", false, NULL},
        {"i8k_web_0.removed-20261323T210640", false, NULL},
        {"i8k_web_0.removed-20260230T210640", false, NULL},
        {"i8k_web_0.removed- 2026123T210640", false, NULL},
        {"web.removed-20261123T210640", false, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct app_path_entry entry = {.name = NULL};
        if (app_path_entry_parse(cases[i].name, &entry) != cases[i].known)
            fail_msg("'%s'", cases[i].name);
        assert_true(!cases[i].known || streq_null(entry.container, cases[i].container));
        app_path_entry_clear(&entry);
    }
}

/* The hidden name of a directory contains its container; that of a container with a similar name does not
 * match. */
static void test_hidden_names_contain_their_container(void **state)
{
    (void)state;
    static const struct {
        const char *name, *of;
    } cases[] = {
        {".making-i8k_web_0", "i8k_web_0"},
        {".making-web", NULL},
        {".deleting-i8k_web_1-0123456789abcdef", "i8k_web_1"},
        {".deleting-i8k_web_10-0123456789abcdef", "i8k_web_10"},
        {".deleting-i8k_web-1_0-0123456789abcdef", "i8k_web-1_0"},
        {".deleting-i8k_web_0.removed-20261123T210640-0123456789abcdef", "i8k_web_0"},
        {".deleting-i8k_web_0.removed-20261123T210640-3-0123456789abcdef", "i8k_web_0"},
        {".deleting-i8k_web_0.removed-20261123-0123456789abcdef", NULL},
        {".deleting-i8k_web_0-0011", NULL},
        {".deleting-i8k_web_0-0123456789abcdeg", NULL},
        {".deleting-i8k_web_0", NULL},
        {".deleting-", NULL},
        {".deleting-0123456789abcdef", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct app_path_entry entry = {.name = NULL};
        assert_true(app_path_entry_parse(cases[i].name, &entry));
        if (entry.container || !streq_null(entry.hidden_of, cases[i].of))
            fail_msg("'%s' is hidden of '%s'", cases[i].name, entry.hidden_of ?: "(none)");
        app_path_entry_clear(&entry);
    }
    _cleanup_free_ char *name = app_path_deleting_name("i8k_web_0"),
                        *other = app_path_deleting_name("i8k_web_0");
    struct app_path_entry entry = {.name = NULL};
    assert_string_not_equal(name, other);
    assert_true(app_path_entry_parse(name, &entry));
    assert_string_equal(entry.hidden_of, "i8k_web_0");
    app_path_entry_clear(&entry);
}

static void test_container_names(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    static const char *const bad[] = {"",
                                      "web",
                                      "i8k_",
                                      "i8k_web",
                                      "i8k_web_",
                                      "i8k_web_1000",
                                      "i8k_Web_0",
                                      "i8k_-web_0",
                                      "i8k_web-_0",
                                      "i8k_../_0",
                                      "i8k_web_0/..",
                                      "../i8k_web_0",
                                      "i8k_web_0.removed-20261123T210640",
                                      ".making-i8k_web_0",
                                      "i8k_web_0 "};
    assert_int_equal(app_path_check_container("i8k_web_0", &e), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        if (app_path_check_container(bad[i], &e) != -EINVAL)
            fail_msg("'%s'", bad[i]);
        assert_int_equal(e.class, ERROR_REFUSED);
    }
}

static void test_list_is_sorted(void **state)
{
    (void)state;
    static const char *const names[] = {
        "i8k_web_0.removed-20261123T210640-10", "i8k_web_0.removed-20261123T210640-9",
        "i8k_web_0.removed-20251123T210640",    "i8k_web_0",
        "i8k_app_1.removed-20270101T000000",    "unknown",
    };
    char base[] = "/tmp/hostlet-test-XXXXXX";
    struct error e = ERROR_INIT;
    assert_non_null(mkdtemp(base));
    int apps = app_path_open(base, &e);
    assert_true(apps >= 0);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(mkdirat(apps, names[i], 0700), 0);
    /* A file and a link with such names are not data of a container. */
    assert_int_equal(mknodat(apps, "i8k_web_0.removed-20300101T000000", S_IFREG | 0600, 0), 0);
    assert_int_equal(symlinkat("/etc", apps, "i8k_web_1"), 0);
    struct app_path_entry *entries = NULL;
    size_t n = 0;
    assert_int_equal(app_path_list(apps, &entries, &n, &e), 0);
    assert_int_equal(n, 5);
    assert_string_equal(entries[0].name, "i8k_app_1.removed-20270101T000000");
    assert_string_equal(entries[1].name, "i8k_web_0");
    assert_string_equal(entries[2].name, "i8k_web_0.removed-20251123T210640");
    assert_string_equal(entries[3].name, "i8k_web_0.removed-20261123T210640-9");
    assert_string_equal(entries[4].name, "i8k_web_0.removed-20261123T210640-10");
    app_path_list_free(entries, n);
    _cleanup_free_ char *newest = NULL, *none = NULL;
    assert_int_equal(app_path_newest_kept(apps, "i8k_web_0", &newest, &e), 0);
    assert_string_equal(newest, "i8k_web_0.removed-20261123T210640-10");
    assert_int_equal(app_path_newest_kept(apps, "i8k_web_1", &none, &e), 0);
    assert_null(none);
    assert_int_equal(app_path_exists(apps, "i8k_web_0", &e), 1);
    assert_int_equal(app_path_exists(apps, "i8k_none_0", &e), 0);
    assert_int_equal(app_path_exists(apps, "i8k_web_1", &e), -ENOTDIR);
    assert_int_equal(e.class, ERROR_CONFLICT);
    close(apps);
    assert_int_equal(chmod(base, 0777), 0);
    assert_int_equal(app_path_open(base, &e), -EPERM);
    assert_non_null(strstr(e.message, "no other user may have write access"));
    assert_int_equal(remove_tree_at(AT_FDCWD, base, &e), 0);
}

static void test_a_mount_point_at_or_below_a_path_is_found(void **state)
{
    (void)state;
    static const char text[] = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
                               "23 22 0:21 / /var/apps/i8k_web_10 rw - tmpfs tmpfs rw\n"
                               "24 22 0:22 / /var/apps/i8k_web_1/home/a\\040b\\134 rw - tmpfs tmpfs rw\n"
                               "25 22 0:23 / /srv rw - tmpfs tmpfs rw\n"
                               "broken line\n";
    static const struct {
        const char *path, *point;
    } cases[] = {
        {"/var/apps/i8k_web_1", "/var/apps/i8k_web_1/home/a b\\"},
        {"/var/apps/i8k_web_10", "/var/apps/i8k_web_10"},
        {"/var/apps/i8k_web_2", NULL},
        {"/srv/x", NULL},
        {"/srv", "/srv"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *point = mounts_find_below(text, cases[i].path);
        if (!streq_null(point, cases[i].point))
            fail_msg("%s: %s", cases[i].path, point ?: "none");
    }
}

/* Jobs that count how many jobs of their key run at once, and store the order in which they started. */
struct counter {
    pthread_mutex_t mutex;
    int running, most, order[64], n;
};
struct counting_job {
    struct work work;
    struct counter *counter, *all;
    int number;
    int *left;
    sd_event *event;
};

static void count(struct counter *c, int change, int number)
{
    pthread_mutex_lock(&c->mutex);
    c->running += change;
    if (c->running > c->most)
        c->most = c->running;
    if (change > 0)
        c->order[c->n++ % 64] = number;
    pthread_mutex_unlock(&c->mutex);
}

static bool met_another(struct counter *c)
{
    pthread_mutex_lock(&c->mutex);
    bool met = c->most > 1;
    pthread_mutex_unlock(&c->mutex);
    return met;
}

/* Gives the other jobs a chance to run at the same time; number 2, which has no key, waits until one does. */
static void counting_work(struct work *work)
{
    struct counting_job *j = (struct counting_job *)work;
    uint64_t deadline = now_monotonic_usec() + 10 * USEC_PER_SEC;
    count(j->counter, 1, j->number);
    count(j->all, 1, j->number);
    for (int i = 0; i < 100; i++)
        sched_yield();
    while (j->number == 2 && !met_another(j->all) && now_monotonic_usec() < deadline)
        sched_yield();
    count(j->all, -1, 0);
    count(j->counter, -1, 0);
}

static void counting_done(struct work *work)
{
    struct counting_job *j = (struct counting_job *)work;
    if (--*j->left == 0)
        sd_event_exit(j->event, 0);
}

static void test_jobs_of_one_container_run_in_order(void **state)
{
    (void)state;
    static const char *const keys[] = {"a", "b", NULL};
    struct counter counters[3] = {{.n = 0}}, all = {.n = 0};
    struct counting_job work[30];
    struct workers *jobs = NULL;
    struct error e = ERROR_INIT;
    sd_event *event = NULL;
    int left = ARRAY_SIZE(work);
    for (int i = 0; i < 3; i++)
        pthread_mutex_init(&counters[i].mutex, NULL);
    pthread_mutex_init(&all.mutex, NULL);
    assert_true(sd_event_new(&event) >= 0);
    assert_int_equal(workers_new(event, 3, WORKERS_PROMPT, &jobs, &e), 0);
    for (int i = 0; i < left; i++) {
        work[i] = (struct counting_job){.work = {.run = counting_work, .done = counting_done},
                                        .counter = &counters[i % 3],
                                        .all = &all,
                                        .number = i,
                                        .left = &left,
                                        .event = event};
        work[i].work.key = keys[i % 3];
        workers_add(jobs, &work[i].work);
    }
    assert_true(workers_busy(jobs));
    assert_int_equal(sd_event_loop(event), 0);
    assert_false(workers_busy(jobs));
    assert_int_equal(counters[0].most, 1);
    assert_int_equal(counters[1].most, 1);
    assert_in_range(all.most, 2, 3);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(counters[0].order[i], 3 * i);
        assert_int_equal(counters[1].order[i], 3 * i + 1);
    }
    workers_free(jobs);
    sd_event_unref(event);
}

/* A job that stores the priorities of its thread and waits until the test writes a byte. */
struct slow_job {
    struct work work;
    int go_on; /* read end of a pipe; −1: does not wait */
    int nice, io;
    int *done; /* number of finished jobs */
};

static void slow_work(struct work *work)
{
    struct slow_job *j = (struct slow_job *)work;
    char byte;
    j->nice = getpriority(PRIO_PROCESS, (id_t)gettid());
    j->io = (int)syscall(SYS_ioprio_get, 1, 0);
    if (j->go_on >= 0)
        (void)!read(j->go_on, &byte, 1);
}

static void slow_done(struct work *work)
{
    struct slow_job *j = (struct slow_job *)work;
    ++*j->done;
}

static void run_until(sd_event *event, const int *done, int n)
{
    uint64_t deadline = now_monotonic_usec() + 10 * USEC_PER_SEC;
    while (*done < n && now_monotonic_usec() < deadline)
        assert_true(sd_event_run(event, USEC_PER_SEC) >= 0);
    assert_int_equal(*done, n);
}

static void test_background_jobs_delay_no_request(void **state)
{
    (void)state;
    struct workers *jobs = NULL, *background = NULL;
    struct error e = ERROR_INIT;
    sd_event *event = NULL;
    int slow_done_now = 0, quick_done_now = 0, go_on[2];
    assert_int_equal(pipe(go_on), 0);
    assert_true(sd_event_new(&event) >= 0);
    assert_int_equal(workers_new(event, 2, WORKERS_PROMPT, &jobs, &e), 0);
    assert_int_equal(workers_new(event, 1, WORKERS_BACKGROUND, &background, &e), 0);
    struct slow_job slow[3], quick = {.go_on = -1, .done = &quick_done_now};
    for (size_t i = 0; i < ARRAY_SIZE(slow); i++) {
        slow[i] = (struct slow_job){.go_on = go_on[0], .done = &slow_done_now};
        slow[i].work = (struct work){.key = "a", .run = slow_work, .done = slow_done};
        workers_add(background, &slow[i].work);
    }
    quick.work = (struct work){.key = "a", .run = slow_work, .done = slow_done};
    workers_add(jobs, &quick.work);
    run_until(event, &quick_done_now, 1);
    assert_true(slow_done_now == 0 && workers_busy(background) && !workers_busy(jobs));
    assert_int_equal(quick.nice, getpriority(PRIO_PROCESS, 0));
    assert_int_equal(write(go_on[1], "xxx", 3), 3);
    run_until(event, &slow_done_now, ARRAY_SIZE(slow));
    assert_false(workers_busy(background));
    assert_int_equal(slow[0].nice, 19);
    assert_int_equal(slow[0].io >> 13, 3);
    assert_int_not_equal(getpriority(PRIO_PROCESS, 0), 19);
    workers_free(background);
    workers_free(jobs);
    sd_event_unref(event);
    close(go_on[0]);
    close(go_on[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_names_survive_a_round_trip),
        cmocka_unit_test(test_names_that_are_none_of_ours_are_rejected),
        cmocka_unit_test(test_hidden_names_contain_their_container),
        cmocka_unit_test(test_container_names),
        cmocka_unit_test(test_list_is_sorted),
        cmocka_unit_test(test_a_mount_point_at_or_below_a_path_is_found),
        cmocka_unit_test(test_jobs_of_one_container_run_in_order),
        cmocka_unit_test(test_background_jobs_delay_no_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
