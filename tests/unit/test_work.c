/* Tests work in threads: what runs at the same time, in which order, and what happens if no thread can be
 * created. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/util.h"
#include "lib/loop/work.h"

/* The linker replaces pthread_create() by this function (--wrap). */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                          void *userdata);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                          void *userdata);

static unsigned threads_left; /* number of threads that can still be created */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                          void *userdata)
{
    if (threads_left == 0)
        return EAGAIN;
    threads_left--;
    return __real_pthread_create(thread, attributes, start, userdata);
}

struct test_work {
    struct work work;
    struct test_work *partner; /* each work runs until the other has begun */
    sem_t begun, may_end;
    bool waits, met;   /* waits: for may_end. met: the partner began in time */
    pid_t worked_in;   /* thread id */
    int nice;          /* of the thread */
    unsigned position; /* in the order of the calls of 'done'; from 1 */
};

static unsigned n_done;

static bool wait_for(sem_t *semaphore)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    int r;
    while ((r = sem_timedwait(semaphore, &until)) < 0 && errno == EINTR)
        ;
    return r == 0;
}

static void run(struct work *work)
{
    struct test_work *t = (struct test_work *)work;
    t->worked_in = gettid();
    t->nice = getpriority(PRIO_PROCESS, (id_t)gettid());
    sem_post(&t->begun);
    if (t->partner)
        t->met = wait_for(&t->partner->begun);
    if (t->waits)
        wait_for(&t->may_end);
}

static void done(struct work *work)
{
    assert_int_equal(gettid(), getpid()); /* in the loop */
    ((struct test_work *)work)->position = ++n_done;
}

static struct test_work make_work(const char *key)
{
    struct test_work t = {.work = {.key = key, .run = run, .done = done}};
    sem_init(&t.begun, 0, 0);
    sem_init(&t.may_end, 0, 0);
    return t;
}

static void run_until_idle(sd_event *event, const struct workers *workers)
{
    for (uint64_t until = now_monotonic_usec() + 10 * USEC_PER_SEC;
         workers_busy(workers) && now_monotonic_usec() < until;)
        assert_true(sd_event_run(event, 100 * USEC_PER_MSEC) >= 0);
    assert_false(workers_busy(workers));
}

struct fixture {
    sd_event *event;
    struct workers *prompt, *background;
};

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    struct error e = ERROR_INIT;
    threads_left = 1000;
    n_done = 0;
    assert_true(sd_event_new(&f->event) >= 0);
    assert_int_equal(workers_new(f->event, 2, WORKERS_PROMPT, &f->prompt, &e), 0);
    assert_int_equal(workers_new(f->event, 2, WORKERS_BACKGROUND, &f->background, &e), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    workers_free(f->prompt);
    workers_free(f->background);
    sd_event_unref(f->event);
    free(f);
    return 0;
}

static void test_works_of_two_keys_run_at_the_same_time(void **state)
{
    struct fixture *f = *state;
    struct test_work a = make_work("a"), b = make_work("b");
    a.partner = &b;
    b.partner = &a;
    workers_add(f->prompt, &a.work);
    workers_add(f->prompt, &b.work);
    run_until_idle(f->event, f->prompt);
    assert_true(a.met && b.met);
    assert_int_not_equal(a.worked_in, getpid());
}

static void test_works_of_one_key_run_one_after_the_other(void **state)
{
    struct fixture *f = *state;
    struct test_work first = make_work("a"), second = make_work("a"), third = make_work("a"),
                     other = make_work("b"), none = make_work(NULL);
    first.waits = true;
    workers_add(f->prompt, &first.work);
    workers_add(f->prompt, &second.work);
    workers_add(f->prompt, &third.work);
    workers_add(f->prompt, &other.work);
    workers_add(f->prompt, &none.work);
    /* Works that nothing blocks overtake the first. */
    assert_true(wait_for(&other.begun) && wait_for(&none.begun));
    assert_int_equal(sem_trywait(&second.begun), -1);
    sem_post(&first.may_end);
    run_until_idle(f->event, f->prompt);
    assert_true(first.position < second.position && second.position < third.position);
}

static void test_the_loop_works_if_no_thread_can_be_created(void **state)
{
    struct fixture *f = *state;
    struct test_work a = make_work("a"), b = make_work("b");
    threads_left = 0;
    workers_add(f->prompt, &a.work);
    assert_int_equal(a.worked_in, getpid()); /* it has run already */
    /* The loop calls 'done', as always. */
    assert_int_equal(a.position, 0);
    threads_left = 100;
    workers_add(f->prompt, &b.work);
    run_until_idle(f->event, f->prompt);
    assert_int_equal(n_done, 2);
    assert_int_not_equal(b.worked_in, getpid());
}

static void test_existing_threads_do_the_work(void **state)
{
    struct fixture *f = *state;
    struct test_work a = make_work("a"), b = make_work("b");
    threads_left = 1;
    a.waits = true;
    workers_add(f->prompt, &a.work);
    assert_true(wait_for(&a.begun));
    workers_add(f->prompt, &b.work); /* does not block the loop */
    assert_int_equal(sem_trywait(&b.begun), -1);
    sem_post(&a.may_end);
    run_until_idle(f->event, f->prompt);
    assert_int_equal(a.worked_in, b.worked_in);
}

static void test_background_work_waits_for_a_thread(void **state)
{
    struct fixture *f = *state;
    struct test_work a = make_work("a"), b = make_work("b");
    int own_nice = getpriority(PRIO_PROCESS, 0);
    threads_left = 0;
    workers_add(f->background, &a.work);
    workers_add(f->background, &b.work);
    assert_int_equal(a.worked_in, 0);
    threads_left = 1;
    run_until_idle(f->event, f->background);
    assert_int_equal(n_done, 2);
    assert_int_not_equal(a.worked_in, getpid());
    assert_int_equal(a.worked_in, b.worked_in);
    assert_int_equal(a.nice, 19);
    /* The priority of the loop's thread is unchanged. */
    assert_int_equal(getpriority(PRIO_PROCESS, 0), own_nice);
}

static void test_freeing_workers_does_not_wait(void **state)
{
    struct fixture *f = *state;
    /* The thread still uses them after the function has returned. */
    static struct test_work a, b;
    a = make_work("a");
    b = make_work("a");
    a.waits = true;
    workers_add(f->prompt, &a.work);
    workers_add(f->prompt, &b.work);
    assert_true(wait_for(&a.begun));
    workers_free(TAKE_PTR(f->prompt)); /* the last thread frees the workers */
    sem_post(&a.may_end);
    assert_int_equal(n_done, 0);
    assert_int_equal(b.worked_in, 0); /* a waiting work does not begin any more */
}

/* --- where work ends: done, dropped or waited for --- */

struct gate {
    atomic_bool begun, open;
};

struct sum {
    struct work work; /* the first member */
    unsigned *total;
    struct gate *gate;
    unsigned result;
    atomic_uint *dropped;
    struct workers *workers; /* for this work only: freed when it is done */
};

static void sum_run(struct work *work)
{
    struct sum *s = (struct sum *)work;
    if (s->gate)
        atomic_store(&s->gate->begun, true);
    while (s->gate && !atomic_load(&s->gate->open))
        usleep(100);
    s->result = 42;
}

static void sum_done(struct work *work)
{
    struct sum *s = (struct sum *)work;
    *s->total += s->result;
    workers_free(s->workers);
    free(s);
}

static void sum_drop(struct work *work)
{
    struct sum *s = (struct sum *)work;
    atomic_uint *dropped = s->dropped;
    free(s);
    atomic_fetch_add(dropped, 1);
}

static struct sum *sum_new(unsigned *total, struct gate *gate, atomic_uint *dropped)
{
    struct sum *s = xcalloc(1, sizeof *s);
    s->work = (struct work){.run = sum_run, .done = sum_done, .drop = sum_drop};
    s->total = total;
    s->gate = gate;
    s->dropped = dropped;
    return s;
}

static void test_done_is_called_in_the_loop(void **state)
{
    struct fixture *f = *state;
    unsigned total = 0;
    struct workers *workers;
    struct error e = ERROR_INIT;
    assert_int_equal(workers_new(f->event, 2, WORKERS_PATIENT, &workers, &e), 0);
    assert_false(workers_busy(workers));
    for (unsigned i = 0; i < 100; i++)
        workers_add(workers, &sum_new(&total, NULL, NULL)->work);
    assert_true(workers_busy(workers));
    assert_int_equal(total, 0);
    while (workers_busy(workers))
        assert_true(sd_event_run(f->event, 10 * USEC_PER_SEC) > 0);
    assert_int_equal(total, 4200);
    workers_free(workers);

    /* The last 'done' frees its workers. */
    assert_int_equal(workers_new(f->event, 1, WORKERS_PATIENT, &workers, &e), 0);
    struct sum *s = sum_new(&total, NULL, NULL);
    s->workers = workers;
    workers_add(workers, &s->work);
    assert_true(sd_event_run(f->event, 10 * USEC_PER_SEC) > 0);
    assert_int_equal(total, 4242);
}

static void test_work_is_dropped_with_its_workers(void **state)
{
    struct fixture *f = *state;
    unsigned total = 0;
    struct workers *workers;
    struct error e = ERROR_INIT;
    struct gate gate = {false, false};
    atomic_uint dropped = 0;
    assert_int_equal(workers_new(f->event, 1, WORKERS_PROMPT, &workers, &e), 0);
    workers_add(workers, &sum_new(&total, &gate, &dropped)->work);
    workers_add(workers, &sum_new(&total, &gate, &dropped)->work);
    while (!atomic_load(&gate.begun))
        usleep(100);
    workers_free(workers); /* does not wait */
    assert_int_equal(atomic_load(&dropped), 1);
    atomic_store(&gate.open, true);
    for (unsigned i = 0; i < 10000 && atomic_load(&dropped) < 2; i++)
        usleep(1000);
    assert_int_equal(atomic_load(&dropped), 2);
    assert_int_equal(total, 0);
}

static void test_waiting_ends_when_no_thread_runs(void **state)
{
    struct fixture *f = *state;
    unsigned total = 0;
    struct workers *workers;
    struct error e = ERROR_INIT;
    struct gate gate = {false, true};
    assert_int_equal(workers_new(f->event, 1, WORKERS_PATIENT, &workers, &e), 0);
    struct sum *s[2] = {sum_new(&total, &gate, NULL), sum_new(&total, &gate, NULL)};
    for (unsigned i = 0; i < 2; i++)
        workers_add(workers, &s[i]->work);
    workers_wait(workers);
    workers_free(workers);
    assert_true(s[1]->result == 0 || s[0]->result == 42);           /* works that had begun have ended */
    assert_int_equal(sd_event_run(f->event, 5 * USEC_PER_MSEC), 0); /* no 'done' is called */
    assert_int_equal(total, 0);
    free(s[0]);
    free(s[1]);
}

#define WORK_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORK_TEST(test_works_of_two_keys_run_at_the_same_time),
        WORK_TEST(test_works_of_one_key_run_one_after_the_other),
        WORK_TEST(test_the_loop_works_if_no_thread_can_be_created),
        WORK_TEST(test_existing_threads_do_the_work),
        WORK_TEST(test_background_work_waits_for_a_thread),
        WORK_TEST(test_freeing_workers_does_not_wait),
        WORK_TEST(test_done_is_called_in_the_loop),
        WORK_TEST(test_work_is_dropped_with_its_workers),
        WORK_TEST(test_waiting_ends_when_no_thread_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
