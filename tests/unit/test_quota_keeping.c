/* Tests quota-keeper on real directories with a kernel in memory: hostile content, what is enforced and
 * read back, what a start finds. The tests in the virtual machine cover the real kernel. */
#include "lib/schema/object.h"
#include "quota_world.h"

/* --- Ensure --- */

static void test_ensure_gives_project_and_limits(void **state)
{
    struct tree_of_test *t = *state;
    struct quota_values v;
    struct error e = ERROR_INIT;
    make_directory(t, "i8k_web_0/opt/deep");
    make_file(t, "i8k_web_0/opt/deep/file");
    assert_int_equal(ensure(t, "i8k_web_0", 100 * MIB, &v, &e), 0);
    assert_int_equal(v.project, 100);
    assert_int_equal(v.hard, 100 * MIB);
    assert_int_equal(v.used_inodes, 4);
    assert_null(v.not_enforced);
    schema_done(&quota_values_schema, &v);
    assert_tag(t, "i8k_web_0", 100);
    assert_tag(t, "i8k_web_0/opt/deep/file", 100);
    assert_true(tag_of(t, "i8k_web_0").inherit && tag_of(t, "i8k_web_0/opt/deep").inherit);
    assert_false(tag_of(t, "i8k_web_0/opt/deep/file").inherit);
    _cleanup_free_ char *projects = content(t->etc, "projects"), *projid = content(t->etc, "projid"),
                        *line = xasprintf("100:%s/i8k_web_0\n", t->apps);
    assert_string_equal(projects, line);
    assert_string_equal(projid, "i8k_web_0:100\n");
    /* A second Ensure writes nothing and sets nothing. */
    struct stat before, after;
    unsigned sets = t->world->sets;
    stat(t->ledger, &before);
    assert_int_equal(ensured(t, "i8k_web_0", 100 * MIB), 100);
    stat(t->ledger, &after);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(t->world->sets, sets);
    /* Another limit is set, and 0 lifts it. */
    assert_int_equal(ensured(t, "i8k_web_0", 200 * MIB), 100);
    assert_int_equal(find_known(t->world, 100)->limits.hard, 200 * MIB);
    assert_int_equal(ensured(t, "i8k_web_0", 0), 100);
    assert_int_equal(find_known(t->world, 100)->limits.hard, 0);
}

static void test_ensure_needs_a_directory_and_a_filesystem(void **state)
{
    struct tree_of_test *t = *state;
    struct quota_values v;
    struct error e = ERROR_INIT;
    assert_int_equal(ensure(t, "i8k_web_0", MIB, &v, &e), -ENOENT);
    assert_int_equal(e.class, ERROR_NOT_FOUND);
    make_directory(t, "i8k_web_0");
    t->world->off = true;
    assert_int_equal(ensure(t, "i8k_web_0", MIB, &v, &e), -EOPNOTSUPP);
    assert_int_equal(e.class, ERROR_NOT_SUPPORTED);
    assert_int_equal(registry_count(&t->r), 0); /* no id was used */
    assert_int_equal(access(t->ledger, F_OK), -1);
    /* A link in the place of the directory is refused. */
    t->world->off = false;
    _cleanup_free_ char *link = path_in(t, "i8k_web_1");
    assert_int_equal(symlink("/etc", link), 0);
    assert_true(ensure(t, "i8k_web_1", MIB, &v, &e) < 0);
}

static void test_limits_that_the_kernel_ignored_are_not_reported_as_set(void **state)
{
    struct tree_of_test *t = *state;
    struct quota_values v;
    struct error e = ERROR_INIT;
    make_directory(t, "i8k_web_0");
    t->world->forgets_limits = true;
    assert_int_equal(ensure(t, "i8k_web_0", MIB, &v, &e), -EAGAIN);
    assert_non_null(strstr(e.message, "and has 0 and 0"));
}

static void test_ids_of_others_are_never_given_out(void **state)
{
    struct tree_of_test *t = *state;
    _cleanup_free_ char *projects = xasprintf("%s/projects", t->etc),
                        *projid = xasprintf("%s/projid", t->etc);
    assert_int_equal(replace_file(projects, "100:/srv/x\n", 11, 0644, NULL), 0);
    assert_int_equal(replace_file(projid, "somebody:101\n", 13, 0644, NULL), 0);
    find_known(t->world, 102)->limits.hard = MIB;  /* limited */
    find_known(t->world, 103)->foreign_use = 4096; /* used */
    make_directory(t, "i8k_web_0");
    make_directory(t, "i8k_web_1");
    assert_int_equal(ensured(t, "i8k_web_0", MIB), 104);
    assert_int_equal(ensured(t, "i8k_web_1", MIB), 105);
    _cleanup_free_ char *now = content(t->etc, "projects");
    assert_true(after_prefix(now, "100:/srv/x\n") != NULL);
}

static void test_two_trees_never_share_an_id(void **state)
{
    struct tree_of_test *t = *state, other = {.world = t->world};
    tree_paths(&other, t->path, "2");
    registry_begin(&other, 110000);
    for (int i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "i8k_web_%d", i);
        make_directory(t, name);
        make_directory(&other, name);
        /* The kernel has no record of the first half: only /etc/projects shows it. */
        struct op a = run_op(t, OP_ENSURE, name, MIB), b = run_op(&other, OP_ENSURE, name, MIB);
        assert_int_equal(a.item.id, 100 + 2 * i);
        assert_int_equal(b.item.id, 101 + 2 * i);
        op_clear(&a);
        op_clear(&b);
    }
    struct notes notes = {.n = 0};
    start_again(t, &notes); /* keeps the other tree's lines */
    notes_clear(&notes);
    _cleanup_free_ char *projects = content(t->etc, "projects"),
                        *line = xasprintf("109:%s/i8k_web_4\n", other.apps);
    assert_non_null(strstr(projects, line));
    registry_done(&other.r);
}

static void test_a_ledger_that_cannot_be_written_changes_nothing(void **state)
{
    struct tree_of_test *t = *state;
    make_directory(t, "i8k_web_0");
    make_directory(t, "i8k_web_1");
    assert_int_equal(ensured(t, "i8k_web_0", MIB), 100);
    t->r.ledger_path = "/nonexistent/ledger.json";
    struct op op = run_op(t, OP_ENSURE, "i8k_web_0", 2 * MIB);
    assert_true(op.result < 0);
    op_clear(&op);
    op = run_op(t, OP_ENSURE, "i8k_web_1", MIB);
    assert_true(op.result < 0);
    op_clear(&op);
    op = run_op(t, OP_REMOVE, "i8k_web_0", 0);
    assert_true(op.result < 0);
    op_clear(&op);
    struct ledger_item item;
    assert_true(registry_get(&t->r, "i8k_web_0", &item));
    assert_int_equal(item.hard, MIB);
    registry_item_clear(&item);
    assert_false(registry_get(&t->r, "i8k_web_1", &item));
}

static void test_many_changes_at_once_are_one_write(void **state)
{
    struct tree_of_test *t = *state;
    struct op ops[200], *list[200];
    struct notes notes = {.n = 0};
    char names[200][32];
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof names[i], "i8k_many_%d", i % 128);
        make_directory(t, names[i]);
        ops[i] = (struct op){.kind = OP_ENSURE, .container = names[i], .limits = {MIB, MIB, 0, 0}};
        list[i] = &ops[i];
    }
    registry_run(&t->r, list, 200, &notes);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(ops[i].result, 0);
        assert_int_equal(ops[i].item.id, 100 + i % 128);
        op_clear(&ops[i]);
    }
    assert_int_equal(registry_count(&t->r), 128);
    assert_int_equal(notes.n, 0);
}

/* --- inodes --- */

static void use_inodes(struct tree_of_test *t, uint32_t project, int64_t inodes)
{
    find_known(t->world, project)->foreign_use = inodes * 4096;
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

static void test_inodes_are_derived_from_the_bytes(void **state)
{
    struct tree_of_test *t = *state;
    struct quota_values v;
    struct error e = ERROR_INIT;
    t->r.bytes_per_inode = 16384;
    t->r.inodes_min = 16384;
    make_directory(t, "i8k_web_0");
    assert_int_equal(ensure(t, "i8k_web_0", 100 * MIB, &v, &e), 0);
    assert_int_equal(v.inodes, 16384); /* the minimum */
    schema_done(&quota_values_schema, &v);
    ensured(t, "i8k_web_0", 10240 * MIB);
    assert_int_equal(find_known(t->world, 100)->limits.inodes, 655360); /* one for 16 KiB */
    use_inodes(t, 100, 700000);
    ensured(t, "i8k_web_0", 10240 * MIB);
    assert_int_equal(find_known(t->world, 100)->limits.inodes, 700001); /* the usage, including the top */
    use_inodes(t, 100, 690000);
    ensured(t, "i8k_web_0", 100 * MIB);
    assert_int_equal(find_known(t->world, 100)->limits.inodes, 690001); /* the limit shrinks with the usage */
    use_inodes(t, 100, 0);
    ensured(t, "i8k_web_0", 100 * MIB);
    assert_int_equal(find_known(t->world, 100)->limits.inodes, 16384);
    assert_true(item_of(t, "i8k_web_0").inodes_derived);
    /* Without a limit of bytes there is none of inodes; a requested number is used as it is. */
    ensured(t, "i8k_web_0", 0);
    assert_int_equal(find_known(t->world, 100)->limits.inodes, 0);
    struct op op = {.kind = OP_ENSURE, .container = "i8k_web_0", .limits = {MIB, MIB, 0, 7}}, *ops[] = {&op};
    struct notes notes = {.n = 0};
    registry_run(&t->r, ops, 1, &notes);
    assert_int_equal(op.item.inodes, 7);
    assert_false(op.item.inodes_derived);
    op_clear(&op);
    t->r.bytes_per_inode = 0;
    ensured(t, "i8k_web_0", 100 * MIB);
    assert_int_equal(find_known(t->world, 100)->limits.inodes, 0);
}

static void test_a_start_gives_inodes_to_those_that_have_none(void **state)
{
    struct tree_of_test *t = *state;
    struct notes notes = {.n = 0};
    make_directory(t, "i8k_web_0");
    make_directory(t, "i8k_web_1");
    make_directory(t, "i8k_own_0");
    ensured(t, "i8k_web_0", 1024 * MIB); /* as an earlier version left it: no limit of inodes */
    ensured(t, "i8k_web_1", 100 * MIB);
    struct op op = {.kind = OP_ENSURE, .container = "i8k_own_0", .limits = {MIB, MIB, 0, 7}}, *ops[] = {&op};
    registry_run(&t->r, ops, 1, &notes);
    struct quota_values v;
    struct error e = ERROR_INIT;
    assert_int_equal(enforce_item(&t->r, &op.item, &plain, &v, &e), 0);
    schema_done(&quota_values_schema, &v);
    op_clear(&op);
    op = run_op(t, OP_RELEASE, "i8k_web_1", 0);
    assert_int_equal(enforce_lift(&t->r, &op.item, &e), 0);
    op_clear(&op);
    assert_int_equal(find_known(t->world, 100)->limits.inodes, 0);
    use_inodes(t, 100, 70000);
    t->starts_with_inodes = true;
    start_again(t, &notes);
    notes_clear(&notes);
    assert_int_equal(find_known(t->world, 100)->limits.inodes, 70001);
    assert_int_equal(find_known(t->world, 101)->limits.inodes, 0); /* released */
    assert_int_equal(find_known(t->world, 102)->limits.inodes, 7); /* requested */
    assert_int_equal(item_of(t, "i8k_web_0").inodes, 70001);
    _cleanup_free_ char *ledger = content(t->path, "ledger.json");
    assert_non_null(strstr(ledger, "\"inodes_derived\": true"));
    /* A kill before or after the change of the kernel makes no difference for the next start. The limit
     * follows the usage. */
    find_known(t->world, 100)->limits.inodes = 0;
    use_inodes(t, 100, 10);
    start_again(t, &notes);
    notes_clear(&notes);
    assert_int_equal(find_known(t->world, 100)->limits.inodes, 65536);
    struct findings found;
    assert_int_equal(report_make(&t->r, &found, &e), 0);
    for (size_t i = 0; i < found.n; i++)
        assert_int_not_equal(found.items[i]->kind, QUOTA_LIMITS_DIFFER);
    findings_clear(&found);
}

/* --- hostile content --- */

static void test_files_that_block_or_lead_outside_are_not_opened(void **state)
{
    struct tree_of_test *t = *state;
    make_directory(t, "i8k_web_0/opt");
    make_file(t, "i8k_web_0/opt/file");
    _cleanup_free_ char *outside = xasprintf("%s/outside", t->path), *fifo = path_in(t, "i8k_web_0/opt/fifo"),
                        *link = path_in(t, "i8k_web_0/opt/link"), *up = path_in(t, "i8k_web_0/opt/up"),
                        *hard = path_in(t, "i8k_web_0/opt/hard"), *file = path_in(t, "i8k_web_0/opt/file"),
                        *device = path_in(t, "i8k_web_0/opt/device");
    assert_int_equal(make_dirs(outside, 0755, NULL), 0);
    assert_int_equal(mkfifo(fifo, 0644), 0);
    assert_int_equal(symlink(outside, link), 0);
    assert_int_equal(symlink("../..", up), 0);
    assert_int_equal(linkat(AT_FDCWD, file, AT_FDCWD, hard, 0), 0);
    if (geteuid() == 0)
        assert_int_equal(mknod(device, S_IFCHR | 0666, makedev(10, 130)),
                         /* A watchdog: opening it would start it. */
                         0);
    alarm(20);
    assert_int_equal(ensured(t, "i8k_web_0", MIB), 100);
    alarm(0);
    assert_tag(t, "i8k_web_0/opt/file", 100);
    int fd = open(outside, O_RDONLY);
    struct kernel_tag tag;
    world_read_tag(&t->world->kernel, fd, &tag);
    close(fd);
    assert_int_equal(tag.project, 0);
    assert_int_equal(tag_of(t, ".").project, 0);
}

static void test_a_tree_deeper_than_any_path_gets_its_project(void **state)
{
    struct tree_of_test *t = *state;
    make_directory(t, "i8k_web_0");
    _cleanup_free_ char *top = path_in(t, "i8k_web_0");
    int fd = open(top, O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(mkdirat(fd, "a-directory", 0755), 0);
        int down = openat(fd, "a-directory", O_RDONLY | O_DIRECTORY);
        close(fd);
        fd = down;
    }
    struct kernel_tag tag;
    assert_int_equal(ensured(t, "i8k_web_0", 100 * MIB), 100);
    world_read_tag(&t->world->kernel, fd, &tag);
    assert_int_equal(tag.project, 100);
    close(fd);
}

static void test_wide_directories_get_their_project(void **state)
{
    struct tree_of_test *t = *state;
    for (int i = 0; i < 400; i++) { /* more than one read of a directory */
        char name[300];
        snprintf(name, sizeof name, "i8k_web_0/%0*d/x", i % 200 + 20, i);
        make_directory(t, name);
    }
    struct tag_result seen;
    struct error e = ERROR_INIT;
    assert_int_equal(ensured(t, "i8k_web_0", 100 * MIB), 100);
    _cleanup_free_ char *top = path_in(t, "i8k_web_0");
    int fd = open(top, O_RDONLY | O_DIRECTORY);
    assert_int_equal(tag_count(&t->world->kernel, fd, 100, NULL, &seen, &e), 0);
    close(fd);
    assert_int_equal(seen.entries, 801);
    assert_int_equal(seen.skipped, 0);
}

/* Moves a directory away while the walk is in it. */
struct mover {
    struct kernel kernel; /* the simulated kernel with one function replaced */
    struct world *world;
    const char *from, *to, *when; /* the move happens when the directory with this suffix gets its project */
    int left;
};

static int moving_write_tag(const struct kernel *k, int fd, const struct kernel_tag *tag)
{
    struct mover *m = k->userdata;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    if (m->left > 0 && has_suffix(path, m->when)) {
        m->left--;
        assert_int_equal(rename(m->from, m->to), 0);
    }
    return world_write_tag(&m->world->kernel, fd, tag);
}

static int moving_read_tag(const struct kernel *k, int fd, struct kernel_tag *ret)
{
    struct mover *m = k->userdata;
    return world_read_tag(&m->world->kernel, fd, ret);
}

static void test_directories_that_move_during_the_walk_get_their_project(void **state)
{
    struct tree_of_test *t = *state;
    struct tag_result seen;
    struct error e = ERROR_INIT;
    make_directory(t, "i8k_web_0/aa/bb/cc");
    make_directory(t, "i8k_web_0/zz");
    make_file(t, "i8k_web_0/zz/file");
    _cleanup_free_ char *top = path_in(t, "i8k_web_0"), *from = path_in(t, "i8k_web_0/aa/bb"),
                        *to = path_in(t, "i8k_web_0/zz/bb");
    struct mover m = {.kernel = {.read_tag = moving_read_tag, .write_tag = moving_write_tag},
                      .world = t->world,
                      .from = from,
                      .to = to,
                      .when = "/bb/cc",
                      .left = 1};
    m.kernel.userdata = &m;
    int fd = open(top, O_RDONLY | O_DIRECTORY);
    assert_int_equal(tag_tree(&m.kernel, fd, 100, NULL, &seen, &e), 0);
    close(fd);
    assert_int_equal(m.left, 0);
    assert_int_equal(seen.entries, 6);
    assert_tag(t, "i8k_web_0/zz/bb/cc", 100);
    assert_tag(t, "i8k_web_0/zz/file", 100);
    assert_tag(t, "i8k_web_0", 100);
}

static void test_a_limit_below_the_usage_is_set(void **state)
{
    struct tree_of_test *t = *state;
    struct quota_values v;
    struct error e = ERROR_INIT;
    t->world->strict = true;
    for (int i = 0; i < 20; i++) {
        char name[64];
        snprintf(name, sizeof name, "i8k_web_0/file%d", i);
        make_directory(t, "i8k_web_0");
        make_file(t, name);
    }
    assert_int_equal(ensure(t, "i8k_web_0", 8192, &v, &e), 0);
    assert_int_equal(v.used, 21 * 4096);
    assert_int_equal(v.hard, 8192);
    assert_int_equal(v.level, QUOTA_OVER);
    schema_done(&quota_values_schema, &v);
}

static void test_recheck_gives_files_their_project_again(void **state)
{
    struct tree_of_test *t = *state;
    struct quota_values v;
    struct error e = ERROR_INIT;
    struct findings found;
    struct ledger_item item;
    make_directory(t, "i8k_web_0/opt");
    make_file(t, "i8k_web_0/opt/big");
    ensured(t, "i8k_web_0", MIB);
    _cleanup_free_ char *path = path_in(t, "i8k_web_0/opt/big");
    int fd = open(path, O_RDONLY);
    find_file(t->world, fd)->tag.project = 0; /* as its owner can do */
    close(fd);
    assert_int_equal(report_make(&t->r, &found, &e), 0);
    assert_int_equal(found.n, 1);
    assert_int_equal(found.items[0]->kind, QUOTA_NOT_TAGGED);
    findings_clear(&found);
    assert_true(registry_get(&t->r, "i8k_web_0", &item));
    assert_int_equal(enforce_item(&t->r, &item, &recheck, &v, &e), 0);
    registry_item_clear(&item);
    schema_done(&quota_values_schema, &v);
    assert_tag(t, "i8k_web_0/opt/big", 100);
    assert_int_equal(report_make(&t->r, &found, &e), 0);
    assert_int_equal(found.n, 0);
    findings_clear(&found);
}

/* --- Release and Remove --- */

static void test_release_keeps_the_id_with_the_data(void **state)
{
    struct tree_of_test *t = *state;
    make_directory(t, "i8k_web_0/opt");
    ensured(t, "i8k_web_0", MIB);
    struct op op = run_op(t, OP_RELEASE, "i8k_web_0", 0);
    struct error e = ERROR_INIT;
    assert_int_equal(op.result, 0);
    assert_int_equal(enforce_lift(&t->r, &op.item, &e), 0);
    op_clear(&op);
    assert_int_equal(find_known(t->world, 100)->limits.hard, 0);
    assert_tag(t, "i8k_web_0/opt", 100);
    _cleanup_free_ char *projects = content(t->etc, "projects"), *projid = content(t->etc, "projid");
    assert_string_equal(projects, "");
    assert_string_equal(projid, "i8k_web_0:100\n");
    /* After the data was kept and restored, the project is the same. */
    _cleanup_free_ char *is = path_in(t, "i8k_web_0"),
                        *kept = path_in(t, "i8k_web_0.removed-20261123T210640");
    assert_int_equal(rename(is, kept), 0);
    make_directory(t, "i8k_web_1");
    assert_int_equal(ensured(t, "i8k_web_1", MIB), 101);
    assert_int_equal(rename(kept, is), 0);
    assert_int_equal(ensured(t, "i8k_web_0", MIB), 100);
    assert_int_equal(find_known(t->world, 100)->limits.hard, MIB);
    op = run_op(t, OP_RELEASE, "i8k_none_0", 0); /* without a project Release succeeds */
    assert_int_equal(op.result, 0);
    assert_false(op.found);
}

static void test_remove_gives_the_id_back(void **state)
{
    struct tree_of_test *t = *state;
    struct error e = ERROR_INIT;
    struct ledger_item item;
    make_directory(t, "i8k_web_0/opt");
    make_directory(t, "i8k_web_0.removed-20261123T210640/opt");
    ensured(t, "i8k_web_0", MIB);
    assert_true(registry_get(&t->r, "i8k_web_0", &item));
    assert_int_equal(enforce_remove(&t->r, &item, 0, &e), 0);
    registry_item_clear(&item);
    struct op op = run_op(t, OP_REMOVE, "i8k_web_0", 0);
    assert_int_equal(op.result, 0);
    op_clear(&op);
    assert_tag(t, "i8k_web_0", 0);
    assert_tag(t, "i8k_web_0/opt", 0);
    assert_int_equal(find_known(t->world, 100)->limits.hard, 0);
    assert_int_equal(registry_count(&t->r), 0);
    _cleanup_free_ char *projects = content(t->etc, "projects"), *projid = content(t->etc, "projid");
    assert_string_equal(projects, "");
    assert_string_equal(projid, "");
    make_directory(t, "i8k_web_1");
    assert_int_equal(ensured(t, "i8k_web_1", MIB), 100);
}

/* --- a start --- */

static void test_a_lost_ledger_is_rebuilt(void **state)
{
    struct tree_of_test *t = *state;
    static const char *const states[] = {NULL, "", "{\"items\":[{\"id\":10", "\xff"};
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        struct notes notes = {.n = 0};
        struct ledger_item item;
        make_directory(t, "i8k_web_0/opt");
        make_directory(t, "i8k_web_1/opt");
        make_directory(t, "i8k_new_0"); /* never ensured: it has no project to adopt */
        ensured(t, "i8k_web_0", 100 * MIB);
        ensured(t, "i8k_web_1", 200 * MIB);
        assert_int_equal(unlink(t->ledger), 0);
        if (states[i])
            assert_int_equal(replace_file(t->ledger, states[i], strlen(states[i]), 0644, NULL), 0);
        _cleanup_free_ char *unfinished = xasprintf("%s/.ledger.json.0011.tmp", t->path);
        assert_int_equal(replace_file(unfinished, "{", 1, 0600, NULL), 0);
        start_again(t, &notes);
        assert_int_equal(access(unfinished, F_OK), -1);
        assert_int_equal(has_note(&notes, "made anew"), states[i] != NULL);
        assert_true(has_note(&notes, "took i8k_web_1 into the ledger"));
        notes_clear(&notes);
        assert_int_equal(registry_count(&t->r), 2);
        assert_true(registry_get(&t->r, "i8k_web_1", &item));
        assert_int_equal(item.id, 101);
        assert_int_equal(item.hard, 200 * MIB);
        registry_item_clear(&item);
        _cleanup_free_ char *ledger = content(t->path, "ledger.json");
        assert_non_null(strstr(ledger, "i8k_web_1"));
    }
}

static void test_directories_take_precedence_over_an_older_ledger(void **state)
{
    struct tree_of_test *t = *state;
    struct notes notes = {.n = 0};
    struct ledger_item item;
    make_directory(t, "i8k_old_0");
    make_directory(t, "i8k_new_0");
    assert_int_equal(ensured(t, "i8k_new_0", 100 * MIB), 100);
    /* A copy from a backup, in which 100 belongs to another container. */
    static const char older[] = "{\"items\":[{\"id\":100,\"name\":\"i8k_old_0\",\"hard\":5}]}";
    assert_int_equal(replace_file(t->ledger, older, strlen(older), 0644, NULL), 0);
    start_again(t, &notes);
    assert_true(has_note(&notes, "gives project 100 to i8k_old_0"));
    notes_clear(&notes);
    assert_true(registry_get(&t->r, "i8k_new_0", &item));
    assert_int_equal(item.id, 100);
    assert_int_equal(item.hard, 100 * MIB);
    registry_item_clear(&item);
    assert_int_equal(ensured(t, "i8k_old_0", MIB), 101);
}

static void test_one_of_two_directories_with_one_project_gets_a_new_one(void **state)
{
    struct tree_of_test *t = *state;
    struct notes notes = {.n = 0};
    make_directory(t, "i8k_one_0");
    make_directory(t, "i8k_two_0");
    ensured(t, "i8k_one_0", MIB);
    _cleanup_free_ char *path = path_in(t, "i8k_two_0");
    int fd = open(path, O_RDONLY);
    find_file(t->world, fd)->tag = (struct kernel_tag){100, true};
    close(fd);
    start_again(t, &notes);
    assert_true(has_note(&notes, "carries project 100 of i8k_one_0"));
    notes_clear(&notes);
    assert_int_equal(ensured(t, "i8k_two_0", MIB), 101);
    assert_tag(t, "i8k_two_0", 101);
}

static void test_without_quotas_the_files_in_etc_are_left_alone(void **state)
{
    struct tree_of_test *t = *state;
    struct notes notes = {.n = 0};
    static const char ledger[] = "{\"items\":[{\"id\":100,\"name\":\"i8k_web_0\",\"hard\":5}]}";
    make_directory(t, "i8k_web_0");
    assert_int_equal(replace_file(t->ledger, ledger, strlen(ledger), 0644, NULL), 0);
    t->world->off = true;
    start_again(t, &notes);
    notes_clear(&notes);
    assert_int_equal(registry_count(&t->r), 1);
    assert_null(content(t->etc, "projects"));
    t->world->off = false;
    start_again(t, &notes);
    notes_clear(&notes);
    _cleanup_free_ char *projects = content(t->etc, "projects");
    assert_non_null(strstr(projects, "100:"));
}

static void test_limits_are_restored_from_the_ledger(void **state)
{
    struct tree_of_test *t = *state;
    struct notes notes = {.n = 0};
    make_directory(t, "i8k_web_0");
    ensured(t, "i8k_web_0", 100 * MIB);
    find_known(t->world, 100)->limits = (struct kernel_limits){0, 0, 0, 0};
    start_again(t, &notes);
    assert_true(has_note(&notes, "it has the ledger's now"));
    assert_int_equal(find_known(t->world, 100)->limits.hard, 100 * MIB);
    notes_clear(&notes);
}

static void test_an_inherited_project_is_not_adopted(void **state)
{
    struct tree_of_test *t = *state;
    struct notes notes = {.n = 0};
    make_directory(t, "i8k_web_0");
    int apps = open(t->apps, O_RDONLY);
    _cleanup_free_ char *path = path_in(t, "i8k_web_0");
    int fd = open(path, O_RDONLY);
    /* An administrator limits the whole app path. */
    find_file(t->world, apps)->tag = (struct kernel_tag){150, true};
    find_file(t->world, fd)->tag = (struct kernel_tag){150, true};
    close(fd);
    close(apps);
    start_again(t, &notes);
    assert_int_equal(registry_count(&t->r), 0);
    assert_int_equal(ensured(t, "i8k_web_0", MIB), 100);
    notes_clear(&notes);
}

static void forget_files(struct tree_of_test *t, uint32_t project)
{
    for (size_t i = 0; i < t->world->n_files; i++)
        if (t->world->files[i].tag.project == project)
            t->world->files[i].tag.project = 0;
}

static void test_an_id_is_given_back_once_nothing_is_charged_to_it(void **state)
{
    struct tree_of_test *t = *state;
    struct notes notes = {.n = 0};
    make_directory(t, "i8k_web_0");
    ensured(t, "i8k_web_0", MIB);
    _cleanup_free_ char *path = path_in(t, "i8k_web_0"),
                        *deleting = path_in(t, ".deleting-i8k_web_0-0123456789abcdef");
    size_t n;
    assert_int_equal(rename(path, deleting), 0);
    free(recovery_find_gone(&t->r, &n));
    assert_int_equal(n, 0); /* hidden, not deleted */
    assert_true(recovery_is_on_its_way(&t->r, "i8k_web_0"));
    assert_false(recovery_is_on_its_way(&t->r, "i8k_web_01") || recovery_is_on_its_way(&t->r, "i8k_we_0"));
    assert_int_equal(rmdir(deleting), 0);
    assert_false(recovery_is_on_its_way(&t->r, "i8k_web_0"));
    free(recovery_find_gone(&t->r, &n));
    assert_int_equal(n, 0); /* deleted, and something is still charged */
    forget_files(t, 100);
    char **gone = recovery_find_gone(&t->r, &n);
    assert_int_equal(n, 1);
    assert_string_equal(gone[0], "i8k_web_0");
    free(gone[0]);
    free(gone);
    start_again(t, &notes);
    assert_true(has_note(&notes, "project 100 is given back"));
    notes_clear(&notes);
    assert_int_equal(registry_count(&t->r), 0);
    assert_int_equal(find_known(t->world, 100)->limits.hard, 0);
}

static void test_a_ledger_that_others_can_write_is_not_used(void **state)
{
    struct tree_of_test *t = *state;
    struct notes notes = {.n = 0};
    static const char forged[] = "{\"items\":[{\"id\":7,\"name\":\"i8k_web_0\"}]}";
    assert_int_equal(replace_file(t->ledger, forged, strlen(forged), 0666, NULL), 0);
    make_directory(t, "i8k_web_0");
    start_again(t, &notes);
    assert_true(has_note(&notes, "others than root can write it"));
    notes_clear(&notes);
    assert_int_equal(ensured(t, "i8k_web_0", MIB), 100);
}

/* --- Report and Info --- */

static const struct quota_finding *finding(const struct findings *f, enum quota_finding_kind kind)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->items[i]->kind == (int)kind)
            return f->items[i];
    return NULL;
}

static void test_report_finds_every_kind_of_difference(void **state)
{
    struct tree_of_test *t = *state;
    struct findings f;
    struct error e = ERROR_INIT;
    make_directory(t, "i8k_web_0");
    make_directory(t, "i8k_gone_0");
    make_directory(t, "i8k_new_0");
    ensured(t, "i8k_web_0", MIB);
    ensured(t, "i8k_gone_0", MIB);
    _cleanup_free_ char *gone = path_in(t, "i8k_gone_0");
    assert_int_equal(rmdir(gone), 0);
    make_directory(t, ".deleting-i8k_old_0-0123456789abcdef");
    find_known(t->world, 500)->limits.hard = MIB;
    find_known(t->world, 100)->foreign_use = 1000 * 4096;
    find_known(t->world, 100)->limits.hard = 2 * MIB;
    assert_int_equal(report_make(&t->r, &f, &e), 0);
    assert_int_equal(finding(&f, QUOTA_ORPHAN_PROJECT)->project, 500);
    assert_string_equal(finding(&f, QUOTA_WITHOUT_DIRECTORY)->container, "i8k_gone_0");
    assert_int_equal(finding(&f, QUOTA_USED_BY_OTHERS)->project, 100);
    assert_int_equal(finding(&f, QUOTA_LIMITS_DIFFER)->hard, 2 * MIB);
    assert_string_equal(finding(&f, QUOTA_DIRECTORY_UNKNOWN)->container, "i8k_new_0");
    assert_null(finding(&f, QUOTA_NOT_TAGGED));
    assert_string_equal(finding(&f, QUOTA_NOT_DELETED)->container, "i8k_old_0");
    assert_non_null(strstr(finding(&f, QUOTA_NOT_DELETED)->path, "/.deleting-i8k_old_0-"));
    assert_int_equal(f.n, 6);
    findings_clear(&f);
    t->world->off = true;
    assert_int_equal(report_make(&t->r, &f, &e), 0);
    assert_non_null(finding(&f, QUOTA_NOT_ENFORCED));
    findings_clear(&f);
}

static void test_info_states_what_is_enforced(void **state)
{
    struct tree_of_test *t = *state;
    struct quota_info_out info;
    struct error e = ERROR_INIT;
    make_directory(t, "i8k_web_0");
    ensured(t, "i8k_web_0", MIB);
    assert_int_equal(report_info(&t->r, &info, &e), 0);
    assert_true(info.enforced);
    assert_int_equal(info.n_mounts, 1);
    assert_int_equal(info.mounts[0]->projects, 1);
    assert_int_equal(info.id_min, 100);
    schema_done(varlink_find_method(&quota_keeper_interface, "Info")->out, &info);
    t->world->off = true;
    assert_int_equal(report_info(&t->r, &info, &e), 0);
    assert_false(info.enforced);
    assert_non_null(info.reason);
    assert_non_null(info.remedy);
    schema_done(varlink_find_method(&quota_keeper_interface, "Info")->out, &info);
}

#define QUOTA_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUOTA_TEST(test_ensure_gives_project_and_limits),
        QUOTA_TEST(test_ensure_needs_a_directory_and_a_filesystem),
        QUOTA_TEST(test_limits_that_the_kernel_ignored_are_not_reported_as_set),
        QUOTA_TEST(test_ids_of_others_are_never_given_out),
        QUOTA_TEST(test_two_trees_never_share_an_id),
        QUOTA_TEST(test_a_ledger_that_cannot_be_written_changes_nothing),
        QUOTA_TEST(test_many_changes_at_once_are_one_write),
        QUOTA_TEST(test_inodes_are_derived_from_the_bytes),
        QUOTA_TEST(test_a_start_gives_inodes_to_those_that_have_none),
        QUOTA_TEST(test_files_that_block_or_lead_outside_are_not_opened),
        QUOTA_TEST(test_a_tree_deeper_than_any_path_gets_its_project),
        QUOTA_TEST(test_wide_directories_get_their_project),
        QUOTA_TEST(test_directories_that_move_during_the_walk_get_their_project),
        QUOTA_TEST(test_a_limit_below_the_usage_is_set),
        QUOTA_TEST(test_recheck_gives_files_their_project_again),
        QUOTA_TEST(test_release_keeps_the_id_with_the_data),
        QUOTA_TEST(test_remove_gives_the_id_back),
        QUOTA_TEST(test_a_lost_ledger_is_rebuilt),
        QUOTA_TEST(test_directories_take_precedence_over_an_older_ledger),
        QUOTA_TEST(test_one_of_two_directories_with_one_project_gets_a_new_one),
        QUOTA_TEST(test_without_quotas_the_files_in_etc_are_left_alone),
        QUOTA_TEST(test_limits_are_restored_from_the_ledger),
        QUOTA_TEST(test_an_inherited_project_is_not_adopted),
        QUOTA_TEST(test_an_id_is_given_back_once_nothing_is_charged_to_it),
        QUOTA_TEST(test_a_ledger_that_others_can_write_is_not_used),
        QUOTA_TEST(test_report_finds_every_kind_of_difference),
        QUOTA_TEST(test_info_states_what_is_enforced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
