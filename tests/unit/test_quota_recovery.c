/* Tests quota-keeper's start under failures: directories that disappear meanwhile, a kernel that refuses,
 * data that cannot be read. test_quota_keeping.c tests the starts that succeed. */
#include "lib/basic/remove_tree.h"
#include "quota_world.h"

#include "lib/app-path/app_path.h"

/* --- simulated failures --- */

/* The linker replaces app_path_list() by this function (--wrap). */
int __real_app_path_list(int apps, struct app_path_entry **ret, size_t *ret_n, struct error *e);
int __wrap_app_path_list(int apps, struct app_path_entry **ret, size_t *ret_n, struct error *e);

static bool list_fails;
static void (*after_list)(void);     /* runs once, after the next listing */
static struct tree_of_test *current; /* for the hooks */

int __wrap_app_path_list(int apps, struct app_path_entry **ret, size_t *ret_n, struct error *e)
{
    if (list_fails)
        return error_os(e, EIO, "cannot read the app path");
    int r = __real_app_path_list(apps, ret, ret_n, e);
    void (*hook)(void) = after_list;
    after_list = NULL;
    if (hook)
        hook();
    return r;
}

static int refuse_get(const struct kernel *k, int fd, uint32_t project, struct kernel_quota *ret)
{
    (void)k, (void)fd, (void)project, (void)ret;
    return -EIO;
}

static int refuse_set(const struct kernel *k, int fd, uint32_t project, const struct kernel_limits *limits)
{
    (void)k, (void)fd, (void)project, (void)limits;
    return -EPERM;
}

static int refuse_read_tag(const struct kernel *k, int fd, struct kernel_tag *ret)
{
    (void)k, (void)fd, (void)ret;
    return -EIO;
}

/* Reports usage of inodes and no bytes, as empty files have it. */
static int get_inodes_alone(const struct kernel *k, int fd, uint32_t project, struct kernel_quota *ret)
{
    (void)k, (void)fd, (void)project;
    *ret = (struct kernel_quota){.used_inodes = 1};
    return 0;
}

static void run_hook(void (*hook)(void), struct tree_of_test *t)
{
    current = t;
    after_list = hook;
}

static int setup_recovery(void **state)
{
    list_fails = false;
    after_list = NULL;
    return setup(state);
}

/* --- helpers --- */

static void put_ledger(const struct tree_of_test *t, const char *items)
{
    _cleanup_free_ char *text = xasprintf("{\"items\":[%s]}", items);
    assert_int_equal(replace_file(t->ledger, text, strlen(text), 0644, NULL), 0);
}

static void remove_directory(const struct tree_of_test *t, const char *name)
{
    _cleanup_free_ char *path = path_in(t, name);
    assert_int_equal(remove_tree_at(AT_FDCWD, path, NULL), 0);
}

static void set_tag(const struct tree_of_test *t, const char *name, uint32_t project)
{
    _cleanup_free_ char *path = path_in(t, name);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    find_file(t->world, fd)->tag = (struct kernel_tag){project, true};
    close(fd);
}

static bool starts_with_note(struct tree_of_test *t, const char *part)
{
    struct notes notes = {.n = 0};
    start_again(t, &notes);
    bool has = has_note(&notes, part);
    notes_clear(&notes);
    return has;
}

static bool has_item(struct tree_of_test *t, const char *container)
{
    struct ledger_item item;
    if (!registry_get(&t->r, container, &item))
        return false;
    registry_item_clear(&item);
    return true;
}

static struct ledger_item item_of(struct tree_of_test *t, const char *container)
{
    struct ledger_item item;
    assert_true(registry_get(&t->r, container, &item));
    struct ledger_item copy = item;
    registry_item_clear(&item);
    copy.name = copy.mnt = NULL;
    return copy;
}

static size_t count_gone(struct tree_of_test *t)
{
    size_t n;
    char **names = recovery_find_gone(&t->r, &n);
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return n;
}

static bool is_gone(struct tree_of_test *t, const char *container)
{
    struct ledger_item item;
    assert_true(registry_get(&t->r, container, &item));
    bool gone = recovery_is_gone(&t->r, &item);
    registry_item_clear(&item);
    return gone;
}

/* Makes an item of the ledger without directory and without usage; returns its project. */
static uint32_t make_gone(struct tree_of_test *t, const char *container)
{
    make_directory(t, container);
    int64_t project = ensured(t, container, MIB);
    remove_directory(t, container);
    for (size_t i = 0; i < t->world->n_files; i++)
        if (t->world->files[i].tag.project == project)
            t->world->files[i].tag.project = 0;
    return (uint32_t)project;
}

/* --- directories are adopted into the ledger --- */

static void test_an_owner_without_directory_loses_its_project(void **state)
{
    struct tree_of_test *t = *state;
    make_directory(t, "i8k_new_0");
    assert_int_equal(ensured(t, "i8k_new_0", MIB), 100);
    put_ledger(t, "{\"id\":100,\"name\":\"i8k_old_0\"}");
    assert_true(starts_with_note(t, "gives project 100 to i8k_old_0"));
    assert_int_equal(item_of(t, "i8k_new_0").id, 100);
    assert_false(has_item(t, "i8k_old_0"));
}

static int read_tag_of_new_alone(const struct kernel *k, int fd, struct kernel_tag *ret)
{
    struct stat st, new;
    _cleanup_free_ char *path = path_in(current, "i8k_new_0");
    assert_int_equal(fstat(fd, &st), 0);
    if (stat(path, &new) < 0 || st.st_ino != new.st_ino)
        return -EIO;
    return world_read_tag(k, fd, ret);
}

static void test_an_owner_whose_project_cannot_be_read_loses_it(void **state)
{
    struct tree_of_test *t = *state;
    make_directory(t, "i8k_new_0");
    assert_int_equal(ensured(t, "i8k_new_0", MIB), 100);
    make_directory(t, "i8k_old_0");
    set_tag(t, "i8k_old_0", 100);
    put_ledger(t, "{\"id\":100,\"name\":\"i8k_old_0\"}");
    current = t;
    t->world->kernel.read_tag = read_tag_of_new_alone;
    assert_true(starts_with_note(t, "gives project 100 to i8k_old_0"));
    assert_int_equal(item_of(t, "i8k_new_0").id, 100);
}

static void test_a_project_that_cannot_be_read_is_not_adopted(void **state)
{
    struct tree_of_test *t = *state;
    make_directory(t, "i8k_web_0");
    ensured(t, "i8k_web_0", MIB);
    assert_int_equal(unlink(t->ledger), 0);
    struct kernel healthy = t->world->kernel;
    t->world->kernel.get = refuse_get;
    assert_false(starts_with_note(t, "into the ledger"));
    assert_int_equal(registry_count(&t->r), 0);
    /* Nor is a directory whose project cannot be read. */
    t->world->kernel = healthy;
    t->world->kernel.read_tag = refuse_read_tag;
    assert_false(starts_with_note(t, "into the ledger"));
    t->world->kernel = healthy;
    assert_true(starts_with_note(t, "took i8k_web_0 into the ledger"));
}

static void remove_web_1(void)
{
    remove_directory(current, "i8k_web_1");
}

static void test_a_directory_that_disappears_meanwhile_is_skipped(void **state)
{
    struct tree_of_test *t = *state;
    make_directory(t, "i8k_web_0");
    make_directory(t, "i8k_web_1");
    make_directory(t, ".deleting-i8k_web_2-0123456789abcdef");
    set_tag(t, ".deleting-i8k_web_2-0123456789abcdef", 105); /* no item has it */
    ensured(t, "i8k_web_0", MIB);
    ensured(t, "i8k_web_1", MIB);
    assert_int_equal(unlink(t->ledger), 0);
    run_hook(remove_web_1, t);
    assert_true(starts_with_note(t, "took i8k_web_0 into the ledger"));
    assert_int_equal(registry_count(&t->r), 1);
}

/* --- the ledger's limits are set in the kernel --- */

static void test_limits_that_the_kernel_refuses_are_reported(void **state)
{
    struct tree_of_test *t = *state;
    make_directory(t, "i8k_web_0");
    ensured(t, "i8k_web_0", 100 * MIB);
    find_known(t->world, 100)->limits.hard = MIB;
    struct kernel healthy = t->world->kernel;
    t->world->kernel.set = refuse_set;
    assert_true(starts_with_note(t, "i8k_web_0: cannot set the limits of project 100: "));
    assert_int_equal(item_of(t, "i8k_web_0").hard, 100 * MIB); /* the ledger keeps the desired limit */
    /* If the kernel's limits cannot be read, none are set. */
    t->world->kernel = healthy;
    t->world->kernel.get = refuse_get;
    assert_false(starts_with_note(t, "i8k_web_0"));
    assert_int_equal(find_known(t->world, 100)->limits.hard, MIB);
}

static void test_requested_inodes_stay(void **state)
{
    struct tree_of_test *t = *state;
    struct notes notes = {.n = 0};
    make_directory(t, "i8k_web_0");
    make_directory(t, "i8k_web_1");
    ensured(t, "i8k_web_0", MIB);
    ensured(t, "i8k_web_1", MIB);
    /* One has only a soft limit; those of the other were derived while the configuration derived none. */
    put_ledger(t, "{\"id\":100,\"name\":\"i8k_web_0\",\"hard\":1048576,\"inodes_soft\":9},"
                  "{\"id\":101,\"name\":\"i8k_web_1\",\"hard\":1048576,\"inodes_derived\":true}");
    start_again(t, &notes);
    notes_clear(&notes);
    assert_false(item_of(t, "i8k_web_1").inodes_derived);
    t->starts_with_inodes = true;
    start_again(t, &notes);
    notes_clear(&notes);
    assert_int_equal(item_of(t, "i8k_web_0").inodes_soft, 9);
    assert_int_equal(item_of(t, "i8k_web_0").inodes, 0);
    assert_int_equal(item_of(t, "i8k_web_1").inodes, 16384);
}

/* --- projects are given back --- */

static void test_a_project_is_kept_while_its_use_is_unknown(void **state)
{
    struct tree_of_test *t = *state;
    make_gone(t, "i8k_web_0");
    assert_int_equal(count_gone(t), 1);
    assert_true(is_gone(t, "i8k_web_0"));
    /* Empty files are charged as inodes. */
    struct kernel healthy = t->world->kernel;
    t->world->kernel.get = get_inodes_alone;
    assert_int_equal(count_gone(t), 0);
    t->world->kernel.get = refuse_get;
    assert_int_equal(count_gone(t), 0);
    assert_false(is_gone(t, "i8k_web_0"));
    /* If the filesystem counts nothing, nothing can be charged. */
    t->world->off = true;
    assert_int_equal(count_gone(t), 1);
    t->world->off = false;
    t->world->kernel = healthy;
    /* A file is in the place of the directory. */
    make_file(t, "i8k_web_0");
    assert_int_equal(count_gone(t), 0);
    assert_false(is_gone(t, "i8k_web_0"));
    remove_directory(t, "i8k_web_0");
    /* The container has kept data, or a hidden directory. */
    make_directory(t, "i8k_web_0.removed-20260101T000000");
    assert_false(is_gone(t, "i8k_web_0"));
    remove_directory(t, "i8k_web_0.removed-20260101T000000");
    make_directory(t, ".deleting-i8k_web_0-0123456789abcdef");
    assert_false(is_gone(t, "i8k_web_0"));
}

static void make_web_0(void)
{
    make_directory(current, "i8k_web_0");
}

static void test_a_directory_that_appears_meanwhile_keeps_its_project(void **state)
{
    struct tree_of_test *t = *state;
    make_gone(t, "i8k_web_0");
    run_hook(make_web_0, t);
    assert_int_equal(count_gone(t), 0);
}

static void test_usage_on_another_mount_is_unknown(void **state)
{
    struct tree_of_test *t = *state;
    put_ledger(t, "{\"id\":100,\"name\":\"i8k_web_0\",\"mnt\":\"/nowhere\"}");
    assert_false(starts_with_note(t, "is given back"));
    assert_true(has_item(t, "i8k_web_0"));
}

static int put_file_in_the_place(const struct kernel *k, int fd, uint32_t project, struct kernel_quota *ret)
{
    (void)k, (void)fd, (void)project;
    make_file(current, "i8k_web_0");
    *ret = (struct kernel_quota){.used = 0};
    return 0;
}

static void test_limits_of_a_given_back_id_are_lifted_if_possible(void **state)
{
    struct tree_of_test *t = *state;
    make_gone(t, "i8k_web_0");
    assert_int_equal(find_known(t->world, 100)->limits.hard, MIB);
    /* If the filesystem counts nothing, there is no limit to lift. */
    t->world->off = true;
    assert_true(starts_with_note(t, "project 100 is given back"));
    assert_int_equal(find_known(t->world, 100)->limits.hard, MIB);
    assert_int_equal(registry_count(&t->r), 0);
    /* Nor is there if the directory can no longer be opened. */
    t->world->off = false;
    uint32_t project = make_gone(t, "i8k_web_0");
    current = t;
    t->world->kernel.get = put_file_in_the_place;
    assert_true(starts_with_note(t, "is given back"));
    assert_int_equal(find_known(t->world, project)->limits.hard, MIB);
    assert_int_equal(registry_count(&t->r), 0);
}

/* --- an app path or a ledger that fails --- */

static void test_an_app_path_that_cannot_be_opened_changes_nothing(void **state)
{
    struct tree_of_test *t = *state;
    struct notes notes = {.n = 0};
    make_gone(t, "i8k_web_0");
    assert_int_equal(chmod(t->apps, 0777), 0); /* other users can write in it: it is not used */
    assert_false(is_gone(t, "i8k_web_0"));
    assert_int_equal(count_gone(t), 0);
    assert_true(recovery_is_on_its_way(&t->r, "i8k_web_0"));
    start_again(t, &notes);
    assert_int_equal(notes.n, 1);
    assert_true(has_note(&notes, "quotas are looked at again with the next request"));
    notes_clear(&notes);
    assert_int_equal(registry_count(&t->r), 1);
    assert_int_equal(chmod(t->apps, 0755), 0);
    assert_true(starts_with_note(t, "project 100 is given back"));
}

static void test_an_app_path_that_cannot_be_listed_changes_nothing(void **state)
{
    struct tree_of_test *t = *state;
    make_gone(t, "i8k_web_0");
    list_fails = true;
    assert_false(is_gone(t, "i8k_web_0"));
    assert_int_equal(count_gone(t), 0);
    assert_true(recovery_is_on_its_way(&t->r, "i8k_web_0"));
    assert_true(starts_with_note(t, "cannot read the app path"));
    assert_int_equal(registry_count(&t->r), 1);
}

static void test_hidden_and_unfinished_directories_are_on_their_way(void **state)
{
    struct tree_of_test *t = *state;
    make_directory(t, ".deleting-i8k_web_0-0123456789abcdef");
    make_directory(t, ".making-i8k_web_1");
    make_directory(t, "i8k_web_2");
    assert_true(recovery_is_on_its_way(&t->r, "i8k_web_0"));
    assert_true(recovery_is_on_its_way(&t->r, "i8k_web_1"));
    assert_false(recovery_is_on_its_way(&t->r, "i8k_web_2"));
}

static void test_a_ledger_that_cannot_be_written_is_retried(void **state)
{
    struct tree_of_test *t = *state;
    struct notes notes = {.n = 0};
    make_directory(t, "i8k_web_0");
    ensured(t, "i8k_web_0", MIB);
    assert_int_equal(unlink(t->ledger), 0);
    registry_done(&t->r);
    registry_begin(t, 110000);
    t->r.ledger_path = "/nonexistent/ledger.json";
    recovery_run(&t->r, &notes);
    assert_true(has_note(&notes, "tried again with the next change"));
    notes_clear(&notes);
}

#define RECOVERY_TEST(f) cmocka_unit_test_setup_teardown(f, setup_recovery, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECOVERY_TEST(test_an_owner_without_directory_loses_its_project),
        RECOVERY_TEST(test_an_owner_whose_project_cannot_be_read_loses_it),
        RECOVERY_TEST(test_a_project_that_cannot_be_read_is_not_adopted),
        RECOVERY_TEST(test_a_directory_that_disappears_meanwhile_is_skipped),
        RECOVERY_TEST(test_limits_that_the_kernel_refuses_are_reported),
        RECOVERY_TEST(test_requested_inodes_stay),
        RECOVERY_TEST(test_a_project_is_kept_while_its_use_is_unknown),
        RECOVERY_TEST(test_a_directory_that_appears_meanwhile_keeps_its_project),
        RECOVERY_TEST(test_usage_on_another_mount_is_unknown),
        RECOVERY_TEST(test_limits_of_a_given_back_id_are_lifted_if_possible),
        RECOVERY_TEST(test_an_app_path_that_cannot_be_opened_changes_nothing),
        RECOVERY_TEST(test_an_app_path_that_cannot_be_listed_changes_nothing),
        RECOVERY_TEST(test_hidden_and_unfinished_directories_are_on_their_way),
        RECOVERY_TEST(test_a_ledger_that_cannot_be_written_is_retried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
