/* Tests files that a tenant charges to other projects, with a kernel in memory: findings state who is
 * charged, files get the project of their directory again, and ids that only such files carry do not keep
 * a replica from its limit. */
#include "lib/schema/object.h"
#include "quota_world.h"

#include "quota-keeper/recheck.h"

#define EVIL "i8k_evil_0"

static void tag_path(struct tree_of_test *t, const char *name, uint32_t project)
{
    _cleanup_free_ char *path = path_in(t, name);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW);
    assert_true(fd >= 0);
    find_file(t->world, fd)->tag = (struct kernel_tag){project, false};
}

/* Makes a file and gives it a project, as the kernel lets its owner do. */
static void stray(struct tree_of_test *t, const char *directory, const char *name, uint32_t project)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", directory, name);
    make_file(t, path);
    tag_path(t, path, project);
}

static const struct quota_finding *charge(const struct findings *f, const char *container,
                                          const char *charged)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->items[i]->kind == QUOTA_CHARGES_OTHERS && streq_null(f->items[i]->container, container) &&
            streq_null(f->items[i]->charged, charged))
            return f->items[i];
    fail_msg("there is no finding of what %s charges %s", container, charged ?: "others");
    return NULL;
}

static size_t count_kind(const struct findings *f, enum quota_finding_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++)
        n += f->items[i]->kind == (int)kind;
    return n;
}

static int recheck_name(struct tree_of_test *t, const char *name, bool for_ids, struct findings *found,
                        struct quota_values *v, struct error *e)
{
    struct strays *strays = xcalloc(1, sizeof *strays);
    if (for_ids) {
        strays->kernel = &t->world->kernel;
        strays->id_min = t->r.ledger.id_min;
        strays->id_max = t->r.ledger.id_max;
    }
    int r = recheck_run(&t->r, name, strays, found, v, e);
    free(strays);
    return r;
}

static void rechecked(struct tree_of_test *t, const char *name, struct findings *found)
{
    struct quota_values v;
    struct error e = ERROR_INIT;
    if (recheck_name(t, name, false, found, &v, &e) < 0)
        fail_msg("%s", e.message);
    assert_int_equal(v.skipped, 0);
    schema_done(&quota_values_schema, &v);
}

static void test_report_states_who_charges_whom(void **state)
{
    struct tree_of_test *t = *state;
    struct findings f;
    struct error e = ERROR_INIT;
    make_directory(t, "i8k_web_0/opt");
    make_directory(t, EVIL "/opt/\x1b[31m\n");
    assert_int_equal(ensured(t, "i8k_web_0", MIB), 100);
    assert_int_equal(ensured(t, EVIL, MIB), 101);
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "to-web%d", i);
        stray(t, EVIL "/opt/\x1b[31m\n", name, 100);
    }
    stray(t, EVIL "/opt", "to-nobody", 500);
    stray(t, EVIL "/opt", "out-of-range", 4000000000);
    stray(t, EVIL "/opt", "out", 0);
    assert_int_equal(report_make(&t->r, &f, &e), 0);
    const struct quota_finding *web = charge(&f, EVIL, "i8k_web_0"), *rest = charge(&f, EVIL, NULL);
    assert_int_equal(web->project, 100);
    assert_int_equal(web->used_inodes, 20);
    assert_non_null(strstr(web->message, "20 files"));
    assert_non_null(strstr(web->message, "quota recheck " EVIL));
    assert_non_null(strstr(web->path, EVIL "/opt/?[31m?/to-web"));
    assert_null(strchr(web->message, '\x1b'));
    assert_int_equal(rest->used_inodes, 2);
    /* The charged replica gets no finding about unknown users of its id, and 500 is not reported as an
     * orphan. */
    assert_int_equal(count_kind(&f, QUOTA_USED_BY_OTHERS), 0);
    assert_int_equal(count_kind(&f, QUOTA_ORPHAN_PROJECT), 0);
    assert_int_equal(count_kind(&f, QUOTA_NOT_TAGGED), 1); /* 'out' */
    assert_int_equal(f.n, 3);
    findings_clear(&f);
}

static void test_a_file_with_many_names_is_one_file(void **state)
{
    struct tree_of_test *t = *state;
    struct findings f;
    struct error e = ERROR_INIT;
    make_directory(t, "i8k_web_0");
    make_directory(t, EVIL "/opt");
    ensured(t, "i8k_web_0", MIB);
    ensured(t, EVIL, MIB);
    stray(t, EVIL "/opt", "file", 100);
    _cleanup_free_ char *file = path_in(t, EVIL "/opt/file");
    for (int i = 0; i < 50; i++) {
        char name[64];
        snprintf(name, sizeof name, EVIL "/opt/name%d", i);
        _cleanup_free_ char *path = path_in(t, name);
        assert_int_equal(link(file, path), 0);
    }
    assert_int_equal(report_make(&t->r, &f, &e), 0);
    assert_int_equal(charge(&f, EVIL, "i8k_web_0")->used_inodes, 1);
    findings_clear(&f);
}

static void test_the_number_of_findings_is_bounded(void **state)
{
    struct tree_of_test *t = *state;
    struct findings f;
    struct error e = ERROR_INIT;
    make_directory(t, EVIL "/opt");
    ensured(t, EVIL, MIB);
    for (uint32_t i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof name, "file%u", i);
        stray(t, EVIL "/opt", name, 1000 + i);
    }
    for (int i = 0; i < 30; i++) {
        char name[64];
        snprintf(name, sizeof name, "i8k_many_%d", i);
        make_directory(t, name);
        uint32_t id = (uint32_t)ensured(t, name, MIB);
        for (int k = 0; k <= i; k++) {
            snprintf(name, sizeof name, "many%d-%d", i, k);
            stray(t, EVIL "/opt", name, id);
        }
    }
    assert_int_equal(report_make(&t->r, &f, &e), 0);
    assert_in_range(count_kind(&f, QUOTA_CHARGES_OTHERS), 1, CHARGED_MAX + 1);
    int64_t files = 0;
    for (size_t i = 0; i < f.n; i++)
        if (f.items[i]->kind == QUOTA_CHARGES_OTHERS)
            files += f.items[i]->used_inodes;
    assert_int_equal(files, 300 + 30 * 31 / 2);
    assert_int_equal(count_kind(&f, QUOTA_ORPHAN_PROJECT), 0);
    findings_clear(&f);
    /* Ids without an explanation: a hundred are reported one by one, and then how many more there are. */
    for (uint32_t i = 0; i < 150; i++)
        find_known(t->world, 2000 + i)->foreign_use = 4096;
    assert_int_equal(report_make(&t->r, &f, &e), 0);
    assert_int_equal(count_kind(&f, QUOTA_ORPHAN_PROJECT), 101);
    findings_clear(&f);
}

static void test_recheck_puts_everything_back(void **state)
{
    struct tree_of_test *t = *state;
    struct findings f = {.n = 0};
    struct error e = ERROR_INIT;
    struct quota_values v;
    make_directory(t, "i8k_web_0");
    make_directory(t, EVIL "/opt");
    make_directory(t, EVIL ".removed-20261123T210640/opt");
    make_directory(t, "i8k_bare_0/opt"); /* without a project */
    make_directory(t, ".deleting-i8k_old_0-0011/opt");
    ensured(t, "i8k_web_0", MIB);
    ensured(t, EVIL, MIB);
    stray(t, EVIL "/opt", "to-web", 100);
    stray(t, EVIL "/opt", "to-500", 500);
    stray(t, EVIL ".removed-20261123T210640/opt", "kept", 501);
    stray(t, "i8k_bare_0/opt", "bare", 100);
    stray(t, ".deleting-i8k_old_0-0011/opt", "old", 502);
    rechecked(t, EVIL, &f);
    assert_int_equal(charge(&f, EVIL, "i8k_web_0")->used_inodes, 1);
    assert_int_equal(f.n, 3); /* 500 and 501, too, each for its directory */
    assert_non_null(strstr(charge(&f, EVIL, "i8k_web_0")->message, "were put back"));
    findings_clear(&f);
    assert_tag(t, EVIL "/opt/to-web", 101);
    assert_tag(t, EVIL "/opt/to-500", 101);
    assert_tag(t, EVIL ".removed-20261123T210640/opt/kept", 0);
    rechecked(t, "i8k_bare_0", &f);
    assert_tag(t, "i8k_bare_0/opt/bare", 0);
    assert_non_null(charge(&f, "i8k_bare_0", "i8k_web_0"));
    findings_clear(&f);
    rechecked(t, ".deleting-i8k_old_0-0011", &f);
    assert_tag(t, ".deleting-i8k_old_0-0011/opt/old", 0);
    findings_clear(&f);
    assert_int_equal(recheck_name(t, "i8k_none_0", false, &f, &v, &e), -ENOENT);
    assert_int_equal(e.class, ERROR_NOT_FOUND);
    assert_int_equal(report_make(&t->r, &f, &e), 0);
    assert_int_equal(count_kind(&f, QUOTA_CHARGES_OTHERS), 0);
    assert_int_equal(count_kind(&f, QUOTA_ORPHAN_PROJECT), 0);
    findings_clear(&f);
}

/* Even if the tenant's own limit is used up, on ext4, the files that it charged to others get its project
 * again. */
static void test_a_full_project_gets_its_files_again(void **state)
{
    struct tree_of_test *t = *state;
    struct findings f = {.n = 0};
    make_directory(t, "i8k_web_0");
    make_directory(t, EVIL);
    ensured(t, "i8k_web_0", MIB);
    ensured(t, EVIL, 4096);
    for (int i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "file%d", i);
        stray(t, EVIL, name, 100);
    }
    t->world->strict = true;
    rechecked(t, EVIL, &f);
    findings_clear(&f);
    for (int i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof name, EVIL "/file%d", i);
        assert_tag(t, name, 101);
    }
    assert_int_equal(find_known(t->world, 101)->limits.hard, 4096);
}

/* Uses all ids from 100 to 109: one belongs to the tenant, one is used outside of the app path, one has a
 * limit, one has a name, and the tenant's files carry all of them. */
static void use_all_ids(struct tree_of_test *t)
{
    registry_done(&t->r);
    registry_begin(t, 109);
    _cleanup_free_ char *projid = xasprintf("%s/projid", t->etc);
    assert_int_equal(replace_file(projid, "somebody:103\n", 13, 0644, NULL), 0);
    make_directory(t, EVIL "/opt");
    assert_int_equal(ensured(t, EVIL, MIB), 100);
    find_known(t->world, 101)->foreign_use = 4096;
    find_known(t->world, 102)->limits.hard = MIB;
    for (uint32_t id = 101; id <= 109; id++) {
        char name[16];
        snprintf(name, sizeof name, "file%u", id);
        stray(t, EVIL "/opt", name, id);
    }
}

static void test_ids_that_only_strays_carry_are_reclaimed(void **state)
{
    struct tree_of_test *t = *state;
    struct findings f = {.n = 0};
    struct error e = ERROR_INIT;
    struct quota_values v;
    use_all_ids(t);
    for (int i = 0; i < 7; i++) {
        char name[32];
        snprintf(name, sizeof name, "i8k_new_%d", i);
        make_directory(t, name);
        struct op op = run_op(t, OP_ENSURE, name, MIB);
        if (i == 0) {
            assert_int_equal(op.result, -ENOSPC);
            assert_true(op.no_ids);
            assert_non_null(strstr(op.e.message, "replicas have 1, 1 are named"));
            assert_int_equal(recheck_name(t, EVIL, true, &f, &v, &e), 0);
            schema_done(&quota_values_schema, &v);
            assert_true(registry_has_freed(&t->r));
            op_clear(&op);
            op = run_op(t, OP_ENSURE, name, MIB);
        }
        if (i < 6) { /* 104 to 109 */
            assert_int_equal(op.result, 0);
            assert_in_range(op.item.id, 104, 109);
        } else { /* ids with usage, limit or name of others stay theirs */
            assert_int_equal(op.result, -ENOSPC);
            assert_non_null(strstr(op.e.message, "2 have use or limits"));
        }
        op_clear(&op);
    }
    findings_clear(&f);
    assert_tag(t, EVIL "/opt/file109", 100);
}

/* An id that became free and was used again by the tenant is given out all the same to the replica that
 * waited for it. An id that got a limit or a name meanwhile is not, and an id that became free earlier is
 * checked like any other. */
static void test_freed_ids_are_given_out_even_if_used_again(void **state)
{
    struct tree_of_test *t = *state;
    struct findings f = {.n = 0};
    struct error e = ERROR_INIT;
    struct quota_values v;
    use_all_ids(t);
    assert_int_equal(recheck_name(t, EVIL, true, &f, &v, &e), 0);
    schema_done(&quota_values_schema, &v);
    findings_clear(&f);
    assert_int_equal(t->r.n_freed, 7); /* 103 is among them, which has a name */
    for (uint32_t id = 104; id <= 109; id++)
        find_known(t->world, id)->foreign_use = 4096;
    find_known(t->world, 104)->limits.hard = find_known(t->world, 108)->limits.hard = MIB;
    _cleanup_free_ char *projid = xasprintf("%s/projid", t->etc);
    assert_int_equal(replace_file(projid, "somebody:103\nother:109\n", 23, 0644, NULL), 0);
    static const uint32_t old[] = {106};
    for (int i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "i8k_new_%d", i);
        make_directory(t, name);
        if (i == 2) {
            registry_add_freed(&t->r, old, 1);
            t->r.freed_usec -= 3600 * USEC_PER_SEC;
        }
        struct op op = run_op(t, OP_ENSURE, name, MIB);
        assert_int_equal(op.result, i == 0 ? 0 : -ENOSPC);
        if (i == 0)
            assert_in_range(op.item.id, 105, 107);
        op_clear(&op);
    }
}

/* XFS gives each project that is used the limits of project 0, if there are any. */
static void test_default_limits_of_the_filesystem_occupy_no_id(void **state)
{
    struct tree_of_test *t = *state;
    registry_done(&t->r);
    registry_begin(t, 101);
    find_known(t->world, 0)->limits = (struct kernel_limits){0, 5 * MIB, 0, 0};
    find_known(t->world, 100)->limits = (struct kernel_limits){0, 5 * MIB, 0, 0};
    find_known(t->world, 101)->limits = (struct kernel_limits){0, 6 * MIB, 0, 0};
    make_directory(t, "i8k_new_0");
    make_directory(t, "i8k_new_1");
    assert_int_equal(ensured(t, "i8k_new_0", MIB), 100);
    struct op op = run_op(t, OP_ENSURE, "i8k_new_1", MIB);
    assert_int_equal(op.result, -ENOSPC);
    op_clear(&op);
}

/* A walk over many files ends early, so that another pool can repeat it. */
static void test_a_walk_over_many_files_ends_early(void **state)
{
    struct tree_of_test *t = *state;
    const struct enforce_options quick = {.entries_max = 10};
    struct quota_values v;
    struct error e = ERROR_INIT;
    for (int i = 0; i < 20; i++) {
        char name[64];
        snprintf(name, sizeof name, "i8k_web_0/dir%d", i);
        make_directory(t, name);
    }
    struct op op = run_op(t, OP_ENSURE, "i8k_web_0", MIB);
    assert_int_equal(enforce_item(&t->r, &op.item, &quick, &v, &e), -E2BIG);
    assert_int_equal(tag_of(t, "i8k_web_0").project, 0); /* the top gets its project last */
    assert_int_equal(enforce_item(&t->r, &op.item, &plain, &v, &e), 0);
    schema_done(&quota_values_schema, &v);
    assert_int_equal(enforce_item(&t->r, &op.item, &quick, &v, &e), 0); /* nothing is left to do */
    schema_done(&quota_values_schema, &v);
    assert_int_equal(enforce_remove(&t->r, &op.item, 10, &e), -E2BIG);
    assert_int_equal(enforce_remove(&t->r, &op.item, 0, &e), 0);
    assert_tag(t, "i8k_web_0/dir19", 0);
    op_clear(&op);
}

#define STRAYS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STRAYS_TEST(test_report_states_who_charges_whom),
        STRAYS_TEST(test_a_file_with_many_names_is_one_file),
        STRAYS_TEST(test_the_number_of_findings_is_bounded),
        STRAYS_TEST(test_recheck_puts_everything_back),
        STRAYS_TEST(test_a_full_project_gets_its_files_again),
        STRAYS_TEST(test_ids_that_only_strays_carry_are_reclaimed),
        STRAYS_TEST(test_freed_ids_are_given_out_even_if_used_again),
        STRAYS_TEST(test_default_limits_of_the_filesystem_occupy_no_id),
        STRAYS_TEST(test_a_walk_over_many_files_ends_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
