/* Tests decide() with single cases, and by following every situation to its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "lib/schema/object.h"
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
                                   .patient = true,
                                   .has_data = true};
}

static const struct driver_container none = {.state = DRIVER_MISSING};

#define N_STATES 8 /* of enum driver_state */

static void test_a_switch_goes_through_its_steps(void **state)
{
    (void)state;
    struct driver_container run1 = container(DRIVER_RUNNING, 1, DRIVER_RESTART_ALWAYS);
    struct driver_container run2 = container(DRIVER_RUNNING, 2, DRIVER_RESTART_NO);
    struct driver_container kept2 = container(DRIVER_RUNNING, 2, DRIVER_RESTART_ALWAYS);
    struct driver_container exited2 = container(DRIVER_EXITED, 2, DRIVER_RESTART_NO);
    struct driver_container exited1 = container(DRIVER_EXITED, 1, DRIVER_RESTART_NO);

    struct decision_input in = input(&run1, &none);
    in.prepared = false;
    assert_int_equal(decide(&in), STEP_PREPARE); /* the old container runs on */
    in.prepared = true;
    in.turn = false;
    assert_int_equal(decide(&in), STEP_WAIT);
    in.turn = true;
    assert_int_equal(decide(&in), STEP_HOLD);

    /* Nothing is done for an order that cannot be followed. */
    in.want = WANT_NOTHING;
    assert_int_equal(decide(&in), STEP_SETTLED);
    in.rolling_back = true;
    assert_int_equal(decide(&in), STEP_SETTLED);

    in = input(&none, &exited1);
    assert_int_equal(decide(&in), STEP_PROVISION); /* the directory is made before its quota */
    in.provisioned = true;
    assert_int_equal(decide(&in), STEP_QUOTA);
    in.quota_set = true;
    assert_int_equal(decide(&in), STEP_CREATE);
    in.provisioned = in.quota_set = false;
    in.quota_raises = true; /* a larger limit comes before files are written */
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
    assert_int_equal(decide(&in), STEP_QUOTA); /* while it runs */
    in.has_data = false;
    assert_int_equal(decide(&in), STEP_SETTLED);
    in.has_data = in.update_files = true;
    assert_int_equal(decide(&in), STEP_UPDATE_FILES); /* before a lower limit */
    in.quota_raises = true;
    assert_int_equal(decide(&in), STEP_QUOTA);
    in.quota_set = true;
    assert_int_equal(decide(&in), STEP_UPDATE_FILES);
    in.update_files = false;
    assert_int_equal(decide(&in), STEP_SETTLED);

    /* An adopted container has no config, and is kept until another revision is desired. */
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

/* Each row takes a branch that the cases above do not take. */
/* Readiness replaces the probation, whatever time has passed. */
static void test_a_revision_is_applied_when_its_application_is_ready(void **state)
{
    (void)state;
    static const struct {
        int state;
        enum readiness readiness;
        bool probation_over;
        enum step step;
    } cases[] = {
        {DRIVER_RUNNING, READINESS_UNUSED, false, STEP_PROBATION},
        {DRIVER_RUNNING, READINESS_UNUSED, true, STEP_COMMIT},
        {DRIVER_RUNNING, READINESS_AWAITED, false, STEP_PROBATION},
        {DRIVER_RUNNING, READINESS_AWAITED, true, STEP_PROBATION},
        {DRIVER_RUNNING, READINESS_READY, false, STEP_COMMIT},
        {DRIVER_RUNNING, READINESS_LATE, true, STEP_FAIL},
        {DRIVER_PAUSED, READINESS_READY, true, STEP_PROBATION},
        {DRIVER_PAUSED, READINESS_LATE, true, STEP_PROBATION},
        {DRIVER_EXITED, READINESS_READY, true, STEP_FAIL},
        {DRIVER_RESTARTING, READINESS_AWAITED, false, STEP_FAIL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct driver_container exited1 = container(DRIVER_EXITED, 1, DRIVER_RESTART_NO),
                                new2 = container(cases[i].state, 2, DRIVER_RESTART_NO);
        struct decision_input in = input(&new2, &exited1);
        in.readiness = cases[i].readiness;
        in.probation_over = cases[i].probation_over;
        if (decide(&in) != cases[i].step)
            fail_msg("case %zu: step %d", i, (int)decide(&in));
        in.limits_due = true; /* more memory can be what it needs */
        if (cases[i].state == DRIVER_RUNNING)
            assert_int_equal(decide(&in), STEP_LIMITS);
        /* An applied revision needs no readiness: a restart changes nothing. */
        in.limits_due = false;
        in.applied_revision = 2;
        if (cases[i].state == DRIVER_RUNNING)
            assert_int_equal(decide(&in), STEP_KEEP);
    }
    /* What was not ready in time ends before it is removed. */
    struct driver_container run2 = container(DRIVER_RUNNING, 2, DRIVER_RESTART_NO),
                            exited2 = container(DRIVER_EXITED, 2, DRIVER_RESTART_NO),
                            exited1 = container(DRIVER_EXITED, 1, DRIVER_RESTART_NO);
    struct decision_input in = input(&run2, &exited1);
    in.rolling_back = true;
    assert_int_equal(decide(&in), STEP_STOP);
    in.current = &exited2;
    assert_int_equal(decide(&in), STEP_REMOVE_NEW);
}

static void test_rare_situations_have_their_steps(void **state)
{
    (void)state;
    struct driver_container run1 = container(DRIVER_RUNNING, 1, DRIVER_RESTART_ALWAYS);
    struct driver_container run1no = container(DRIVER_RUNNING, 1, DRIVER_RESTART_NO);
    struct driver_container kept2 = container(DRIVER_RUNNING, 2, DRIVER_RESTART_ALWAYS);
    struct driver_container exited1 = container(DRIVER_EXITED, 1, DRIVER_RESTART_NO);
    struct driver_container fell1 = container(DRIVER_EXITED, 1, DRIVER_RESTART_ALWAYS);
    struct driver_container created2 = container(DRIVER_CREATED, 2, DRIVER_RESTART_NO);
    struct driver_container going1 = container(DRIVER_REMOVING, 1, DRIVER_RESTART_NO);
    struct driver_container going2 = container(DRIVER_REMOVING, 2, DRIVER_RESTART_NO);
    struct driver_container dead1 = container(DRIVER_DEAD, 1, DRIVER_RESTART_ALWAYS);
    struct driver_container dead2 = container(DRIVER_DEAD, 2, DRIVER_RESTART_NO);
    struct driver_container other2 = kept2;
    other2.config = (char *)"another";
    struct driver_container foreign = container(DRIVER_RUNNING, 1, DRIVER_RESTART_NO);
    foreign.ours = false;
    const struct {
        const char *what;
        const struct driver_container *current, *old;
        enum step step;
        enum want want;
        bool no_data, unprepared, no_turn, no_config, rolling_back, quota_raises, quota_set, impatient;
    } rows[] = {
        {"without a container, an unprepared revision is prepared", &none, &none, STEP_PREPARE,
         .unprepared = true},
        {"a replica without a container waits for its turn", &none, &none, STEP_WAIT, .no_turn = true},
        {"a replica that is down in a switch does not wait for a turn", &none, &exited1, STEP_PROVISION,
         .no_turn = true},
        {"without data a container is created at once", &none, &exited1, STEP_CREATE, .no_data = true},
        {"without data a larger limit has no effect", &none, &none, STEP_CREATE, .no_data = true,
         .quota_raises = true},
        {"files are written before a created container starts", &created2, &exited1, STEP_PROVISION,
         .want = WANT_RUN},
        {"without data a created container starts at once", &created2, &exited1, STEP_START, .no_data = true},
        {"a container of the target that is being removed is waited for", &going2, &none, STEP_REMOVING,
         .want = WANT_RUN},
        {"a container to be replaced that is being removed is waited for", &going1, &none, STEP_REMOVING,
         .no_turn = true},
        {"a dead container is removed before the revision is prepared", &dead1, &none, STEP_REMOVE_DEAD,
         .unprepared = true},
        {"a dead container is no container to roll back to", &none, &dead1, STEP_UNDONE,
         .rolling_back = true},
        {"the old container is brought back after a dead one was removed", &dead2, &exited1, STEP_REMOVE_DEAD,
         .rolling_back = true},
        {"a replica with a dead old container alone waits for its turn", &none, &dead1, STEP_WAIT,
         .no_turn = true},
        {"a running container is not stopped while the name .old is in use", &run1, &dead1, STEP_REMOVE_OLD,
         .want = WANT_RUN},
        {"a running container waits for its turn also beside a dead one", &run1, &dead1, STEP_WAIT,
         .no_turn = true},
        {"a dead old container is removed last", &kept2, &dead1, STEP_REMOVE_OLD, .quota_set = true},
        {"a dead old container does not prevent a stop", &run1, &dead1, STEP_HOLD, .want = WANT_STOP},
        {"a stop in a rollback ends with a dead new container", &dead2, &exited1, STEP_SETTLED,
         .want = WANT_STOP, .rolling_back = true},
        {"of two containers the one of the applied revision is kept", &run1, &exited1, STEP_REMOVE_OLD,
         .want = WANT_RUN},
        {"of two containers a stop keeps the one of the applied revision", &run1, &exited1, STEP_REMOVE_OLD,
         .want = WANT_STOP},
        {"the old container runs until the replica's turn", &run1, &none, STEP_WAIT, .no_turn = true},
        {"an old container that exited is started while its replica waits for a turn", &fell1, &none,
         STEP_REVIVE, .no_turn = true},
        {"an old container that exited is started during the preparation", &fell1, &none, STEP_REVIVE,
         .unprepared = true},
        {"an old container that was stopped is not started before its turn", &exited1, &none, STEP_WAIT,
         .no_turn = true},
        {"a stopped old container does not prevent the preparation", &exited1, &none, STEP_PREPARE,
         .unprepared = true},
        {"the stopped container of the applied revision starts if the new one cannot be prepared", &exited1,
         &none, STEP_REVIVE, .unprepared = true, .impatient = true},
        {"and is kept", &run1no, &none, STEP_KEEP, .unprepared = true, .impatient = true},
        {"without data no files are restored", &exited1, &none, STEP_REVIVE, .no_data = true,
         .rolling_back = true},
        {"a container with another config is replaced", &other2, &none, STEP_HOLD, .quota_set = true},
        {"an unknown config is not compared", &other2, &none, STEP_SETTLED, .no_config = true,
         .quota_set = true},
        {"a foreign container is not removed with the replica", &foreign, &none, STEP_REMOVE_DATA,
         .want = WANT_GONE},
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
        in.patient = !rows[i].impatient;
        in.applied_revision = rows[i].quota_set ? 2 : 1;
        if (rows[i].no_config)
            in.target_config = NULL;
        enum step step = decide(&in);
        if (step != rows[i].step)
            fail_msg("%s: step %d, not %d", rows[i].what, (int)step, (int)rows[i].step);
    }
}

/* Limits are set while the container runs, or before it starts, and never by a switch. */
static void test_limits_are_set_in_a_container_of_the_target(void **state)
{
    (void)state;
    static const struct {
        int state;
        int64_t revision, applied;
        enum want want;
        bool drifted;
        enum step step;
    } rows[] = {
        {DRIVER_RUNNING, 2, 2, WANT_RUN, false, STEP_LIMITS},
        {DRIVER_RUNNING, 2, 1, WANT_RUN, false, STEP_LIMITS}, /* on probation */
        {DRIVER_RESTARTING, 2, 2, WANT_RUN, false, STEP_LIMITS},
        {DRIVER_EXITED, 2, 2, WANT_RUN, false, STEP_LIMITS}, /* before it starts again */
        {DRIVER_CREATED, 2, 1, WANT_RUN, false, STEP_LIMITS},
        {DRIVER_EXITED, 2, 1, WANT_RUN, false, STEP_FAIL},
        {DRIVER_RUNNING, 2, 2, WANT_STOP, false, STEP_HOLD},
        {DRIVER_RUNNING, 2, 2, WANT_GONE, false, STEP_HOLD},
        {DRIVER_RUNNING, 2, 2, WANT_NOTHING, false, STEP_SETTLED},
        {DRIVER_RUNNING, 2, 2, WANT_RUN, true, STEP_HOLD}, /* it is replaced anyway */
        {DRIVER_RUNNING, 1, 1, WANT_RUN, false, STEP_HOLD},
        {DRIVER_MISSING, 0, 2, WANT_RUN, false, STEP_CREATE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct driver_container c = container(rows[i].state, rows[i].revision, DRIVER_RESTART_ALWAYS);
        struct decision_input in = input(&c, &none);
        in.want = rows[i].want;
        in.applied_revision = rows[i].applied;
        in.provisioned = in.quota_set = in.limits_due = true;
        in.drifted = rows[i].drifted;
        enum step step = decide(&in);
        if (step != rows[i].step)
            fail_msg("row %zu: step %d, not %d", i, (int)step, (int)rows[i].step);
    }
}

/* The target is the applied revision 1 until the desired one is prepared. */
static void test_the_applied_revision_runs_until_the_desired_one_is_prepared(void **state)
{
    (void)state;
    struct driver_container run1 = container(DRIVER_RUNNING, 1, DRIVER_RESTART_ALWAYS);
    struct driver_container run1no = container(DRIVER_RUNNING, 1, DRIVER_RESTART_NO);
    struct driver_container exited1 = container(DRIVER_EXITED, 1, DRIVER_RESTART_NO);
    struct driver_container fell1 = container(DRIVER_EXITED, 1, DRIVER_RESTART_ALWAYS);
    struct driver_container run2 = container(DRIVER_RUNNING, 2, DRIVER_RESTART_NO);
    const struct {
        const char *what;
        const struct driver_container *current, *old;
        enum step step;
        bool impatient, unprepared, ready, drifted, bring_back;
    } rows[] = {
        {"it runs on, and files and limit are left", &run1, &none, STEP_AWAIT, .ready = false},
        {"after a while its file and limit are updated, too", &run1, &none, STEP_QUOTA, .impatient = true},
        {"and then it waits", &run1, &none, STEP_AWAIT, .impatient = true, .ready = true},
        {"it is kept", &run1no, &none, STEP_KEEP, .ready = true},
        {"what fell is started at once", &fell1, &none, STEP_START, .ready = true},
        {"what was stopped waits for a quick preparation", &exited1, &none, STEP_AWAIT, .ready = true},
        {"and is started if that is slow or fails", &exited1, &none, STEP_START, .impatient = true,
         .ready = true},
        {"with its files", &exited1, &none, STEP_PROVISION, .impatient = true},
        {"what was removed waits likewise", &none, &none, STEP_AWAIT, .ready = true},
        {"and is created again", &none, &none, STEP_CREATE, .impatient = true, .ready = true},
        {"of what is prepared again", &none, &none, STEP_PREPARE, .impatient = true, .unprepared = true},
        {"a repair waits, too", &run1, &none, STEP_AWAIT, .drifted = true},
        {"and begins", &run1, &none, STEP_HOLD, .impatient = true, .drifted = true},
        {"if it can be prepared", &run1, &none, STEP_PREPARE, .impatient = true, .unprepared = true,
         .drifted = true},
        {"a repair that began continues", &none, &exited1, STEP_CREATE, .ready = true},
        {"a switch that was overtaken is taken back", &run2, &exited1, STEP_REMOVE_NEW, .bring_back = true},
        {"to the old container", &none, &exited1, STEP_BRING_BACK, .bring_back = true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct decision_input in = input(rows[i].current, rows[i].old);
        in.target_revision = 1;
        in.until = STEP_AWAIT;
        in.patient = !rows[i].impatient;
        in.prepared = !rows[i].unprepared;
        in.provisioned = in.quota_set = rows[i].ready;
        in.drifted = rows[i].drifted;
        in.bring_back = rows[i].bring_back;
        enum step step = decide(&in);
        if (step != rows[i].step)
            fail_msg("%s: step %d, not %d", rows[i].what, (int)step, (int)rows[i].step);
    }
}

/* What a container has in anonymous volumes is copied before another one is made, or before it is removed. */
static void test_anonymous_volumes_are_copied_before_they_are_lost(void **state)
{
    (void)state;
    struct driver_container run1 = container(DRIVER_RUNNING, 1, DRIVER_RESTART_NO);
    struct driver_container exited1 = container(DRIVER_EXITED, 1, DRIVER_RESTART_NO);
    struct driver_container dead1 = container(DRIVER_DEAD, 1, DRIVER_RESTART_NO);
    struct driver_container created2 = container(DRIVER_CREATED, 2, DRIVER_RESTART_NO);
    struct decision_input in = input(&none, &exited1);
    in.old_unsaved = true;
    assert_int_equal(decide(&in), STEP_PROVISION);
    in.provisioned = true;
    assert_int_equal(decide(&in), STEP_QUOTA); /* the copy counts */
    in.quota_set = true;
    assert_int_equal(decide(&in), STEP_COPY);
    in.old_unsaved = false;
    assert_int_equal(decide(&in), STEP_CREATE);
    in.old_unsaved = true;
    in.old = &dead1;
    assert_int_equal(decide(&in), STEP_CREATE);
    in.old = &exited1;
    in.current = &created2; /* made by an earlier version in the middle of its switch */
    assert_int_equal(decide(&in), STEP_START);
    in.current = &none;
    in.want = WANT_STOP;
    assert_int_equal(decide(&in), STEP_BRING_BACK);
    in.rolling_back = true;
    assert_int_equal(decide(&in), STEP_BRING_BACK);

    in = input(&run1, &none);
    in.want = WANT_GONE;
    in.current_unsaved = true;
    assert_int_equal(decide(&in), STEP_STOP);
    in.current = &exited1;
    assert_int_equal(decide(&in), STEP_COPY);
    in.current_unsaved = false;
    assert_int_equal(decide(&in), STEP_REMOVE_NEW);
    in.current = &none;
    in.old = &exited1;
    in.old_unsaved = true;
    assert_int_equal(decide(&in), STEP_COPY);
    in.old_unsaved = false;
    assert_int_equal(decide(&in), STEP_REMOVE_OLD);
}

static void test_a_foreign_container_is_a_conflict_except_in_a_destroy(void **state)
{
    (void)state;
    struct driver_container foreign = container(DRIVER_RUNNING, 0, DRIVER_RESTART_NO);
    foreign.ours = false;
    struct decision_input in = input(&foreign, &none);
    assert_int_equal(decide(&in), STEP_CONFLICT);
    in.current = &none;
    in.old = &foreign;
    assert_int_equal(decide(&in), STEP_CONFLICT);
    in.rolling_back = true;
    assert_int_equal(decide(&in), STEP_CONFLICT);
    in.want = WANT_STOP;
    assert_int_equal(decide(&in), STEP_CONFLICT);
    in.want = WANT_GONE; /* a foreign container does not prevent a destroy */
    in.data_removed = true;
    assert_int_equal(decide(&in), STEP_GONE);
}

static void test_a_renamed_container_gets_a_name_again(void **state)
{
    (void)state;
    struct driver_container runs = container(DRIVER_RUNNING, 2, DRIVER_RESTART_ALWAYS);
    struct driver_container down = container(DRIVER_EXITED, 1, DRIVER_RESTART_NO);
    struct driver_container dead = container(DRIVER_DEAD, 1, DRIVER_RESTART_NO);
    struct driver_container foreign = runs;
    foreign.ours = false;
    const struct {
        const char *what;
        const struct driver_container *current, *old, *renamed;
        bool in_way;
        enum step run, stop, gone;
    } rows[] = {
        {"the name is free", &none, &none, &runs, false, STEP_RENAME_BACK, STEP_RENAME_BACK,
         STEP_RENAME_BACK},
        {"the name is free in a switch", &none, &down, &runs, false, STEP_RENAME_BACK, STEP_RENAME_BACK,
         STEP_RENAME_BACK},
        {"the old container was renamed", &runs, &none, &down, false, STEP_RENAME_OLD, STEP_RENAME_OLD,
         STEP_RENAME_OLD},
        {"both names are in use", &runs, &down, &down, false, STEP_REMOVE_RENAMED, STEP_REMOVE_RENAMED,
         STEP_REMOVE_RENAMED},
        {"another program's container has the name", &foreign, &none, &runs, false, STEP_CONFLICT,
         STEP_CONFLICT, STEP_REMOVE_RENAMED},
        {"two replicas have each other's name", &foreign, &none, &runs, true, STEP_RENAME_ASIDE,
         STEP_RENAME_ASIDE, STEP_REMOVE_RENAMED},
        {"a dead one is removed last", &runs, &none, &dead, false, STEP_REMOVE_RENAMED, STEP_HOLD,
         STEP_REMOVE_RENAMED},
        {"a dead one does not get the name", &none, &none, &dead, false, STEP_CREATE, STEP_SETTLED,
         STEP_REMOVE_RENAMED},
        {"the running container was renamed to .old", &none, &runs, &none, false, STEP_BRING_BACK,
         STEP_BRING_BACK, STEP_BRING_BACK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int want = WANT_RUN; want <= WANT_GONE; want++) {
            struct decision_input in = input(rows[i].current, rows[i].old);
            in.want = (enum want)want;
            in.renamed = rows[i].renamed;
            in.renamed_in_way = rows[i].in_way;
            in.applied_revision = 2;
            in.provisioned = in.quota_set = true;
            enum step expected = want == WANT_RUN    ? rows[i].run
                                 : want == WANT_STOP ? rows[i].stop
                                                     : rows[i].gone;
            if (decide(&in) != expected)
                fail_msg("%s, want %d: step %d, not %d", rows[i].what, want, (int)decide(&in), (int)expected);
        }
}

/* Each state of the runtime with each desired state. The container is of the desired and applied revision. */
static void test_each_state_of_a_container_has_a_step_to_each_desired_state(void **state)
{
    (void)state;
    static const struct {
        int state;
        enum step run, stop, gone;
    } rows[] = {
        {DRIVER_MISSING, STEP_CREATE, STEP_SETTLED, STEP_REMOVE_DATA},
        {DRIVER_CREATED, STEP_START, STEP_SETTLED, STEP_REMOVE_NEW},
        {DRIVER_RUNNING, STEP_KEEP, STEP_STOP, STEP_STOP},
        {DRIVER_PAUSED, STEP_KEEP, STEP_STOP, STEP_STOP},
        {DRIVER_RESTARTING, STEP_KEEP, STEP_STOP, STEP_STOP},
        {DRIVER_EXITED, STEP_START, STEP_SETTLED, STEP_REMOVE_NEW},
        {DRIVER_REMOVING, STEP_REMOVING, STEP_SETTLED, STEP_REMOVING},
        {DRIVER_DEAD, STEP_REMOVE_DEAD, STEP_SETTLED, STEP_REMOVE_DEAD},
    };
    assert_int_equal(sizeof rows / sizeof rows[0], N_STATES);
    assert_null(driver_state_enum.values[N_STATES]); /* a new state needs a row */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int want = WANT_RUN; want <= WANT_GONE; want++)
            for (int policy = DRIVER_RESTART_NO; policy <= DRIVER_RESTART_ALWAYS; policy++) {
                struct driver_container c = container(rows[i].state, 2, policy);
                struct decision_input in = input(&c, &none);
                in.want = (enum want)want;
                in.applied_revision = 2;
                in.provisioned = in.quota_set = true;
                bool ends = rows[i].state != DRIVER_MISSING && !driver_state_is_lost(rows[i].state);
                bool holds = policy == DRIVER_RESTART_ALWAYS && want != WANT_RUN && ends;
                bool kept = policy == DRIVER_RESTART_ALWAYS && rows[i].run == STEP_KEEP;
                enum step run = kept ? STEP_SETTLED : rows[i].run;
                enum step expected = holds               ? STEP_HOLD
                                     : want == WANT_RUN  ? run
                                     : want == WANT_STOP ? rows[i].stop
                                                         : rows[i].gone;
                if (decide(&in) != expected)
                    fail_msg("state %s, want %d, policy %d: step %d, not %d",
                             schema_enum_name(&driver_state_enum, rows[i].state), want, policy,
                             (int)decide(&in), (int)expected);
            }
}

/* A model in which every step has its effect at once. */
struct world {
    struct driver_container current, old;
    int64_t applied;
    bool rolling_back, quota, provisioned, restored, data_removed, failed;
};

static bool perform(struct world *w, enum step step, bool new_one_exits)
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
        assert_int_equal(w->old.state, DRIVER_MISSING); /* a rename never meets an existing container */
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
            new_one_exits && w->current.revision == 2 && w->applied != 2 ? DRIVER_EXITED : DRIVER_RUNNING;
        return true;
    case STEP_REVIVE:
        w->current.state = DRIVER_RUNNING;
        return true;
    case STEP_PROBATION: /* a probation ends with the pause */
        assert_int_equal(w->current.state, DRIVER_PAUSED);
        w->current.state = DRIVER_RUNNING;
        return true;
    case STEP_COMMIT:
        w->applied = 2;
        return true;
    case STEP_REMOVE_OLD:
        w->old = none;
        return true;
    case STEP_REMOVING:
        assert_int_equal(w->current.state, DRIVER_REMOVING);
        w->current = none;
        return true;
    case STEP_REMOVE_DEAD:
        assert_int_equal(w->current.state, DRIVER_DEAD);
        w->current = none;
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

static bool is_usable(const struct driver_container *c)
{
    return c->state != DRIVER_MISSING && !driver_state_is_lost((enum driver_state)c->state);
}

static bool has_proven(const struct world *w)
{
    return (is_usable(&w->current) && w->current.revision == 1) || is_usable(&w->old);
}

static enum step run_world(struct world *w, enum want want, bool new_one_exits)
{
    enum step step = STEP_SETTLED;
    bool had_proven = want == WANT_RUN && has_proven(w);
    for (int i = 0; i < 60; i++) {
        if (w->failed && w->applied == 0)
            return STEP_WAIT; /* the engine retries later */
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
        if (!perform(w, step, new_one_exits))
            return step;
        /* A container of the applied revision exists until the switch has ended. */
        if (had_proven && w->applied == 1)
            assert_true(has_proven(w));
    }
    fail_msg("no end: last step %d", (int)step);
    return step;
}

/* Starts from every combination of containers, policies and journal entries. */
static void test_every_situation_reaches_the_desired_state(void **state)
{
    (void)state;
    for (unsigned n = 0; n < N_STATES * N_STATES * 2 * 2 * 3 * 2 * 2 * 3; n++) {
        unsigned k = n;
#define TAKE(of)                                                                                             \
    ({                                                                                                       \
        unsigned _v = k % (of);                                                                              \
        k /= (of);                                                                                           \
        _v;                                                                                                  \
    })
        int current = (int)TAKE(N_STATES), old = (int)TAKE(N_STATES); /* the enum has no gaps */
        int policy = (int)TAKE(2), revision = (int)TAKE(2) + 1;
        int64_t applied = (int64_t)TAKE(3);
        bool rolling_back = TAKE(2), exits = TAKE(2);
        enum want want = (enum want)TAKE(3);
        if (applied == 1 && current == DRIVER_MISSING && old == DRIVER_MISSING)
            continue;
        if (rolling_back && applied == 2)
            continue; /* does not occur: a commit clears it */
        if (old != DRIVER_MISSING && applied == 0)
            continue; /* only a container of an applied revision is put aside */
        struct world w = {.current = container(current, revision, policy),
                          .old = container(old, 1, 0),
                          .applied = applied,
                          .rolling_back = rolling_back};
        enum step end = run_world(&w, want, exits);
        if (want == WANT_GONE) {
            assert_int_equal(end, STEP_GONE);
            assert_int_equal(w.current.state, DRIVER_MISSING);
            assert_int_equal(w.old.state, DRIVER_MISSING);
        } else if (want == WANT_STOP) {
            assert_false(driver_state_is_up((enum driver_state)w.current.state));
            assert_true(driver_state_is_lost((enum driver_state)w.current.state) || !is_usable(&w.old));
        } else if (end == STEP_SETTLED) {
            assert_true(driver_state_is_up((enum driver_state)w.current.state));
            assert_int_equal(w.current.restart, DRIVER_RESTART_ALWAYS);
            assert_int_equal(w.old.state, DRIVER_MISSING);
        } else {
            assert_int_equal(end, STEP_WAIT);
            assert_true(w.failed);
        }
    }
}

/* Follows a replica whose desired revision cannot be prepared; its target is the applied revision 1. */
static enum step run_unprepared(struct world *w, bool bring_back)
{
    enum step step = STEP_SETTLED;
    w->failed = true; /* what is created is of the applied revision */
    for (int i = 0; i < 60; i++) {
        struct decision_input in = {.want = WANT_RUN,
                                    .current = &w->current,
                                    .old = &w->old,
                                    .target_revision = 1,
                                    .target_config = "c",
                                    .applied_revision = 1,
                                    .rolling_back = w->rolling_back,
                                    .prepared = true,
                                    .turn = true,
                                    .until = w->rolling_back ? STEP_SETTLED : STEP_AWAIT,
                                    .bring_back = bring_back,
                                    .has_data = true,
                                    .quota_set = w->quota,
                                    .provisioned = w->provisioned,
                                    .restored = w->restored,
                                    .probation_over = true};
        step = decide(&in);
        if (!perform(w, step, false))
            return step;
    }
    fail_msg("no end: last step %d", (int)step);
    return step;
}

static void test_every_situation_brings_the_applied_revision_back(void **state)
{
    (void)state;
    for (unsigned n = 0; n < N_STATES * N_STATES * 2 * 2 * 2 * 2; n++) {
        unsigned k = n;
        int current = (int)TAKE(N_STATES), old = (int)TAKE(N_STATES), policy = (int)TAKE(2),
            revision = (int)TAKE(2) + 1;
        bool rolling_back = TAKE(2), bring_back = TAKE(2);
        struct world w = {.current = container(current, revision, policy),
                          .old = container(old, 1, 0),
                          .applied = 1,
                          .rolling_back = rolling_back};
        assert_int_equal(run_unprepared(&w, bring_back), STEP_AWAIT);
        assert_true(driver_state_is_up((enum driver_state)w.current.state));
        assert_int_equal(w.current.revision, 1);
        assert_int_equal(w.current.restart, DRIVER_RESTART_ALWAYS);
        assert_int_equal(w.old.state, DRIVER_MISSING);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_switch_goes_through_its_steps),
        cmocka_unit_test(test_a_revision_is_applied_when_its_application_is_ready),
        cmocka_unit_test(test_rare_situations_have_their_steps),
        cmocka_unit_test(test_a_renamed_container_gets_a_name_again),
        cmocka_unit_test(test_each_state_of_a_container_has_a_step_to_each_desired_state),
        cmocka_unit_test(test_limits_are_set_in_a_container_of_the_target),
        cmocka_unit_test(test_the_applied_revision_runs_until_the_desired_one_is_prepared),
        cmocka_unit_test(test_anonymous_volumes_are_copied_before_they_are_lost),
        cmocka_unit_test(test_a_foreign_container_is_a_conflict_except_in_a_destroy),
        cmocka_unit_test(test_every_situation_reaches_the_desired_state),
        cmocka_unit_test(test_every_situation_brings_the_applied_revision_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
