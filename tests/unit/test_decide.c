/* decide(): the next step of a replica, by hand-made cases and by walking every situation to its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "reconciler/rules/decide.h"

static struct driver_container container(int state, int64_t revision, int restart)
{
    return (struct driver_container){
        .state = state, .revision = revision, .restart = restart, .ours = true, .config = (char *)"c"};
}

static struct decision_input input(const struct driver_container *current, const struct driver_container *old)
{
    return (struct decision_input){.want = WANT_RUN,
                                   .current = current,
                                   .old = old,
                                   .target_revision = 2,
                                   .target_config = "c",
                                   .applied_revision = 1,
                                   .prepared = true,
                                   .turn = true,
                                   .has_data = true};
}

static const struct driver_container none = {.state = DRIVER_MISSING};

static void test_cases(void **state)
{
    (void)state;
    struct driver_container run1 = container(DRIVER_RUNNING, 1, DRIVER_RESTART_ALWAYS);
    struct driver_container run2 = container(DRIVER_RUNNING, 2, DRIVER_RESTART_NO);
    struct driver_container kept2 = container(DRIVER_RUNNING, 2, DRIVER_RESTART_ALWAYS);
    struct driver_container exited2 = container(DRIVER_EXITED, 2, DRIVER_RESTART_NO);
    struct driver_container exited1 = container(DRIVER_EXITED, 1, DRIVER_RESTART_NO);

    struct decision_input in = input(&run1, &none);
    in.prepared = false;
    assert_int_equal(decide(&in), STEP_PREPARE); /* the old one runs on meanwhile */
    in.prepared = true;
    in.turn = false;
    assert_int_equal(decide(&in), STEP_WAIT);
    in.turn = true;
    assert_int_equal(decide(&in), STEP_HOLD);

    /* An order that cannot be followed: nothing is done, whatever is there. */
    in.want = WANT_NOTHING;
    assert_int_equal(decide(&in), STEP_SETTLED);
    in.rolling_back = true;
    assert_int_equal(decide(&in), STEP_SETTLED);

    in = input(&none, &exited1);
    assert_int_equal(decide(&in), STEP_PROVISION); /* first what gets the project, then the project */
    in.provisioned = true;
    assert_int_equal(decide(&in), STEP_QUOTA);
    in.quota_set = true;
    assert_int_equal(decide(&in), STEP_CREATE);
    in.provisioned = in.quota_set = false;
    in.quota_raises = true; /* there is room again before files are written */
    assert_int_equal(decide(&in), STEP_QUOTA);
    in.quota_set = true;
    assert_int_equal(decide(&in), STEP_PROVISION);

    in = input(&run2, &exited1);
    assert_int_equal(decide(&in), STEP_PROBATION);
    in.probation_over = true;
    assert_int_equal(decide(&in), STEP_COMMIT);
    in.applied_revision = 2;
    assert_int_equal(decide(&in), STEP_KEEP);
    in.current = &kept2;
    assert_int_equal(decide(&in), STEP_REMOVE_OLD);
    in.old = &none;
    assert_int_equal(decide(&in), STEP_QUOTA); /* it runs on meanwhile */
    in.has_data = false;
    assert_int_equal(decide(&in), STEP_SETTLED);
    in.has_data = in.update_files = true;
    assert_int_equal(decide(&in), STEP_UPDATE_FILES); /* before a lower limit leaves no room for them */
    in.quota_raises = true;
    assert_int_equal(decide(&in), STEP_QUOTA);
    in.quota_set = true;
    assert_int_equal(decide(&in), STEP_UPDATE_FILES);
    in.update_files = false;
    assert_int_equal(decide(&in), STEP_SETTLED);

    /* One that was adopted carries no config, and is right as it is until another revision is wanted. */
    struct driver_container adopted = kept2;
    adopted.config = NULL;
    adopted.adopted = true;
    in = input(&adopted, &none);
    in.applied_revision = 2;
    in.quota_set = true;
    assert_int_equal(decide(&in), STEP_SETTLED);
    in.drifted = true;
    assert_int_equal(decide(&in), STEP_HOLD);
    in.drifted = false;
    in.target_revision = 3;
    assert_int_equal(decide(&in), STEP_HOLD);
    adopted.adopted = false;
    in.target_revision = 2;
    assert_int_equal(decide(&in), STEP_HOLD);

    in = input(&exited2, &exited1);
    assert_int_equal(decide(&in), STEP_FAIL);
    in.rolling_back = true;
    assert_int_equal(decide(&in), STEP_REMOVE_NEW);
    in.current = &none;
    assert_int_equal(decide(&in), STEP_BRING_BACK);
    in.current = &exited1;
    in.old = &none;
    assert_int_equal(decide(&in), STEP_RESTORE);
    in.restored = true;
    assert_int_equal(decide(&in), STEP_REVIVE);
}

/* What is asked of decide() rarely: each row is a branch that the cases above do not take. */
static void test_rare_situations(void **state)
{
    (void)state;
    struct driver_container run1 = container(DRIVER_RUNNING, 1, DRIVER_RESTART_ALWAYS);
    struct driver_container kept2 = container(DRIVER_RUNNING, 2, DRIVER_RESTART_ALWAYS);
    struct driver_container exited1 = container(DRIVER_EXITED, 1, DRIVER_RESTART_NO);
    struct driver_container fell1 = container(DRIVER_EXITED, 1, DRIVER_RESTART_ALWAYS);
    struct driver_container created2 = container(DRIVER_CREATED, 2, DRIVER_RESTART_NO);
    struct driver_container going1 = container(DRIVER_REMOVING, 1, DRIVER_RESTART_NO);
    struct driver_container going2 = container(DRIVER_REMOVING, 2, DRIVER_RESTART_NO);
    struct driver_container other2 = kept2;
    other2.config = (char *)"another";
    struct driver_container stranger = container(DRIVER_RUNNING, 1, DRIVER_RESTART_NO);
    stranger.ours = false;
    const struct {
        const char *what;
        const struct driver_container *current, *old;
        enum step step;
        enum want want;
        bool no_data, unprepared, no_turn, no_config, rolling_back, quota_raises, quota_set;
    } rows[] = {
        {"nothing is there, and nothing is prepared", &none, &none, STEP_PREPARE, .unprepared = true},
        {"it waits for its turn", &none, &none, STEP_WAIT, .no_turn = true},
        {"an outage does not wait for a turn", &none, &exited1, STEP_PROVISION, .no_turn = true},
        {"without data a container is created at once", &none, &exited1, STEP_CREATE, .no_data = true},
        {"without data a larger limit means nothing", &none, &none, STEP_CREATE, .no_data = true,
         .quota_raises = true},
        {"a created one gets its files before it starts", &created2, &exited1, STEP_PROVISION,
         .want = WANT_RUN},
        {"without data a created one starts", &created2, &exited1, STEP_START, .no_data = true},
        {"the wanted one is being removed", &going2, &none, STEP_WAIT, .want = WANT_RUN},
        {"the old one is being removed", &going1, &none, STEP_WAIT, .want = WANT_RUN},
        {"the old one runs until its turn comes", &run1, &none, STEP_WAIT, .no_turn = true},
        {"the old one fell before its turn", &fell1, &none, STEP_REVIVE, .no_turn = true},
        {"the old one fell while the new one is prepared", &fell1, &none, STEP_REVIVE, .unprepared = true},
        {"the old one was stopped before its turn", &exited1, &none, STEP_WAIT, .no_turn = true},
        {"the old one was stopped, the new one is prepared", &exited1, &none, STEP_PREPARE,
         .unprepared = true},
        {"without data there are no files to restore", &exited1, &none, STEP_REVIVE, .no_data = true,
         .rolling_back = true},
        {"made from something else", &other2, &none, STEP_HOLD, .quota_set = true},
        {"what it is to be made from is not known", &other2, &none, STEP_SETTLED, .no_config = true,
         .quota_set = true},
        {"a stranger does not go with the replica", &stranger, &none, STEP_REMOVE_DATA, .want = WANT_GONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct decision_input in = input(rows[i].current, rows[i].old);
        in.want = rows[i].want;
        in.has_data = !rows[i].no_data;
        in.prepared = !rows[i].unprepared;
        in.turn = !rows[i].no_turn;
        in.rolling_back = rows[i].rolling_back;
        in.quota_raises = rows[i].quota_raises;
        in.quota_set = rows[i].quota_set;
        in.applied_revision = rows[i].quota_set ? 2 : 1;
        if (rows[i].no_config)
            in.target_config = NULL;
        enum step step = decide(&in);
        if (step != rows[i].step)
            fail_msg("%s: step %d, not %d", rows[i].what, (int)step, (int)rows[i].step);
    }
}

static void test_conflict(void **state)
{
    (void)state;
    struct driver_container stranger = container(DRIVER_RUNNING, 0, DRIVER_RESTART_NO);
    stranger.ours = false;
    struct decision_input in = input(&stranger, &none);
    assert_int_equal(decide(&in), STEP_CONFLICT);
    in.current = &none;
    in.old = &stranger;
    assert_int_equal(decide(&in), STEP_CONFLICT);
    in.rolling_back = true;
    assert_int_equal(decide(&in), STEP_CONFLICT);
    in.want = WANT_STOP;
    assert_int_equal(decide(&in), STEP_CONFLICT);
    in.want = WANT_GONE; /* a stranger is no reason not to go */
    in.data_removed = true;
    assert_int_equal(decide(&in), STEP_GONE);
}

/* A model of the world in which every step does what it says. */
struct world {
    struct driver_container current, old;
    int64_t applied;
    bool rolling_back, quota, provisioned, restored, data_removed, failed;
};

static bool perform(struct world *w, enum step step, bool new_one_dies)
{
    switch (step) {
    case STEP_HOLD:
        w->current.restart = DRIVER_RESTART_NO;
        return true;
    case STEP_KEEP:
        w->current.restart = DRIVER_RESTART_ALWAYS;
        return true;
    case STEP_STOP:
        w->current.state = DRIVER_EXITED;
        return true;
    case STEP_PUT_ASIDE:
        assert_int_equal(w->old.state, DRIVER_MISSING); /* never over one that is there */
        w->old = w->current;
        w->current = none;
        return true;
    case STEP_BRING_BACK:
        assert_int_equal(w->current.state, DRIVER_MISSING);
        w->current = w->old;
        w->old = none;
        return true;
    case STEP_QUOTA:
        w->quota = true;
        return true;
    case STEP_PROVISION:
        w->provisioned = true;
        return true;
    case STEP_RESTORE:
        w->restored = true;
        return true;
    case STEP_CREATE:
        assert_int_equal(w->current.state, DRIVER_MISSING);
        w->current = container(DRIVER_CREATED, w->failed ? w->applied : 2, DRIVER_RESTART_NO);
        return true;
    case STEP_START:
        w->current.state =
            new_one_dies && w->current.revision == 2 && w->applied != 2 ? DRIVER_EXITED : DRIVER_RUNNING;
        return true;
    case STEP_REVIVE:
        w->current.state = DRIVER_RUNNING;
        return true;
    case STEP_COMMIT:
        w->applied = 2;
        return true;
    case STEP_REMOVE_OLD:
        w->old = none;
        return true;
    case STEP_REMOVE_NEW:
        w->current = none;
        return true;
    case STEP_FAIL:
        w->rolling_back = true;
        return true;
    case STEP_UNDONE:
        w->rolling_back = false;
        w->failed = true;
        return true;
    case STEP_REMOVE_DATA:
        w->data_removed = true;
        return true;
    default:
        return false;
    }
}

static bool has_proven(const struct world *w)
{
    return (w->current.state != DRIVER_MISSING && w->current.revision == 1) || w->old.state != DRIVER_MISSING;
}

static enum step run_world(struct world *w, enum want want, bool new_one_dies)
{
    enum step step = STEP_SETTLED;
    bool had_proven = want == WANT_RUN && has_proven(w);
    for (int i = 0; i < 60; i++) {
        if (w->failed && w->applied == 0)
            return STEP_WAIT; /* the caller tries again later */
        int64_t target = w->failed ? w->applied : 2;
        struct decision_input in = {.want = want,
                                    .current = &w->current,
                                    .old = &w->old,
                                    .target_revision = target,
                                    .target_config = "c",
                                    .applied_revision = w->applied,
                                    .rolling_back = w->rolling_back,
                                    .prepared = true,
                                    .turn = true,
                                    .has_data = true,
                                    .quota_set = w->quota,
                                    .provisioned = w->provisioned,
                                    .restored = w->restored,
                                    .data_removed = w->data_removed,
                                    .probation_over = true};
        step = decide(&in);
        if (!perform(w, step, new_one_dies))
            return step;
        /* What can never be: nothing is left of something that proved itself while a switch is not over. */
        if (had_proven && w->applied == 1)
            assert_true(has_proven(w));
    }
    fail_msg("no end: last step %d", (int)step);
    return step;
}

/* From every combination of containers, policies and journal entries the end is right. */
static void test_every_situation_ends_well(void **state)
{
    (void)state;
    static const int states[] = {DRIVER_MISSING, DRIVER_CREATED, DRIVER_RUNNING, DRIVER_RESTARTING,
                                 DRIVER_EXITED};
    for (unsigned n = 0; n < 5 * 5 * 2 * 2 * 3 * 2 * 2 * 3; n++) {
        unsigned k = n;
#define TAKE(of)                                                                                             \
    ({                                                                                                       \
        unsigned _v = k % (of);                                                                              \
        k /= (of);                                                                                           \
        _v;                                                                                                  \
    })
        int current = states[TAKE(5)], old = states[TAKE(5)];
        int policy = (int)TAKE(2), revision = (int)TAKE(2) + 1;
        int64_t applied = (int64_t)TAKE(3);
        bool rolling_back = TAKE(2), dies = TAKE(2);
        enum want want = (enum want)TAKE(3);
        if (applied == 1 && current == DRIVER_MISSING && old == DRIVER_MISSING)
            continue;
        if (rolling_back && applied == 2)
            continue; /* never written: a commit clears it */
        if (old != DRIVER_MISSING && applied == 0)
            continue; /* only what proved itself is put aside */
        struct world w = {.current = container(current, revision, policy),
                          .old = container(old, 1, 0),
                          .applied = applied,
                          .rolling_back = rolling_back};
        enum step end = run_world(&w, want, dies);
        if (want == WANT_GONE) {
            assert_int_equal(end, STEP_GONE);
            assert_int_equal(w.current.state, DRIVER_MISSING);
            assert_int_equal(w.old.state, DRIVER_MISSING);
        } else if (want == WANT_STOP) {
            assert_true(w.current.state != DRIVER_RUNNING && w.current.state != DRIVER_RESTARTING);
            assert_int_equal(w.old.state, DRIVER_MISSING);
        } else if (end == STEP_SETTLED) {
            assert_true(w.current.state == DRIVER_RUNNING || w.current.state == DRIVER_RESTARTING);
            assert_int_equal(w.current.restart, DRIVER_RESTART_ALWAYS);
            assert_int_equal(w.old.state, DRIVER_MISSING);
        } else {
            assert_int_equal(end, STEP_WAIT);
            assert_true(w.failed);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_rare_situations),

                                       cmocka_unit_test(test_conflict),
                                       cmocka_unit_test(test_every_situation_ends_well)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
